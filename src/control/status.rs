//! The status writer: what became of each object, written where users look.
//!
//! Only the leader writes, and only what differs from what the API server has: every write is
//! preceded by a read of the object, so a new leader rewrites nothing. Writes are server-side
//! applies under one field manager, tied to the UID of the object that was translated.

mod desired;
mod event;
mod ledger;
mod limiter;
mod merge;
mod publish;
#[cfg(test)]
mod tests;
mod write;
mod writer;

pub use publish::{Publish, PublishAddress};

use super::report::ObjectReport;
use crate::lifecycle::vital::Vitals;
use kube::Client;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::{sync::watch, task::JoinHandle};

/// The field manager of every status that this gateway writes.
pub const FIELD_MANAGER: &str = "paifang-status";

/// What the writer counts. A collector reads it.
#[derive(Debug, Default)]
pub struct StatusMetrics {
    written: AtomicU64,
    failed: AtomicU64,
    skipped: AtomicU64,
}

impl StatusMetrics {
    /// Statuses written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Reads and writes that failed, each try counted.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Statuses that the API server had already, or whose object is gone.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }
}

/// What the writer works with.
pub struct StatusInputs {
    /// The report of every object of this gateway; the newest wins.
    pub reports: watch::Receiver<Arc<Vec<ObjectReport>>>,
    /// Whether this replica writes.
    pub leader: watch::Receiver<bool>,
    /// The addresses for the status of Ingresses.
    pub publish: Publish,
    /// The controller's name, for Events: a domain and a path.
    pub controller: String,
    /// The pod's name, for Events.
    pub pod_name: String,
    /// Where to count.
    pub metrics: Arc<StatusMetrics>,
}

impl std::fmt::Debug for StatusInputs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatusInputs").field("controller", &self.controller).finish_non_exhaustive()
    }
}

/// The running writer. Dropping it ends it.
#[derive(Debug)]
pub struct StatusWriter {
    task: JoinHandle<()>,
}

impl StatusWriter {
    /// Starts the writer on the current runtime. It ends when the sender of reports is dropped.
    #[must_use]
    pub fn start(client: &Client, inputs: StatusInputs, vitals: &Vitals) -> Self {
        let run = writer::Writer::new(client.clone(), inputs).run();
        Self { task: tokio::spawn(vitals.hold("the status writer", run)) }
    }

    /// Ends the writer and waits until it is gone. Statuses not written yet are left to the next
    /// leader.
    pub async fn stop(mut self) {
        self.task.abort();
        // Ended by the abort, or before it.
        let _ = (&mut self.task).await;
    }
}

impl Drop for StatusWriter {
    fn drop(&mut self) {
        self.task.abort();
    }
}
