//! A token bucket in one atomic number.
//!
//! Kept is the moment at which the bucket is full again (the generic cell rate algorithm, ITU-T
//! I.371): a token taken moves it by the time that a token needs. Rate and size are told with each
//! token, so a change of them holds at once.

use super::moment::Moment;
use crate::model::upstream::TokenBucket;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

const SECOND: u64 = 1_000_000_000;

/// The token bucket of one endpoint, full at first.
#[derive(Debug, Default)]
pub struct Bucket {
    full_at: AtomicU64,
}

impl Bucket {
    /// Takes a token.
    ///
    /// # Errors
    /// When there is none: how long until there is one.
    pub fn take(&self, bucket: TokenBucket, now: Moment) -> Result<(), Duration> {
        let per_token = SECOND / u64::from(bucket.rate.get());
        let from_empty = per_token * u64::from(bucket.peak.get());
        let Level { wait, .. } = take(&self.full_at, per_token, from_empty, now.nanos());
        if wait == 0 { Ok(()) } else { Err(Duration::from_nanos(wait)) }
    }
}

/// A bucket after a token was asked for, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level {
    /// How long until it is full.
    pub(super) full_in: u64,
    /// How long until there is a token; 0 when one was taken.
    pub(super) wait: u64,
}

/// Takes a token of a bucket that is full at a moment. A bucket that was larger or slower until now
/// is no more than empty.
pub(super) fn take(full_at: &AtomicU64, per_token: u64, from_empty: u64, now: u64) -> Level {
    let mut seen = full_at.load(Ordering::Relaxed);
    let latest = now.saturating_add(from_empty);
    loop {
        let before = seen.clamp(now, latest);
        let wait = before.saturating_add(per_token).saturating_sub(latest);
        let after = if wait == 0 { before + per_token } else { before };
        let level = Level { full_in: after - now, wait };
        // Many refusals must not make the cores write to one line of the cache.
        if after == seen {
            return level;
        }
        match full_at.compare_exchange_weak(seen, after, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return level,
            Err(other) => seen = other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    fn bucket(rate: u32, peak: u32) -> TokenBucket {
        TokenBucket { rate: NonZeroU32::new(rate).unwrap(), peak: NonZeroU32::new(peak).unwrap() }
    }

    fn at(seconds: f64) -> Moment {
        Moment::after(Duration::from_secs(100) + Duration::from_secs_f64(seconds))
    }

    fn taken(bucket: &Bucket, policy: TokenBucket, now: Moment, tries: usize) -> usize {
        (0..tries).filter(|_| bucket.take(policy, now).is_ok()).count()
    }

    #[test]
    fn it_starts_full_and_fills_at_its_rate() {
        let (cell, policy) = (Bucket::default(), bucket(5, 10));
        assert_eq!(taken(&cell, policy, at(0.0), 30), 10);
        assert_eq!(taken(&cell, policy, at(1.0), 30), 5);
        assert_eq!(taken(&cell, policy, at(1.19), 30), 0);
        assert_eq!(taken(&cell, policy, at(1.2), 30), 1);
        assert_eq!(taken(&cell, policy, at(60.0), 30), 10, "it never holds more than its peak");
    }

    #[test]
    fn an_empty_one_says_how_long_to_wait() {
        let (cell, policy) = (Bucket::default(), bucket(4, 1));
        assert_eq!(cell.take(policy, at(0.0)), Ok(()));
        assert_eq!(cell.take(policy, at(0.1)), Err(Duration::from_millis(150)));
        assert_eq!(cell.take(policy, at(0.25)), Ok(()));
    }

    #[test]
    fn a_change_of_rate_and_size_holds_at_once() {
        let cell = Bucket::default();
        assert_eq!(taken(&cell, bucket(1, 1000), at(0.0), 2000), 1000);
        assert_eq!(taken(&cell, bucket(10, 10), at(0.1), 30), 0);
        assert_eq!(taken(&cell, bucket(10, 10), at(1.1), 30), 10, "a thousand seconds of debt are forgotten");
    }

    #[test]
    fn many_threads_take_no_more_than_there_is() {
        let (cell, policy) = (Bucket::default(), bucket(1, 500));
        let total: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| taken(&cell, policy, at(0.0), 1000))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(total, 500);
    }
}
