//! Requests by route, method and status code, with a bound on the number of series.

use super::cell::{counter, family};
use crate::{
    live::route_stats::{RouteStats, words},
    model::diagnostic::ObjectRef,
};
use prometheus::{
    core::{Collector, Desc},
    proto,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError, Weak},
};

const NAME: &str = "paifang_http_requests_total";
const HELP: &str = "Requests by route, method and status code.";
const LABELS: [&str; 4] = ["route", "namespace", "code", "method"];
/// The label of everything beyond the bound on series.
const OTHER: &str = "_other";

/// The counts of all routes, for as long as a generation or a request holds them.
///
/// Nobody says which routes are gone: while a newer table is on its way an older one may still be
/// in use, and either counts. A series ends when its last holder is dropped.
#[derive(Debug)]
pub struct Routes {
    cores: usize,
    most_series: usize,
    /// Requests that no rule took.
    unrouted: Arc<RouteStats>,
    known: Mutex<Known>,
}

/// What was counted, and under which name it was told.
#[derive(Debug, Default)]
struct Known {
    unrouted: Places,
    by_route: BTreeMap<ObjectRef, (Weak<RouteStats>, Places)>,
    /// What was told under [`OTHER`], and never becomes less.
    rest: BTreeMap<u32, u64>,
}

/// Where the counts of a route are told, by their key. A count keeps its place for life: one that
/// moved would look like requests that were never there.
type Places = BTreeMap<u32, Place>;

/// Where a count is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// As a series of its own.
    Own,
    /// Under [`OTHER`], which contains so much of it.
    Rest(u64),
}

impl Routes {
    /// No counts yet.
    #[must_use]
    pub fn new(cores: usize, most_series: usize) -> Self {
        Self { cores, most_series, unrouted: Arc::new(RouteStats::new(cores)), known: Mutex::default() }
    }

    /// The counts of requests that no rule took.
    #[must_use]
    pub fn unrouted(&self) -> Arc<RouteStats> {
        Arc::clone(&self.unrouted)
    }

    /// The counts of some routes, in their order: those that somebody holds already, else new
    /// ones. Called once for each generation, never for a request.
    #[must_use]
    pub fn of<'a>(&self, routes: impl IntoIterator<Item = &'a ObjectRef>) -> Vec<Arc<RouteStats>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.by_route.retain(|_, (stats, _)| stats.strong_count() > 0);
        routes.into_iter().map(|route| known.find(route, self.cores)).collect()
    }

    fn metrics(&self) -> Vec<proto::Metric> {
        let mut metrics = Vec::new();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { unrouted, by_route, rest } = &mut *known;
        let routes = by_route
            .iter_mut()
            .filter_map(|(route, (stats, places))| Some((&*route.name, &*route.namespace, stats.upgrade()?, places)));
        let mut all: Vec<_> = std::iter::once(("", "", Arc::clone(&self.unrouted), unrouted)).chain(routes).collect();
        let told = all.iter().map(|(.., places)| places.values().filter(|place| **place == Place::Own).count());
        let mut room = self.most_series.saturating_sub(told.sum());
        for (name, namespace, stats, places) in &mut all {
            let mut counts = BTreeMap::new();
            stats.read(&mut counts);
            counts.retain(|key, count| is_own(places, *key, *count, &mut room, rest));
            write(&mut metrics, name, namespace, &counts);
        }
        write(&mut metrics, OTHER, OTHER, rest);
        metrics
    }
}

impl Known {
    fn find(&mut self, route: &ObjectRef, cores: usize) -> Arc<RouteStats> {
        if let Some(stats) = self.by_route.get(route).and_then(|(stats, _)| stats.upgrade()) {
            return stats;
        }
        let stats = Arc::new(RouteStats::new(cores));
        self.by_route.insert(route.clone(), (Arc::downgrade(&stats), Places::new()));
        stats
    }
}

/// Whether a count has a series of its own. What it grew by goes to the rest if it has none.
fn is_own(places: &mut Places, key: u32, count: u64, room: &mut usize, rest: &mut BTreeMap<u32, u64>) -> bool {
    let place = places.entry(key).or_insert_with(|| {
        let place = if *room > 0 { Place::Own } else { Place::Rest(0) };
        *room = room.saturating_sub(1);
        place
    });
    if let Place::Rest(before) = place {
        *rest.entry(key).or_default() += count.saturating_sub(*before);
        *before = count;
    }
    *place == Place::Own
}

fn write(metrics: &mut Vec<proto::Metric>, route: &str, namespace: &str, counts: &BTreeMap<u32, u64>) {
    for (key, count) in counts {
        let (code, method) = words(*key);
        let labels = [("code", code.as_str()), ("method", method), ("namespace", namespace), ("route", route)];
        metrics.push(counter(*count, &labels));
    }
}

/// Reads the counts when somebody scrapes.
pub(super) struct RoutesCollector {
    routes: Arc<Routes>,
    description: Desc,
}

impl RoutesCollector {
    pub(super) fn new(routes: &Arc<Routes>) -> Result<Self, prometheus::Error> {
        let labels = LABELS.iter().map(|label| (*label).to_owned()).collect();
        let description = Desc::new(NAME.to_owned(), HELP.to_owned(), labels, HashMap::new())?;
        Ok(Self { routes: Arc::clone(routes), description })
    }
}

impl Collector for RoutesCollector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.description]
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        vec![family(NAME, HELP, proto::MetricType::COUNTER, self.routes.metrics())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::diagnostic::Kind;
    use http::{Method, StatusCode};

    fn route(name: &str) -> ObjectRef {
        ObjectRef::new(Kind::GatewayRoute, "shop", name)
    }

    fn series(routes: &Routes) -> Vec<(String, f64)> {
        let label = |metric: &proto::Metric| {
            metric.get_label().iter().map(proto::LabelPair::value).collect::<Vec<_>>().join(" ")
        };
        routes.metrics().iter().map(|metric| (label(metric), metric.get_counter().get_value())).collect()
    }

    #[test]
    fn counts_of_all_cores_add_up() {
        let routes = Routes::new(2, 100);
        let stats = &routes.of([&route("a")])[0];
        for core in [0, 1, 1] {
            stats.count(core, &Method::GET, StatusCode::OK);
        }
        stats.count(0, &Method::from_bytes(b"PURGE").unwrap(), StatusCode::NOT_FOUND);
        let expected = [("200 GET shop a".to_owned(), 3.0), ("404 _OTHER shop a".to_owned(), 1.0)];
        assert_eq!(series(&routes), expected);
    }

    #[test]
    fn series_are_bounded_and_sums_stay_right() {
        let routes = Routes::new(1, 3);
        let stats = routes.of(&["a", "b", "c", "d", "e"].map(route));
        stats.iter().for_each(|stats| stats.count(0, &Method::GET, StatusCode::OK));
        let series = series(&routes);
        assert_eq!(series.len(), 4);
        assert_eq!(series.last().unwrap(), &("200 GET _other _other".to_owned(), 2.0));
    }

    #[test]
    fn a_count_is_told_at_one_place_for_life_and_the_rest_never_becomes_less() {
        let routes = Routes::new(1, 2);
        let first = routes.of(&["b", "c", "d"].map(route));
        first.iter().for_each(|stats| stats.count(0, &Method::GET, StatusCode::OK));
        let told = [("b", 1.0), ("c", 1.0)].map(|(name, count)| (format!("200 GET shop {name}"), count));
        let rest = |count| ("200 GET _other _other".to_owned(), count);
        assert_eq!(series(&routes), [told[0].clone(), told[1].clone(), rest(1.0)]);
        let second = routes.of(&["a"].map(route));
        second[0].count(0, &Method::GET, StatusCode::OK);
        assert_eq!(series(&routes), [told[0].clone(), told[1].clone(), rest(2.0)], "a comes too late");
        drop((first, second));
        assert_eq!(series(&routes), [rest(2.0)]);
    }

    #[test]
    fn methods_that_clients_invent_hide_no_failures() {
        let routes = Routes::new(1, 100);
        let stats = &routes.of([&route("a")])[0];
        let codes = (200..260).map(|code| StatusCode::from_u16(code).unwrap());
        codes.for_each(|code| stats.count(0, &Method::GET, code));
        stats.count(0, &Method::GET, StatusCode::BAD_GATEWAY);
        let told = series(&routes);
        assert!(told.contains(&("5xx _OTHER shop a".to_owned(), 1.0)), "{told:?}");
        assert!(told.contains(&("2xx _OTHER shop a".to_owned(), 36.0)), "{told:?}");
    }

    #[test]
    fn a_series_ends_with_the_last_table_that_has_its_route() {
        let routes = Routes::new(1, 10);
        let older = routes.of(&[route("a"), route("b")]);
        let newer = routes.of(&[route("b"), route("c")]);
        older.iter().chain(&newer).for_each(|stats| stats.count(0, &Method::GET, StatusCode::OK));
        let expected =
            [("a", 1.0), ("b", 2.0), ("c", 1.0)].map(|(name, count)| (format!("200 GET shop {name}"), count));
        assert_eq!(series(&routes), expected);
        drop(older);
        assert_eq!(series(&routes), expected[1..]);
        drop(routes.of(&[]));
        assert_eq!(routes.known.lock().unwrap().by_route.len(), 2, "what nobody holds is forgotten");
    }
}
