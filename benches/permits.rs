//! What the decisions about one request cost: which endpoint, whether it may go there, and all of
//! it after a look-up among 10 000 routes. Run with `cargo bench --features bench --bench permits`.
//! The goals are 30 ns for a pick, 30 ns more for the limit of the endpoint and for its breaker
//! each, and no allocation.

use divan::{AllocProfiler, Bencher, black_box, counter::ItemsCount};
use paifang::{
    live::{breaker::Breaker, bucket::Bucket, moment::Moment},
    model::upstream::{Balancing, BreakerPolicy, HashOn, Strategy, TokenBucket, UpstreamPolicy},
    proxy::Permits,
};
use std::{num::NonZeroU32, time::Duration};
use warm::{LOOKUPS, Warm, mixed};

mod warm;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

/// Endpoints of a Service.
const ENDPOINTS: [u16; 2] = [3, 100];

fn main() {
    divan::main();
}

/// Requests a microsecond apart.
fn at(number: usize) -> Moment {
    Moment::after(Duration::from_micros(u64::try_from(number).unwrap_or_default()))
}

fn limit() -> TokenBucket {
    let number = NonZeroU32::new(1_000_000).expect("the number must be positive");
    TokenBucket { rate: number, peak: number }
}

const BREAKER: BreakerPolicy = BreakerPolicy {
    max_failures: 5,
    half_open_max_requests: 1,
    open_timeout: Duration::from_secs(60),
    interval: Some(Duration::from_secs(60)),
    count_server_errors: true,
    count_timeouts: true,
};

fn policy(strategy: Strategy) -> UpstreamPolicy {
    UpstreamPolicy { balancing: Balancing { strategy, ..Balancing::default() }, ..UpstreamPolicy::default() }
}

fn take(bencher: Bencher<'_, '_>, policy: UpstreamPolicy, endpoints: u16) {
    let permits = Permits::new(policy, endpoints);
    bencher.counter(ItemsCount::new(LOOKUPS)).bench_local(|| {
        for number in 0..LOOKUPS {
            black_box(permits.take(number as u64 * 7919, at(number)));
        }
    });
}

#[divan::bench(args = ENDPOINTS)]
fn pick_round_robin(bencher: Bencher<'_, '_>, endpoints: u16) {
    take(bencher, policy(Strategy::RoundRobin), endpoints);
}

#[divan::bench(args = ENDPOINTS)]
fn pick_weighted_round_robin(bencher: Bencher<'_, '_>, endpoints: u16) {
    take(bencher, policy(Strategy::WeightedRoundRobin), endpoints);
}

#[divan::bench(args = ENDPOINTS)]
fn pick_random(bencher: Bencher<'_, '_>, endpoints: u16) {
    take(bencher, policy(Strategy::Random), endpoints);
}

#[divan::bench(args = ENDPOINTS)]
fn pick_weighted_random(bencher: Bencher<'_, '_>, endpoints: u16) {
    take(bencher, policy(Strategy::WeightedRandom), endpoints);
}

#[divan::bench(args = ENDPOINTS)]
fn pick_less_load(bencher: Bencher<'_, '_>, endpoints: u16) {
    take(bencher, policy(Strategy::LessLoad), endpoints);
}

#[divan::bench(args = ENDPOINTS)]
fn pick_hash(bencher: Bencher<'_, '_>, endpoints: u16) {
    take(bencher, policy(Strategy::Hash(HashOn::ClientAddress)), endpoints);
}

#[divan::bench]
fn limit_of_endpoint(bencher: Bencher<'_, '_>) {
    let (bucket, limit) = (Bucket::default(), limit());
    bencher.counter(ItemsCount::new(LOOKUPS)).bench_local(|| {
        for number in 0..LOOKUPS {
            let _ = black_box(bucket.take(black_box(limit), at(number)));
        }
    });
}

#[divan::bench]
fn breaker_asked(bencher: Bencher<'_, '_>) {
    let breaker = Breaker::default();
    bencher.counter(ItemsCount::new(LOOKUPS)).bench_local(|| {
        for number in 0..LOOKUPS {
            black_box(black_box(&breaker).admit(&BREAKER, at(number)));
        }
    });
}

#[divan::bench(args = ENDPOINTS)]
fn match_pick_limit_breaker(bencher: Bencher<'_, '_>, endpoints: u16) {
    let policy = UpstreamPolicy { limit: Some(limit()), breaker: Some(BREAKER), ..policy(Strategy::RoundRobin) };
    let (permits, warm) = (Permits::new(policy, endpoints), Warm::new(LOOKUPS, 10, mixed));
    bencher.counter(ItemsCount::new(LOOKUPS)).bench_local(|| {
        for (number, (host, path)) in warm.requests.iter().enumerate() {
            black_box(warm.find(host, path));
            black_box(permits.take(number as u64, at(number)));
        }
    });
}
