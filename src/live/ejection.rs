//! The ejection of one endpoint: its errors in a row, and how long it stays out.
//!
//! Limits are told with each call, so a change of them holds at once and loses no state.

use super::moment::Moment;
use crate::model::health::OutlierPolicy;
use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

/// Set in the errors of an endpoint that was ejected, until it answers again.
const LEFT: u32 = 1 << 31;

/// The longest time that an endpoint stays out, unless its policy's first time is longer.
const LONGEST: Duration = Duration::from_secs(300);

/// What is known of an endpoint's errors; it is not ejected at first.
#[derive(Debug, Default)]
pub struct Ejection {
    errors: AtomicU32,
    /// In nanoseconds.
    until: AtomicU64,
    /// How many times it was ejected, less one for each time that it was in as long as it would
    /// have been out.
    times: AtomicU32,
}

impl Ejection {
    /// Whether it is out at a moment.
    #[must_use]
    pub fn is_out(&self, now: Moment) -> bool {
        self.until.load(Ordering::Relaxed) > now.nanos()
    }

    /// Forgets the errors in a row. True for the first success after it was out.
    pub fn succeed(&self, now: Moment) -> bool {
        // What was under way when it was ejected tells nothing new.
        if self.errors.load(Ordering::Relaxed) == 0 || self.is_out(now) {
            return false;
        }
        self.errors.swap(0, Ordering::Relaxed) & LEFT != 0
    }

    /// Counts errors anew, where there is no place for one more that is out.
    pub fn spare(&self) {
        self.errors.fetch_and(LEFT, Ordering::Relaxed);
    }

    /// Counts an error; true when there have been so many in a row that it should be ejected. What
    /// was under way when it was ejected tells nothing new.
    #[must_use]
    pub fn fail(&self, policy: &OutlierPolicy, now: Moment) -> bool {
        !self.is_out(now)
            && (self.errors.fetch_add(1, Ordering::Relaxed) & !LEFT) + 1 >= policy.consecutive_errors.into()
    }

    /// Ejects it, and returns for how long. One call at a time.
    pub fn eject(&self, policy: &OutlierPolicy, now: Moment) -> Duration {
        let first = policy.ejection_time;
        let times = self.times(first, now).saturating_add(1);
        let time = first.saturating_mul(times).min(LONGEST.max(first));
        self.times.store(times, Ordering::Relaxed);
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.until.store(now.nanos().saturating_add(nanos), Ordering::Relaxed);
        self.errors.store(LEFT, Ordering::Relaxed);
        time
    }

    /// How many of the times before still count.
    fn times(&self, first: Duration, now: Moment) -> u32 {
        let until = Moment::after(Duration::from_nanos(self.until.load(Ordering::Relaxed)));
        let forgiven = now.since(until).as_nanos().checked_div(first.as_nanos()).unwrap_or_default();
        self.times.load(Ordering::Relaxed).saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: OutlierPolicy = OutlierPolicy {
        consecutive_errors: 3,
        ejection_time: Duration::from_secs(30),
        max_ejection_percent: 50,
        count_connect_failures: true,
        count_server_errors: true,
        count_timeouts: true,
    };

    fn at(seconds: u64) -> Moment {
        Moment::after(Duration::from_secs(1_000 + seconds))
    }

    #[test]
    fn only_errors_in_a_row_eject() {
        let ejection = Ejection::default();
        let failed: Vec<_> = (0..3).map(|_| ejection.fail(&POLICY, at(0))).collect();
        assert_eq!(failed, [false, false, true]);
        assert!(!ejection.succeed(at(0)), "it was never out");
        let failed: Vec<_> = (0..3).map(|_| ejection.fail(&POLICY, at(0))).collect();
        assert_eq!(failed, [false, false, true]);
    }

    #[test]
    fn it_stays_out_longer_each_time_and_never_too_long() {
        let (ejection, mut now, mut times) = (Ejection::default(), 0, Vec::new());
        for _ in 0..12 {
            let time = ejection.eject(&POLICY, at(now)).as_secs();
            assert!(ejection.is_out(at(now + time - 1)) && !ejection.is_out(at(now + time)));
            now += time;
            times.push(time);
        }
        assert_eq!(times, [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]);
    }

    #[test]
    fn good_times_are_forgiving() {
        let ejection = Ejection::default();
        assert_eq!(ejection.eject(&POLICY, at(0)).as_secs(), 30);
        assert_eq!(ejection.eject(&POLICY, at(30)).as_secs(), 60, "it failed again at once");
        assert_eq!(ejection.eject(&POLICY, at(90 + 59)).as_secs(), 60, "one of two is forgiven");
        assert_eq!(ejection.eject(&POLICY, at(10_000)).as_secs(), 30, "all are");
    }

    #[test]
    fn what_ends_while_it_is_out_counts_for_nothing() {
        let ejection = Ejection::default();
        ejection.eject(&POLICY, at(0));
        assert!((0..10).all(|_| !ejection.fail(&POLICY, at(29))));
        let failed: Vec<_> = (0..3).map(|_| ejection.fail(&POLICY, at(30))).collect();
        assert_eq!(failed, [false, false, true], "it has a new start");
    }

    #[test]
    fn the_first_success_after_it_was_out_is_told() {
        let ejection = Ejection::default();
        ejection.eject(&POLICY, at(0));
        let told: Vec<_> = [29, 30, 31].map(|now| ejection.succeed(at(now))).into();
        assert_eq!(told, [false, true, false]);
        ejection.eject(&POLICY, at(40));
        assert!(!ejection.fail(&POLICY, at(200)));
        ejection.spare();
        assert!(ejection.succeed(at(201)), "an error in between does not hide it");
    }

    #[test]
    fn a_first_time_beyond_the_longest_holds() {
        let policy = OutlierPolicy { ejection_time: Duration::from_secs(400), ..POLICY };
        let ejection = Ejection::default();
        assert_eq!([0, 400].map(|now| ejection.eject(&policy, at(now)).as_secs()), [400, 400]);
    }
}
