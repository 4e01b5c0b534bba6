//! Moments as numbers, so that atomics can hold them.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

/// Nanoseconds since the process began to count: enough for five centuries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Moment {
    /// The moment of an instant; instants before the first are the first.
    #[must_use]
    pub fn of(instant: Instant) -> Self {
        Self::after(instant.saturating_duration_since(*START))
    }

    /// A time after the first moment.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        Self(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Nanoseconds since the first moment.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// How long ago an earlier moment was.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}
