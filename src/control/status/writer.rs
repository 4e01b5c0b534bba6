//! The loop of the writer: takes reports, starts writes, notes how they end.

use super::{
    StatusInputs,
    event::Reporter,
    ledger::{Job, Ledger},
    limiter::Limiter,
    write::{Outcome, Target},
};
use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use kube::Client;
use std::{collections::HashSet, future::pending, sync::Arc, sync::atomic::Ordering::Relaxed};
use tokio::time::{Instant, sleep_until};

/// Writes under way at once.
const CONCURRENCY: usize = 8;
/// Writes per second, and how many of them at once after a quiet time.
const PACE: (u32, u32) = (50, 100);

/// The writer and what is under way.
pub(super) struct Writer {
    inputs: StatusInputs,
    target: Target,
    ledger: Ledger,
    leads: bool,
    jobs: FuturesUnordered<BoxFuture<'static, (Job, Outcome)>>,
    logged: HashSet<String>,
}

impl Writer {
    pub(super) fn new(client: Client, inputs: StatusInputs) -> Self {
        let reporter = Reporter { controller: inputs.controller.clone(), instance: inputs.pod_name.clone() };
        let target = Target { client, reporter, limiter: Arc::new(Limiter::new(PACE.0, PACE.1)) };
        let (ledger, jobs) = (Ledger::default(), FuturesUnordered::new());
        Self { inputs, target, ledger, leads: false, jobs, logged: HashSet::new() }
    }

    /// Runs until the sender of reports or of leadership is gone.
    pub(super) async fn run(mut self) {
        self.lead();
        loop {
            let due = self.next_start();
            tokio::select! {
                reports = self.inputs.reports.changed() => match reports {
                    Ok(()) => self.want(),
                    Err(_) => return,
                },
                leader = self.inputs.leader.changed() => match leader {
                    Ok(()) => self.lead(),
                    Err(_) => return,
                },
                () = self.inputs.publish.changed() => self.want(),
                Some((job, outcome)) = self.jobs.next(), if !self.jobs.is_empty() => self.finish(job, outcome),
                () = until(due) => self.start_due(),
            }
        }
    }

    /// Begins or ends to write. Whoever loses the lead breaks off what is under way.
    fn lead(&mut self) {
        let leads = *self.inputs.leader.borrow_and_update();
        if leads == self.leads {
            return;
        }
        self.leads = leads;
        self.jobs.clear();
        self.ledger.clear();
        self.want();
    }

    fn want(&mut self) {
        let reports = Arc::clone(&self.inputs.reports.borrow_and_update());
        if self.leads {
            self.ledger.want(&reports, self.inputs.publish.addresses().as_ref(), Instant::now());
        }
    }

    fn next_start(&self) -> Option<Instant> {
        self.ledger.next_due().filter(|_| self.leads && self.jobs.len() < CONCURRENCY)
    }

    fn start_due(&mut self) {
        while self.jobs.len() < CONCURRENCY
            && let Some(job) = self.ledger.take_due(Instant::now())
        {
            let target = self.target.clone();
            self.jobs.push(Box::pin(async move {
                let outcome = target.write(&job).await;
                (job, outcome)
            }));
        }
    }

    fn finish(&mut self, job: Job, outcome: Outcome) {
        let metrics = &self.inputs.metrics;
        let succeeded = !matches!(outcome, Outcome::Failed(_));
        match outcome {
            Outcome::Written => metrics.written.fetch_add(1, Relaxed),
            Outcome::Skipped => metrics.skipped.fetch_add(1, Relaxed),
            Outcome::Failed(message) => {
                self.log_once(message);
                self.inputs.metrics.failed.fetch_add(1, Relaxed)
            }
        };
        self.ledger.finish(job, succeeded, Instant::now());
        if succeeded && self.ledger.next_due().is_none() && self.jobs.is_empty() {
            self.logged.clear();
        }
    }

    /// One line per distinct failure, until everything is written.
    fn log_once(&mut self, message: String) {
        if self.logged.len() < 100 && !self.logged.contains(&message) {
            tracing::warn!("status: {message}; retrying");
            self.logged.insert(message);
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}
