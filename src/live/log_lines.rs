//! How many lines about endpoints are logged: no more than people can read.

use super::{bucket::Bucket, moment::Moment};
use crate::model::upstream::TokenBucket;
use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
};

/// Lines a second, and at once.
const LIMIT: TokenBucket = TokenBucket { rate: NonZeroU32::MIN, peak: NonZeroU32::new(20).expect("20 must not be 0") };

/// The lines that one writer may log.
#[derive(Debug, Default)]
pub struct LogLines {
    bucket: Bucket,
    /// Lines that were left out since the last one.
    left_out: AtomicU64,
}

impl LogLines {
    /// Whether one more line may be logged. How many were left out before it is logged here.
    #[must_use]
    pub fn take(&self, now: Moment) -> bool {
        let left_out = self.count(now);
        if let Some(lines @ 1..) = left_out {
            tracing::warn!(lines, "lines about endpoints were left out");
        }
        left_out.is_some()
    }

    /// How many lines were left out before this one; `None` where it is left out too.
    fn count(&self, now: Moment) -> Option<u64> {
        if self.bucket.take(LIMIT, now).is_ok() {
            return Some(self.left_out.swap(0, Ordering::Relaxed));
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_left_out_is_counted() {
        let (lines, at) = (LogLines::default(), |seconds: u64| Moment::after(Duration::from_secs(100 + seconds)));
        let logged = (0..50).filter(|_| lines.count(at(0)) == Some(0)).count();
        assert_eq!(logged, 20);
        assert_eq!([lines.count(at(1)), lines.count(at(1)), lines.count(at(2))], [Some(30), None, Some(1)]);
    }
}
