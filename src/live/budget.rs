//! The budget of retries of one upstream: a fifth of its requests, so that trying again never
//! multiplies the load on a Service that is in trouble.

use super::moment::Moment;
use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

/// What is counted together.
const WINDOW: Duration = Duration::from_secs(10);
/// One retry for so many requests.
const REQUESTS_PER_RETRY: usize = 5;
/// Retries in a window that are always allowed, so that a quiet Service has some at all.
const ALWAYS: usize = 100;

/// The budget of retries of one upstream.
#[derive(Debug, Default)]
pub struct Budget {
    /// When the window began, in nanoseconds.
    began: AtomicU64,
    /// How many requests there had been then.
    before: AtomicUsize,
    /// How many retries there were since.
    retries: AtomicUsize,
}

impl Budget {
    /// Takes a retry out of the budget, when there have been so many requests in all.
    #[must_use]
    pub fn take(&self, requests: usize, now: Moment) -> bool {
        let began = self.began.load(Ordering::Relaxed);
        let is_over = now.since(Moment::after(Duration::from_nanos(began))) >= WINDOW;
        if is_over && self.began.compare_exchange(began, now.nanos(), Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.before.store(requests, Ordering::Relaxed);
            self.retries.store(0, Ordering::Relaxed);
        }
        let in_window = requests.saturating_sub(self.before.load(Ordering::Relaxed));
        let allowed = ALWAYS.max(in_window / REQUESTS_PER_RETRY);
        self.retries.fetch_add(1, Ordering::Relaxed) < allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::after(Duration::from_secs(1_000 + seconds))
    }

    fn taken(budget: &Budget, requests: usize, seconds: u64) -> usize {
        (0..10_000).filter(|_| budget.take(requests, at(seconds))).count()
    }

    #[test]
    fn a_quiet_upstream_has_a_few_and_a_busy_one_a_fifth() {
        let budget = Budget::default();
        assert_eq!(taken(&budget, 7, 0), 100);
        assert_eq!(taken(&budget, 5_000, 9), 0, "these were spent in the same window");
        assert_eq!(taken(&budget, 5_000, 10), 100);
        assert!(budget.take(5_000, at(20)), "a window begins");
        assert_eq!(taken(&budget, 8_000, 21), 599);
    }
}
