//! What is to be written, and when. Pure but for the clock that callers pass in.

use super::{
    desired::{Desired, Difference},
    publish::PublishAddress,
};
use crate::{
    control::{report::ObjectReport, watch::kubernetes::Backoff},
    model::diagnostic::ObjectRef,
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// How long endpoint counts wait for more of their kind.
const ENDPOINTS_DELAY: Duration = Duration::from_secs(1);
/// Delays after a failure.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// A write to try.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) object: ObjectRef,
    pub(super) uid: Arc<str>,
    pub(super) desired: Desired,
    /// What this process last knew to be written.
    pub(super) settled: Option<Desired>,
}

#[derive(Debug)]
struct Entry {
    uid: Arc<str>,
    desired: Desired,
    settled: Option<Desired>,
    due: Option<Instant>,
    in_flight: bool,
    backoff: Backoff,
}

/// Every object with its wanted and its written status.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: HashMap<ObjectRef, Entry>,
    queue: BTreeSet<(Instant, ObjectRef)>,
}

impl Ledger {
    /// Takes the newest reports. Objects without one are forgotten.
    pub(super) fn want(&mut self, reports: &[ObjectReport], addresses: Option<&Arc<[PublishAddress]>>, now: Instant) {
        let reported: HashSet<&ObjectRef> = reports.iter().map(|report| &report.object).collect();
        self.entries.retain(|object, _| reported.contains(object));
        self.queue.retain(|(_, object)| reported.contains(object));
        for report in reports {
            self.want_one(report, Desired::of_report(report, addresses), now);
        }
    }

    fn want_one(&mut self, report: &ObjectReport, desired: Desired, now: Instant) {
        match self.entries.get_mut(&report.object) {
            // Settled, or queued already, maybe after a failure: a report that says nothing new
            // must not cut the delay short.
            Some(entry) if *entry.uid == *report.uid && entry.desired == desired => return,
            Some(entry) if *entry.uid == *report.uid => {
                entry.backoff.reset();
                entry.desired = desired;
            }
            _ => self.renew(report, desired),
        }
        self.schedule(&report.object, now);
    }

    /// An object that is new, or another one under the same name.
    fn renew(&mut self, report: &ObjectReport, desired: Desired) {
        self.unqueue(&report.object);
        let entry = Entry {
            uid: report.uid.as_str().into(),
            desired,
            settled: None,
            due: None,
            in_flight: false,
            backoff: Backoff::new(RETRY.0, RETRY.1),
        };
        self.entries.insert(report.object.clone(), entry);
    }

    /// Puts an object where it belongs in the queue.
    fn schedule(&mut self, object: &ObjectRef, now: Instant) {
        let Some(entry) = self.entries.get(object).filter(|entry| !entry.in_flight) else { return };
        let difference = entry.settled.as_ref().map_or(Difference::Content, |old| entry.desired.difference(old));
        let due = match difference {
            Difference::None => None,
            Difference::Endpoints => Some(entry.due.unwrap_or(now + ENDPOINTS_DELAY)),
            Difference::Content => Some(now),
        };
        self.queue_at(object, due);
    }

    fn queue_at(&mut self, object: &ObjectRef, due: Option<Instant>) {
        self.unqueue(object);
        if let Some((entry, due)) = self.entries.get_mut(object).zip(due) {
            entry.due = Some(due);
            self.queue.insert((due, object.clone()));
        }
    }

    fn unqueue(&mut self, object: &ObjectRef) {
        if let Some(due) = self.entries.get_mut(object).and_then(|entry| entry.due.take()) {
            self.queue.remove(&(due, object.clone()));
        }
    }

    /// When the next write is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.queue.first().map(|(due, _)| *due)
    }

    /// The next write that is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Job> {
        let object = self.queue.first().filter(|(due, _)| *due <= now)?.1.clone();
        self.unqueue(&object);
        let entry = self.entries.get_mut(&object)?;
        entry.in_flight = true;
        Some(Job {
            uid: Arc::clone(&entry.uid),
            desired: entry.desired.clone(),
            settled: entry.settled.clone(),
            object,
        })
    }

    /// Notes how a write ended.
    pub(super) fn finish(&mut self, job: Job, succeeded: bool, now: Instant) {
        let Some(entry) = self.entries.get_mut(&job.object).filter(|entry| entry.uid == job.uid) else { return };
        entry.in_flight = false;
        if succeeded {
            entry.backoff.reset();
            entry.settled = Some(job.desired);
            self.schedule(&job.object, now);
        } else {
            let due = now + entry.backoff.next_delay();
            self.queue_at(&job.object, Some(due));
        }
    }

    /// Forgets everything: somebody else writes, or did until now.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        control::report::ConditionReport,
        model::{
            condition::{ConditionType, Reason},
            diagnostic::Kind,
        },
    };

    fn report(uid: &str, generation: i64, ready: usize) -> ObjectReport {
        ObjectReport {
            object: ObjectRef::new(Kind::GatewayRoute, "shop", "one"),
            uid: uid.to_owned(),
            generation,
            conditions: vec![ConditionReport {
                type_: ConditionType::Accepted,
                holds: true,
                reason: Reason::Accepted,
                message: String::new(),
            }],
            endpoints: (ready, 3),
        }
    }

    fn settled(ledger: &mut Ledger, now: Instant) {
        let job = ledger.take_due(now).unwrap();
        ledger.finish(job, true, now);
    }

    #[test]
    fn the_same_report_again_is_not_written_again() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        ledger.want(&[report("u", 1, 2)], None, now);
        settled(&mut ledger, now);
        ledger.want(&[report("u", 1, 2)], None, now);
        assert_eq!(ledger.next_due(), None);
    }

    #[test]
    fn endpoint_counts_wait_one_second_from_the_first_change_and_only_the_last_is_written() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        ledger.want(&[report("u", 1, 2)], None, now);
        settled(&mut ledger, now);
        ledger.want(&[report("u", 1, 1)], None, now);
        ledger.want(&[report("u", 1, 3)], None, now + Duration::from_millis(900));
        assert_eq!(ledger.next_due(), Some(now + Duration::from_secs(1)));
        let job = ledger.take_due(now + Duration::from_secs(1)).unwrap();
        assert_eq!(job.desired.endpoints, Some((3, 3)));
    }

    #[test]
    fn a_new_generation_does_not_wait() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        ledger.want(&[report("u", 1, 2)], None, now);
        settled(&mut ledger, now);
        ledger.want(&[report("u", 1, 1)], None, now);
        ledger.want(&[report("u", 2, 1)], None, now);
        assert_eq!(ledger.next_due(), Some(now));
    }

    #[test]
    fn a_change_during_a_write_is_written_after_it_and_never_beside_it() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        ledger.want(&[report("u", 1, 2)], None, now);
        let job = ledger.take_due(now).unwrap();
        ledger.want(&[report("u", 2, 2)], None, now);
        assert!(ledger.take_due(now).is_none());
        ledger.finish(job, true, now);
        assert_eq!(ledger.take_due(now).unwrap().desired.generation, 2);
    }

    #[test]
    fn a_successor_under_the_same_name_is_another_object() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        ledger.want(&[report("old", 1, 2)], None, now);
        let job = ledger.take_due(now).unwrap();
        ledger.want(&[report("new", 1, 2)], None, now);
        ledger.finish(job, true, now);
        let job = ledger.take_due(now).unwrap();
        assert_eq!((&*job.uid, job.settled), ("new", None));
    }

    #[test]
    fn a_failure_is_tried_again_later_and_a_deleted_object_never() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        ledger.want(&[report("u", 1, 2)], None, now);
        let job = ledger.take_due(now).unwrap();
        ledger.finish(job, false, now);
        let due = ledger.next_due().unwrap();
        assert!(due > now && due <= now + RETRY.0, "{:?}", due - now);
        ledger.want(&[report("u", 1, 2)], None, now);
        assert_eq!(ledger.next_due(), Some(due));
        ledger.want(&[], None, now);
        assert_eq!(ledger.next_due(), None);
    }
}
