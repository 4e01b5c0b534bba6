//! What keyed buckets let pass, alone, together and beyond their memory.

use super::*;
use std::num::NonZeroU32;

fn pace(rate: u32, seconds: u64, burst: u32) -> Pace {
    let positive = |number| NonZeroU32::new(number).unwrap();
    Pace::new(positive(rate), Duration::from_secs(seconds), positive(burst))
}

fn at(seconds: f64) -> Moment {
    Moment::after(Duration::from_secs(100) + Duration::from_secs_f64(seconds))
}

fn passed(buckets: &Buckets, key: Key, pace: Pace, now: Moment, tries: usize) -> usize {
    (0..tries).filter(|_| buckets.take(key, pace, now).refused.is_none()).count()
}

#[test]
fn each_key_has_a_bucket_of_its_own() {
    let (buckets, pace) = (Buckets::new(64), pace(2, 1, 5));
    let (one, two) = (buckets.key("one"), buckets.key("two"));
    assert_eq!(passed(&buckets, one, pace, at(0.0), 20), 5);
    assert_eq!(passed(&buckets, two, pace, at(0.0), 20), 5);
    assert_eq!(passed(&buckets, one, pace, at(1.0), 20), 2);
    assert_eq!(passed(&buckets, two, pace, at(60.0), 20), 5);
}

#[test]
fn it_tells_what_is_left_and_how_long_to_wait() {
    let (buckets, pace) = (Buckets::new(8), pace(60, 60, 2));
    let key = buckets.key(1);
    let told = |taken: Taken| (taken.left, taken.full_in.as_millis(), taken.refused.map(|wait| wait.as_millis()));
    assert_eq!(told(buckets.take(key, pace, at(0.0))), (1, 1000, None));
    assert_eq!(told(buckets.take(key, pace, at(0.5))), (0, 1500, None));
    assert_eq!(told(buckets.take(key, pace, at(0.75))), (0, 1250, Some(250)));
    assert_eq!(told(buckets.take(key, pace, at(1.0))), (0, 2000, None));
}

#[test]
fn a_token_that_is_given_back_can_be_taken_again() {
    let (buckets, pace) = (Buckets::new(8), pace(1, 60, 3));
    let key = buckets.key(1);
    assert_eq!(passed(&buckets, key, pace, at(0.0), 9), 3);
    buckets.give_back(key, pace);
    assert_eq!(passed(&buckets, key, pace, at(0.0), 9), 1);
    buckets.give_back(buckets.key(2), pace);
    assert_eq!(passed(&buckets, key, pace, at(0.0), 9), 0, "a key without a place has nothing to give back");
}

#[test]
fn a_million_keys_fit_into_the_same_memory_and_displace_idle_ones_first() {
    let (buckets, pace) = (Buckets::new(1 << 14), pace(1, 1, 1));
    let mut displaced = 0;
    for number in 0..1_000_000_u32 {
        // A key is idle after a second, in which 4096 others come: a quarter of the places.
        let taken = buckets.take(buckets.key(number), pace, at(f64::from(number) / 4096.0));
        assert_eq!(taken.refused, None);
        displaced += u32::from(taken.displaced);
    }
    assert_eq!(buckets.sets.get().unwrap().len() * size_of::<Set>(), (1 << 14) * 16);
    assert!(displaced < 5_000, "{displaced} keys lost a bucket in use");
}

#[test]
fn a_key_with_a_long_debt_outlasts_a_flood_of_short_ones() {
    let buckets = Buckets::new(64);
    let (daily, short) = (pace(3, 86_400, 3), pace(1000, 1, 1000));
    let key = buckets.key("daily");
    assert_eq!(passed(&buckets, key, daily, at(0.0), 9), 3);
    for number in 0..100_000 {
        let _ = buckets.take(buckets.key(number), short, at(f64::from(number) / 1e6));
    }
    assert_eq!(passed(&buckets, key, daily, at(1.0), 9), 0);
}

#[test]
fn many_threads_take_no_more_than_there_is() {
    let (buckets, pace) = (Buckets::new(1 << 10), pace(1, 86_400, 500));
    let key = buckets.key("shared");
    let total: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| passed(&buckets, key, pace, at(0.0), 1000))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    // The first take of the key is the one moment at which two threads may see different places.
    assert_eq!(total, 500);
}

#[test]
fn threads_that_fight_for_places_let_little_more_pass() {
    let (buckets, pace) = (Buckets::new(1 << 12), pace(1, 86_400, 10));
    let total: usize = std::thread::scope(|scope| {
        let work =
            || (0..20_000).filter(|n| buckets.take(buckets.key(n % 100), pace, at(0.0)).refused.is_none()).count();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!((1000..=1004).contains(&total), "{total}");
}
