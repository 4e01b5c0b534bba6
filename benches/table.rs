//! The routing table: look-ups over warm tables, hits uniform over all routes, and paths made
//! canonical. Run with `cargo bench --bench table`. The goal is 150 ns and no allocation for a
//! look-up among 10 000 routes.

use divan::{AllocProfiler, Bencher, black_box, counter::ItemsCount};
use paifang::table::{Table, normalise};
use warm::{LOOKUPS, Warm, exact, mixed, prefix, template};

mod warm;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const SIZES: [usize; 3] = [1, 1_000, 10_000];

fn main() {
    divan::main();
}

fn find(bencher: Bencher<'_, '_>, warm: &Warm) {
    bencher.counter(ItemsCount::new(LOOKUPS)).bench(|| {
        for (host, path) in &warm.requests {
            black_box(warm.find(host, path));
        }
    });
}

#[divan::bench(args = SIZES)]
fn find_mixed_one_host_for_ten(bencher: Bencher<'_, '_>, routes: usize) {
    find(bencher, &Warm::new(routes, 10, mixed));
}

#[divan::bench(args = SIZES)]
fn find_mixed_one_host(bencher: Bencher<'_, '_>, routes: usize) {
    find(bencher, &Warm::new(routes, usize::MAX, mixed));
}

#[divan::bench(args = SIZES)]
fn find_exact(bencher: Bencher<'_, '_>, routes: usize) {
    find(bencher, &Warm::new(routes, 1, exact));
}

#[divan::bench(args = SIZES)]
fn find_prefix(bencher: Bencher<'_, '_>, routes: usize) {
    find(bencher, &Warm::new(routes, usize::MAX, prefix));
}

#[divan::bench(args = SIZES)]
fn find_template(bencher: Bencher<'_, '_>, routes: usize) {
    find(bencher, &Warm::new(routes, usize::MAX, template));
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
