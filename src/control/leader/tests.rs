//! Elections over a Lease in memory, with a paused clock.

use super::{Leader, RENEW_DEADLINE, RETRY_PERIOD, decision::Record, store::LeaseStore};
use crate::lifecycle::vital::Vitals;
use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Answers,
    Fails,
    Hangs,
}

/// One Lease that several candidates share; each has its own way to it.
#[derive(Clone)]
struct Memory {
    lease: Arc<Mutex<Option<Record>>>,
    writes: Arc<Mutex<u32>>,
    mood: watch::Receiver<Mood>,
}

impl Memory {
    async fn answer(&self) -> Result<(), String> {
        let mood = *self.mood.borrow();
        match mood {
            Mood::Answers => Ok(()),
            Mood::Fails => Err("connection refused".to_owned()),
            Mood::Hangs => pending().await,
        }
    }
}

impl LeaseStore for Memory {
    async fn read(&self) -> Result<Option<Record>, String> {
        self.answer().await?;
        Ok(self.lease.lock().unwrap().clone())
    }

    async fn write(&self, new: Record, over: Option<Arc<str>>, _acquired: bool) -> Result<Record, String> {
        self.answer().await?;
        let mut lease = self.lease.lock().unwrap();
        if lease.as_ref().map(|record| &record.version) != over.as_ref() {
            return Err("conflict".to_owned());
        }
        let mut writes = self.writes.lock().unwrap();
        *writes += 1;
        let written = Record { version: writes.to_string().into(), ..new };
        *lease = Some(written.clone());
        Ok(written)
    }
}

struct Rig {
    memory: Memory,
}

impl Rig {
    fn new() -> Self {
        let (_, mood) = watch::channel(Mood::Answers);
        Self { memory: Memory { lease: Arc::default(), writes: Arc::default(), mood } }
    }

    fn candidate(&self, name: &str) -> (Leader, watch::Sender<Mood>) {
        let (sender, mood) = watch::channel(Mood::Answers);
        (Leader::start_with(Memory { mood, ..self.memory.clone() }, name.into(), &Vitals::new().0), sender)
    }

    fn holder(&self) -> String {
        self.memory.lease.lock().unwrap().as_ref().map(|record| record.holder.to_string()).unwrap_or_default()
    }
}

async fn until(leader: &Leader, leads: bool) -> Duration {
    let began = Instant::now();
    let mut receiver = leader.subscribe();
    timeout(Duration::from_secs(60), receiver.wait_for(|value| *value == leads)).await.unwrap().unwrap();
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn one_of_two_candidates_leads_and_stays() {
    let rig = Rig::new();
    let (first, _mood) = rig.candidate("first");
    until(&first, true).await;
    let (second, _other) = rig.candidate("second");
    sleep(Duration::from_secs(120)).await;
    assert!(*first.subscribe().borrow());
    assert!(!*second.subscribe().borrow());
    assert_eq!(rig.memory.lease.lock().unwrap().as_ref().unwrap().transitions, 0);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_leader_gives_the_lease_back_and_the_next_takes_it_at_once() {
    let rig = Rig::new();
    let (first, _mood) = rig.candidate("first");
    until(&first, true).await;
    let (second, _other) = rig.candidate("second");
    sleep(Duration::from_secs(1)).await;
    first.stop().await;
    assert_eq!(rig.holder(), "");
    assert!(until(&second, true).await <= RETRY_PERIOD.mul_f64(1.3));
}

async fn loses_in_time(mood: Mood) {
    let rig = Rig::new();
    let (first, first_mood) = rig.candidate("first");
    until(&first, true).await;
    let (second, _other) = rig.candidate("second");
    sleep(Duration::from_secs(9)).await;
    first_mood.send_replace(mood);
    let lost = until(&first, false).await;
    assert!(lost <= RENEW_DEADLINE, "{lost:?}");
    assert!(!*second.subscribe().borrow(), "two leaders at once");
    let taken = until(&second, true).await;
    // The other saw the last renewal up to one look late, and looks again up to one look after the
    // Lease has run out; our own deadline of ten seconds is over by then.
    let look = RETRY_PERIOD.mul_f64(1.3);
    assert!(taken <= Duration::from_secs(15) + 2 * look - RENEW_DEADLINE, "{taken:?}");
    first_mood.send_replace(Mood::Answers);
    sleep(Duration::from_secs(30)).await;
    assert!(!*first.subscribe().borrow());
    assert_eq!(rig.holder(), "second");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_stops_before_the_next_takes_over() {
    loses_in_time(Mood::Fails).await;
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_hangs_does_not_keep_a_leader_in_office() {
    loses_in_time(Mood::Hangs).await;
}

#[tokio::test(start_paused = true)]
async fn a_short_failure_changes_nothing() {
    let rig = Rig::new();
    let (first, mood) = rig.candidate("first");
    until(&first, true).await;
    let mut changes = first.subscribe();
    changes.mark_unchanged();
    mood.send_replace(Mood::Fails);
    sleep(Duration::from_secs(6)).await;
    mood.send_replace(Mood::Answers);
    sleep(Duration::from_secs(30)).await;
    assert!(!changes.has_changed().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_candidate_comes_in_once_the_api_server_is_back() {
    let rig = Rig::new();
    let (first, mood) = rig.candidate("first");
    mood.send_replace(Mood::Hangs);
    sleep(Duration::from_secs(300)).await;
    assert!(!*first.subscribe().borrow());
    mood.send_replace(Mood::Answers);
    assert!(until(&first, true).await <= RENEW_DEADLINE + RETRY_PERIOD.mul_f64(1.3));
}
