//! Tables with many routes, and requests that hit them all alike.

use divan::black_box;
use http::{HeaderMap, Method};
use paifang::table::{Conditions, Entry, HostPattern, Outcome, PathPattern, RequestView, Table};

/// How many look-ups one sample makes: every route of the largest table once.
pub(crate) const LOOKUPS: usize = 10_000;

/// What a route is, and a path that it takes.
pub(crate) type Route = fn(usize) -> (PathPattern, String);

pub(crate) fn exact(n: usize) -> (PathPattern, String) {
    let path = format!("/api/service-{n}/items");
    (PathPattern::exact(&path), path)
}

pub(crate) fn prefix(n: usize) -> (PathPattern, String) {
    (PathPattern::prefix(&format!("/api/service-{n}")), format!("/api/service-{n}/items/42"))
}

pub(crate) fn template(n: usize) -> (PathPattern, String) {
    let text = format!("/api/service-{n}/items/{{id}}");
    (PathPattern::template(&text).expect("the text must be a template"), format!("/api/service-{n}/items/42"))
}

/// A cluster as they are: mostly prefixes, some exact paths and templates.
pub(crate) fn mixed(n: usize) -> (PathPattern, String) {
    match n % 10 {
        0 | 1 => exact(n),
        2 | 3 => template(n),
        _ => prefix(n),
    }
}

/// A table, and the host and path of one request per look-up, in no order.
pub(crate) struct Warm {
    pub(crate) table: Table<usize>,
    pub(crate) requests: Vec<(String, String)>,
    headers: HeaderMap,
}

impl Warm {
    /// `per_host` routes share each host.
    pub(crate) fn new(routes: usize, per_host: usize, route: Route) -> Self {
        let mut entries = Vec::with_capacity(routes);
        let mut targets = Vec::with_capacity(routes);
        for n in 0..routes {
            let host = format!("shop-{}.example.com", n / per_host);
            let (path, hit) = route(n);
            entries.push(Entry {
                host: HostPattern::Exact(host.as_str().into()),
                path,
                conditions: Conditions::default(),
                created: 0,
                order: ("shop/route".into(), 0),
                payload: n,
            });
            targets.push((host, hit));
        }
        let mut requests: Vec<_> = targets.into_iter().cycle().take(LOOKUPS).collect();
        fastrand::Rng::with_seed(1).shuffle(&mut requests);
        Self { table: Table::build(entries), requests, headers: HeaderMap::new() }
    }

    /// Which route takes this.
    pub(crate) fn find(&self, host: &str, path: &str) -> usize {
        let request = RequestView { host, path, method: &Method::GET, headers: &self.headers, query: None };
        match black_box(&self.table).find(&request) {
            Outcome::Found(found) => *found.payload,
            other => panic!("{other:?}"),
        }
    }
}
