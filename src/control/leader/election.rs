//! The loop that stands for election: look, take, renew, give back.

use super::{
    LEASE_SECONDS, RELEASE_TIMEOUT, RENEW_DEADLINE, RETRY_PERIOD,
    decision::{Observation, Record, Step},
    store::LeaseStore,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout, timeout_at},
};

/// One candidate.
pub(super) struct Election<S> {
    store: S,
    identity: Arc<str>,
    leading: watch::Sender<bool>,
    observed: Observation,
    /// When the Lease was last ours for sure: before that write was sent.
    renewed: Option<Instant>,
    told: Option<String>,
}

impl<S: LeaseStore> Election<S> {
    pub(super) fn new(store: S, identity: Arc<str>, leading: watch::Sender<bool>) -> Self {
        Self { store, identity, leading, observed: Observation::default(), renewed: None, told: None }
    }

    /// Stands for election until it is told to stop, then gives the Lease back.
    pub(super) async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        tokio::select! {
            () = self.stand() => {}
            // An error means that the owner is gone: that is a stop too.
            _ = stopped.wait_for(|stop| *stop) => {}
        }
        self.release().await;
    }

    async fn stand(&mut self) {
        loop {
            let began = Instant::now();
            // A try that hangs must not outlast our right to lead.
            let deadline = self.deadline().unwrap_or(began + RENEW_DEADLINE);
            let outcome = timeout_at(deadline, self.attempt(began)).await;
            match outcome.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
                Ok(()) => self.told = None,
                Err(error) => self.failed(error),
            }
            self.settle();
            let pause = RETRY_PERIOD.mul_f64(1.0 + if self.renewed.is_some() { 0.0 } else { fastrand::f64() / 5.0 });
            let next = began + pause;
            sleep_until(self.deadline().map_or(next, |deadline| next.min(deadline)).max(Instant::now())).await;
            self.settle();
        }
    }

    /// When we stop to lead unless the Lease is renewed before.
    fn deadline(&self) -> Option<Instant> {
        self.renewed.map(|renewed| renewed + RENEW_DEADLINE)
    }

    /// Reads and, if it may, writes the Lease.
    async fn attempt(&mut self, began: Instant) -> Result<(), String> {
        let record = self.store.read().await?;
        self.observed.note(record, Instant::now());
        let (transitions, renewal) = match self.observed.step(&self.identity, Instant::now()) {
            Step::Create => (0, false),
            Step::Take { renewal, transitions } => (transitions, renewal),
            Step::Wait => {
                self.renewed = None;
                return Ok(());
            }
        };
        let record = Self::record(&self.identity, LEASE_SECONDS, transitions);
        let written = self.store.write(record, self.observed.version(), !renewal).await?;
        self.observed.note(Some(written), Instant::now());
        self.renewed = Some(began);
        Ok(())
    }

    fn record(holder: &str, seconds: i32, transitions: i32) -> Record {
        let duration = Duration::from_secs(seconds.unsigned_abs().into());
        Record { holder: holder.into(), duration, version: Arc::default(), transitions }
    }

    /// Tells whether we lead.
    fn settle(&mut self) {
        if self.deadline().is_some_and(|deadline| Instant::now() >= deadline) {
            self.renewed = None;
        }
        let leads = self.renewed.is_some();
        let changed = self.leading.send_if_modified(|value| std::mem::replace(value, leads) != leads);
        if changed && leads {
            tracing::info!(identity = %self.identity, "leading: this replica writes status");
        } else if changed {
            tracing::warn!(holder = self.observed.holder(), "not leading any more: another replica writes status");
        }
    }

    fn failed(&mut self, error: String) {
        if self.told.as_ref() != Some(&error) {
            tracing::warn!("leader election: {error}; retrying");
            self.told = Some(error);
        }
    }

    /// Stops to lead, then frees the Lease for the next.
    async fn release(&mut self) {
        self.leading.send_replace(false);
        if self.renewed.take().is_none() {
            return;
        }
        let Step::Take { renewal: true, transitions } = self.observed.step(&self.identity, Instant::now()) else {
            return;
        };
        let write = self.store.write(Self::record("", 1, transitions), self.observed.version(), false);
        match timeout(RELEASE_TIMEOUT, write).await {
            Ok(Ok(_)) => tracing::info!("the Lease is given back"),
            Ok(Err(error)) => tracing::warn!("the Lease is not given back and expires by itself: {error}"),
            Err(_) => tracing::warn!("the Lease is not given back and expires by itself: no answer in time"),
        }
    }
}
