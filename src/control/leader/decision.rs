//! What to do about a Lease: a pure function of what was seen, and when.

use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// What a Lease says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Who holds it. Empty: nobody.
    pub(super) holder: Arc<str>,
    /// For how long after a change others must leave it alone.
    pub(super) duration: Duration,
    /// Changes with every write.
    pub(super) version: Arc<str>,
    /// How often the holder changed.
    pub(super) transitions: i32,
}

/// The Lease as last seen, and when it was first seen so by our own clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Observation {
    seen: Option<(Record, Instant)>,
}

/// The next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There is no Lease: make one.
    Create,
    /// It is free, expired or ours: write it, with this number of transitions.
    Take {
        /// Whether we hold it already.
        renewal: bool,
        /// The number to write.
        transitions: i32,
    },
    /// Somebody else holds it.
    Wait,
}

impl Observation {
    /// Notes what was read. The time counts from the first sight of each version.
    pub(super) fn note(&mut self, record: Option<Record>, now: Instant) {
        match (&self.seen, record) {
            (Some((old, _)), Some(new)) if *old == new => {}
            (_, new) => self.seen = new.map(|record| (record, now)),
        }
    }

    /// The version to write over, if there is a Lease.
    pub(super) fn version(&self) -> Option<Arc<str>> {
        self.seen.as_ref().map(|(record, _)| Arc::clone(&record.version))
    }

    /// Who holds it, as last seen.
    pub(super) fn holder(&self) -> &str {
        self.seen.as_ref().map_or("", |(record, _)| &record.holder)
    }

    /// What `identity` does now.
    pub(super) fn step(&self, identity: &str, now: Instant) -> Step {
        let Some((record, since)) = &self.seen else { return Step::Create };
        if *record.holder == *identity {
            return Step::Take { renewal: true, transitions: record.transitions };
        }
        if !record.holder.is_empty() && now < *since + record.duration {
            return Step::Wait;
        }
        Step::Take { renewal: false, transitions: record.transitions.saturating_add(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(holder: &str, version: &str) -> Record {
        Record { holder: holder.into(), duration: Duration::from_secs(15), version: version.into(), transitions: 4 }
    }

    fn after(seconds: u64, start: Instant) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn no_lease_is_created_and_a_free_one_is_taken_at_once() {
        let now = Instant::now();
        let mut seen = Observation::default();
        assert_eq!(seen.step("me", now), Step::Create);
        seen.note(Some(record("", "1")), now);
        assert_eq!(seen.step("me", now), Step::Take { renewal: false, transitions: 5 });
    }

    #[test]
    fn another_holder_is_left_alone_until_its_lease_was_unchanged_for_its_duration() {
        let start = Instant::now();
        let mut seen = Observation::default();
        seen.note(Some(record("other", "1")), start);
        seen.note(Some(record("other", "1")), after(14, start));
        assert_eq!(seen.step("me", after(14, start)), Step::Wait);
        assert_eq!(seen.step("me", after(15, start)), Step::Take { renewal: false, transitions: 5 });
        seen.note(Some(record("other", "2")), after(15, start));
        assert_eq!(seen.step("me", after(29, start)), Step::Wait);
    }

    #[test]
    fn our_own_lease_is_renewed_without_a_transition() {
        let now = Instant::now();
        let mut seen = Observation::default();
        seen.note(Some(record("me", "1")), now);
        assert_eq!(seen.step("me", after(100, now)), Step::Take { renewal: true, transitions: 4 });
    }

    #[test]
    fn a_deleted_lease_is_created_again() {
        let now = Instant::now();
        let mut seen = Observation::default();
        seen.note(Some(record("other", "1")), now);
        seen.note(None, now);
        assert_eq!(seen.step("me", now), Step::Create);
    }
}
