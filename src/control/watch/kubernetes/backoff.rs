//! Delays between retries: they double up to a limit, with jitter, and forget after a quiet time.

use std::time::Duration;
use tokio::time::Instant;

/// The delays of one thing that is retried.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    limit: Duration,
    failures: u32,
    last: Option<Instant>,
}

/// A failure this long after the one before starts from the first delay again.
const FORGET_AFTER: Duration = Duration::from_secs(30);

impl Backoff {
    /// Delays from about `first` to about `limit`.
    pub(crate) const fn new(first: Duration, limit: Duration) -> Self {
        Self { first, limit, failures: 0, last: None }
    }

    /// The delay after one more failure: between half and all of the doubled value.
    pub(crate) fn next_delay(&mut self) -> Duration {
        let now = Instant::now();
        if self.last.is_some_and(|last| now.duration_since(last) > FORGET_AFTER + self.limit) {
            self.failures = 0;
        }
        self.last = Some(now);
        let full = self.first.saturating_mul(1 << self.failures.min(16)).min(self.limit);
        self.failures = self.failures.saturating_add(1);
        full.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// Starts from the first delay again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Another limit from now on.
    pub(crate) fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn delays_double_up_to_the_limit_and_start_again_after_a_quiet_time() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        for full in [100, 200, 400, 800, 1000, 1000] {
            let delay = backoff.next_delay();
            assert!(delay >= Duration::from_millis(full / 2) && delay <= Duration::from_millis(full), "{delay:?}");
        }
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(backoff.next_delay() <= Duration::from_millis(100));
    }
}
