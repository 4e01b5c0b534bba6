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
    by_route: Mutex<BTreeMap<ObjectRef, Weak<RouteStats>>>,
}

impl Routes {
    /// No counts yet.
    #[must_use]
    pub fn new(cores: usize, most_series: usize) -> Self {
        Self { cores, most_series, unrouted: Arc::new(RouteStats::new(cores)), by_route: Mutex::default() }
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
        let mut known = self.by_route.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, stats| stats.strong_count() > 0);
        routes.into_iter().map(|route| self.find(&mut known, route)).collect()
    }

    fn find(&self, known: &mut BTreeMap<ObjectRef, Weak<RouteStats>>, route: &ObjectRef) -> Arc<RouteStats> {
        if let Some(stats) = known.get(route).and_then(Weak::upgrade) {
            return stats;
        }
        let stats = Arc::new(RouteStats::new(self.cores));
        known.insert(route.clone(), Arc::downgrade(&stats));
        stats
    }

    fn held(&self) -> Vec<(ObjectRef, Arc<RouteStats>)> {
        let routes = self.by_route.lock().unwrap_or_else(PoisonError::into_inner);
        routes.iter().filter_map(|(route, stats)| Some((route.clone(), stats.upgrade()?))).collect()
    }

    fn metrics(&self) -> Vec<proto::Metric> {
        let mut metrics = Vec::new();
        let mut rest = BTreeMap::new();
        let routes = self.held();
        let named = routes.iter().map(|(route, stats)| (&*route.name, &*route.namespace, stats));
        for (name, namespace, stats) in std::iter::once(("", "", &self.unrouted)).chain(named) {
            let mut counts = BTreeMap::new();
            stats.read(&mut counts);
            if metrics.len() + counts.len() <= self.most_series {
                write(&mut metrics, name, namespace, &counts);
            } else {
                counts.into_iter().for_each(|(key, count)| *rest.entry(key).or_default() += count);
            }
        }
        write(&mut metrics, OTHER, OTHER, &rest);
        metrics
    }
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
        assert_eq!(routes.by_route.lock().unwrap().len(), 2, "what nobody holds is forgotten");
    }
}
