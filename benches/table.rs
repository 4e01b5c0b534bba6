//! The routing table: look-ups over warm tables, hits uniform over all routes, and paths made
//! canonical. Run with `cargo bench --bench table`. The goal is 150 ns and no allocation for a
//! look-up among 10 000 routes.

use divan::{AllocProfiler, Bencher, black_box, counter::ItemsCount};
use http::{HeaderMap, Method};
use paifang::table::{Conditions, Entry, HostPattern, Outcome, PathPattern, RequestView, Table, normalise};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const SIZES: [usize; 3] = [1, 1_000, 10_000];

/// How many look-ups one sample makes: every route of the largest table once.
const LOOKUPS: usize = 10_000;

fn main() {
    divan::main();
}

/// What a route is, and a path that it takes.
type Route = fn(usize) -> (PathPattern, String);

fn exact(n: usize) -> (PathPattern, String) {
    let path = format!("/api/service-{n}/items");
    (PathPattern::exact(&path), path)
}

fn prefix(n: usize) -> (PathPattern, String) {
    (PathPattern::prefix(&format!("/api/service-{n}")), format!("/api/service-{n}/items/42"))
}

fn template(n: usize) -> (PathPattern, String) {
    let text = format!("/api/service-{n}/items/{{id}}");
    (PathPattern::template(&text).expect("the text must be a template"), format!("/api/service-{n}/items/42"))
}

/// A cluster as they are: mostly prefixes, some exact paths and templates.
fn mixed(n: usize) -> (PathPattern, String) {
    match n % 10 {
        0 | 1 => exact(n),
        2 | 3 => template(n),
        _ => prefix(n),
    }
}

/// A table, and the host and path of one request per look-up, in no order.
struct Warm {
    table: Table<usize>,
    requests: Vec<(String, String)>,
}

impl Warm {
    /// `per_host` routes share each host.
    fn new(routes: usize, per_host: usize, route: Route) -> Self {
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
        Self { table: Table::build(entries), requests }
    }

    fn bench(&self, bencher: Bencher<'_, '_>) {
        let headers = HeaderMap::new();
        bencher.counter(ItemsCount::new(LOOKUPS)).bench(|| {
            for (host, path) in &self.requests {
                let request = RequestView { host, path, method: &Method::GET, headers: &headers, query: None };
                match black_box(&self.table).find(&request) {
                    Outcome::Found(found) => black_box(*found.payload),
                    other => panic!("{other:?}"),
                };
            }
        });
    }
}

#[divan::bench(args = SIZES)]
fn find_mixed_one_host_for_ten(bencher: Bencher<'_, '_>, routes: usize) {
    Warm::new(routes, 10, mixed).bench(bencher);
}

#[divan::bench(args = SIZES)]
fn find_mixed_one_host(bencher: Bencher<'_, '_>, routes: usize) {
    Warm::new(routes, usize::MAX, mixed).bench(bencher);
}

#[divan::bench(args = SIZES)]
fn find_exact(bencher: Bencher<'_, '_>, routes: usize) {
    Warm::new(routes, 1, exact).bench(bencher);
}

#[divan::bench(args = SIZES)]
fn find_prefix(bencher: Bencher<'_, '_>, routes: usize) {
    Warm::new(routes, usize::MAX, prefix).bench(bencher);
}

#[divan::bench(args = SIZES)]
fn find_template(bencher: Bencher<'_, '_>, routes: usize) {
    Warm::new(routes, usize::MAX, template).bench(bencher);
}

#[divan::bench(args = ["/", "/api/service-42/items/7", "/%e4%bd%a0//%7euser"])]
fn normalise_path(bencher: Bencher<'_, '_>, path: &str) {
    bencher.bench(|| black_box(normalise(black_box(path))));
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn build(bencher: Bencher<'_, '_>, routes: usize) {
    let warm = Warm::new(routes, 10, mixed);
    bencher.with_inputs(|| warm.table.entries().to_vec()).bench_values(Table::build);
}
