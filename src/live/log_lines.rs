//! How many lines about endpoints are logged: no more than people can read.

use super::{bucket::Bucket, moment::Moment};
use crate::model::upstream::TokenBucket;
use std::num::NonZeroU32;

/// Lines a second, and at once.
const LIMIT: TokenBucket = TokenBucket { rate: NonZeroU32::MIN, peak: NonZeroU32::new(20).expect("20 must not be 0") };

/// The lines that one writer may log.
#[derive(Debug, Default)]
pub struct LogLines(Bucket);

impl LogLines {
    /// Whether one more line may be logged.
    #[must_use]
    pub fn take(&self, now: Moment) -> bool {
        self.0.take(LIMIT, now).is_ok()
    }
}
