//! Requests by route, method and status code, with a bound on the number of series.

use super::cell::{counter, family};
use crate::model::diagnostic::ObjectRef;
use http::{Method, StatusCode};
use prometheus::{
    core::{Collector, Desc},
    proto,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

const NAME: &str = "paifang_http_requests_total";
const HELP: &str = "Requests by route, method and status code.";
const LABELS: [&str; 4] = ["route", "namespace", "code", "method"];
/// The label of everything beyond the bound on series.
const OTHER: &str = "_other";

/// Methods that have a series of their own; all others share `_OTHER`, as OpenTelemetry has it.
const METHODS: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
    Method::CONNECT,
];

/// How many combinations of method and code a route counts apart on one core.
const SLOTS: usize = 24;

/// A small table from (method, code) to a count. One core writes, any thread reads.
#[derive(Debug)]
struct Slots {
    keys: [AtomicU32; SLOTS],
    counts: [AtomicU64; SLOTS],
}

impl Slots {
    fn new() -> Self {
        Self { keys: [const { AtomicU32::new(0) }; SLOTS], counts: [const { AtomicU64::new(0) }; SLOTS] }
    }

    fn add(&self, key: u32) {
        for (slot, count) in self.keys.iter().zip(&self.counts) {
            let found = slot.load(Ordering::Relaxed);
            if found == 0 {
                slot.store(key, Ordering::Release);
            }
            if found == 0 || found == key {
                count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                return;
            }
        }
        // More combinations than slots: the last one takes the rest, so that sums stay right.
        let last = &self.counts[SLOTS - 1];
        last.store(last.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// The counts of one route.
#[derive(Debug)]
pub struct RouteStats {
    cores: Box<[OnceLock<Box<Slots>>]>,
}

impl RouteStats {
    fn new(cores: usize) -> Self {
        Self { cores: (0..cores).map(|_| OnceLock::new()).collect() }
    }

    /// Counts a request; only the core of this number may call this.
    pub fn count(&self, core: usize, method: &Method, status: StatusCode) {
        let slots = self.cores[core].get_or_init(|| Box::new(Slots::new()));
        slots.add(key(method, status));
    }

    fn read(&self, into: &mut BTreeMap<u32, u64>) {
        for slots in self.cores.iter().filter_map(OnceLock::get) {
            for (key, count) in slots.keys.iter().zip(&slots.counts) {
                match key.load(Ordering::Acquire) {
                    0 => break,
                    key => *into.entry(key).or_default() += count.load(Ordering::Relaxed),
                }
            }
        }
    }
}

fn key(method: &Method, status: StatusCode) -> u32 {
    let method = METHODS.iter().position(|known| known == method).unwrap_or(METHODS.len());
    u32::from(status.as_u16()) << 8 | u32::try_from(method).unwrap_or(u32::MAX)
}

fn words(key: u32) -> (String, &'static str) {
    const NAMES: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    let method = NAMES.get((key & 0xff) as usize).copied().unwrap_or("_OTHER");
    ((key >> 8).to_string(), method)
}

/// The counts of all routes. A route that comes back finds its counts again.
#[derive(Debug)]
pub struct Routes {
    cores: usize,
    most_series: usize,
    /// Requests that no rule took.
    unrouted: Arc<RouteStats>,
    by_route: Mutex<BTreeMap<ObjectRef, Arc<RouteStats>>>,
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

    /// The counts of a route. Called when a table is installed, never for a request.
    #[must_use]
    pub fn of(&self, route: &ObjectRef) -> Arc<RouteStats> {
        let mut routes = self.by_route.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(routes.entry(route.clone()).or_insert_with(|| Arc::new(RouteStats::new(self.cores))))
    }

    /// Forgets the routes that are gone, so that their series end.
    pub fn keep(&self, known: impl Fn(&ObjectRef) -> bool) {
        self.by_route.lock().unwrap_or_else(PoisonError::into_inner).retain(|route, _| known(route));
    }

    fn metrics(&self) -> Vec<proto::Metric> {
        let mut metrics = Vec::new();
        let mut rest = BTreeMap::new();
        let routes = self.by_route.lock().unwrap_or_else(PoisonError::into_inner).clone();
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
        let stats = routes.of(&route("a"));
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
        for name in ["a", "b", "c", "d", "e"] {
            routes.of(&route(name)).count(0, &Method::GET, StatusCode::OK);
        }
        let series = series(&routes);
        assert_eq!(series.len(), 4);
        assert_eq!(series.last().unwrap(), &("200 GET _other _other".to_owned(), 2.0));
    }

    #[test]
    fn a_route_that_is_gone_has_no_series() {
        let routes = Routes::new(1, 10);
        routes.of(&route("a")).count(0, &Method::GET, StatusCode::OK);
        routes.keep(|known| &*known.name != "a");
        assert!(series(&routes).is_empty());
    }
}
