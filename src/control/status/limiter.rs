//! The pace of writes: a steady rate with a burst, so that a storm of changes never floods the
//! API server.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// A virtual clock that runs ahead by one interval per write; it may lead by the burst.
#[derive(Debug)]
pub(super) struct Limiter {
    interval: Duration,
    burst: Duration,
    ahead: Mutex<Instant>,
}

impl Limiter {
    /// `rate` writes per second, `burst` of them at once.
    pub(super) fn new(rate: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / rate;
        Self { interval, burst: interval * burst, ahead: Mutex::new(Instant::now()) }
    }

    /// Waits until one more write is due.
    pub(super) async fn take(&self) {
        sleep_until(self.reserve(Instant::now())).await;
    }

    fn reserve(&self, now: Instant) -> Instant {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        *ahead = (*ahead).max(now) + self.interval;
        ahead.checked_sub(self.burst).map_or(now, |due| due.max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let limiter = Limiter::new(10, 5);
        let began = Instant::now();
        for _ in 0..5 {
            limiter.take().await;
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        for _ in 0..10 {
            limiter.take().await;
        }
        assert!(began.elapsed().abs_diff(Duration::from_secs(1)) < Duration::from_millis(20), "{:?}", began.elapsed());
    }
}
