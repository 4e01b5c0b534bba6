//! What a limit that a replica counts alone costs a request: the look-up of its key and the token.
//! Run with `cargo bench --bench limits`. The goal is 100 ns and no allocation, however many keys
//! there are and however many cores ask.

use divan::{AllocProfiler, Bencher, black_box, counter::ItemsCount};
use paifang::{
    live::{buckets::Buckets, moment::Moment},
    model::limit::Pace,
};
use std::{num::NonZeroU32, time::Duration};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

/// As many places as the gateway has.
const PLACES: usize = 1 << 18;
/// How many requests one sample makes.
const REQUESTS: usize = 10_000;

fn main() {
    divan::main();
}

fn pace() -> Pace {
    let number = NonZeroU32::new(100).expect("the number must be positive");
    Pace::new(number, Duration::from_secs(1), number)
}

/// Requests of so many clients in turn, a microsecond apart, from a million requests on.
fn take(bencher: Bencher<'_, '_>, clients: usize) {
    let (buckets, pace) = (Buckets::new(PLACES), pace());
    let at = |number: usize| Moment::after(Duration::from_micros(u64::try_from(number).unwrap_or_default()));
    for number in 0..1_000_000 {
        let _ = buckets.take(buckets.key(("shop/cart/limit-1", number % clients)), pace, at(number));
    }
    bencher.counter(ItemsCount::new(REQUESTS)).bench(|| {
        for number in 0..REQUESTS {
            let key = buckets.key((black_box("shop/cart/limit-1"), number * 7919 % clients));
            black_box(buckets.take(key, pace, at(1_000_000 + number)));
        }
    });
}

#[divan::bench(args = [1, 1_000, 100_000, 1_000_000])]
fn one_core(bencher: Bencher<'_, '_>, clients: usize) {
    take(bencher, clients);
}

#[divan::bench(args = [1, 1_000, 100_000, 1_000_000], threads = 2)]
fn two_cores(bencher: Bencher<'_, '_>, clients: usize) {
    take(bencher, clients);
}
