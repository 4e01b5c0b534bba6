//! Limits on the requests of a route: how many pass, of whom, and who counts them.

use http::{HeaderName, HeaderValue};
use std::{num::NonZeroU32, sync::Arc, time::Duration};

/// The most limits that a route has.
pub const MOST_LIMITS: usize = 8;

/// The longest that an empty bucket takes to fill. A larger bucket is cut to it.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// How fast a bucket fills and what it holds, in nanoseconds: the one measure of both that needs
/// no division for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pace {
    per_token: u64,
    from_empty: u64,
}

impl Pace {
    /// So many tokens in a period (at most a day), and a bucket of so many. The rate must be at
    /// most a million in a second, so that a token takes some time.
    #[must_use]
    pub fn new(rate: NonZeroU32, period: Duration, burst: NonZeroU32) -> Self {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let per_token = (nanos(period) / u64::from(rate.get())).max(1);
        Self { per_token, from_empty: per_token.saturating_mul(u64::from(burst.get())).min(nanos(LONGEST)) }
    }

    /// The time in which a token comes, in nanoseconds.
    #[must_use]
    pub const fn per_token(self) -> u64 {
        self.per_token
    }

    /// The time in which an empty bucket is full, in nanoseconds.
    #[must_use]
    pub const fn from_empty(self) -> u64 {
        self.from_empty
    }

    /// How many tokens a bucket holds that is full in so many nanoseconds.
    #[must_use]
    pub const fn left(self, full_in: u64) -> u64 {
        self.from_empty.saturating_sub(full_in) / self.per_token
    }
}

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LimitKey {
    /// All of the route.
    Route,
    /// Those of one client: an IPv4 address, or the first 64 bits of an IPv6 address.
    ClientAddress,
    /// Those with the same value in the first field of this name.
    Header(HeaderName),
    /// Those with the same text in this field of the path template.
    PathCapture(Arc<str>),
}

/// Who counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LimitScope {
    /// Each replica for itself.
    #[default]
    Replica,
    /// All replicas together, in the store that they share.
    Cluster,
}

/// One limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestLimit {
    /// Whose requests are counted together.
    pub key: LimitKey,
    /// How many pass.
    pub pace: Pace,
    /// Who counts.
    pub scope: LimitScope,
    /// `namespace/route/name`: the same on every replica, and as long as the limit keeps its name.
    pub id: Arc<str>,
    /// The start of its member in the field `RateLimit`, up to the number of requests left.
    pub member: Arc<str>,
}

/// The limits of a route; at most [`MOST_LIMITS`], and at least one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestLimits {
    /// The limits. A request takes from all of them or from none.
    pub limits: Box<[RequestLimit]>,
    /// The field `RateLimit-Policy`, ready to be written.
    pub policy: HeaderValue,
}

impl RequestLimits {
    /// Whether a limit is counted by all replicas together.
    #[must_use]
    pub fn are_shared(&self) -> bool {
        self.limits.iter().any(|limit| limit.scope == LimitScope::Cluster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(rate: u32, seconds: u64, burst: u32) -> Pace {
        let positive = |number| NonZeroU32::new(number).unwrap();
        Pace::new(positive(rate), Duration::from_secs(seconds), positive(burst))
    }

    #[test]
    fn what_is_left_follows_from_the_time_to_full() {
        let pace = pace(60, 60, 10);
        assert_eq!((pace.per_token(), pace.from_empty()), (1_000_000_000, 10_000_000_000));
        assert_eq!(
            [0, 1, 1_000_000_000, 9_500_000_000, 20_000_000_000].map(|full_in| pace.left(full_in)),
            [10, 9, 9, 0, 0]
        );
    }

    #[test]
    fn the_extremes_neither_divide_by_zero_nor_overflow() {
        assert_eq!(pace(1_000_000, 1, 1).per_token(), 1_000);
        assert_eq!(pace(1, 86_400, 1_000_000).from_empty(), u64::try_from(LONGEST.as_nanos()).unwrap());
        assert_eq!(pace(u32::MAX, 1, 1).per_token(), 1);
    }
}
