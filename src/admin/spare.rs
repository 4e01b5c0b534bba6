//! A descriptor in reserve, so that probes are answered when the process has no other left.

use rustix::{fd::OwnedFd, io::fcntl_dupfd_cloexec};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;

/// The reserve.
#[derive(Clone, Debug, Default)]
pub(super) struct Spare(Arc<Mutex<Option<OwnedFd>>>);

impl Spare {
    /// Takes a descriptor, if there is none in reserve and the process has one left.
    pub(super) fn fill(&self, listener: &TcpListener) {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.is_none() {
            *spare = fcntl_dupfd_cloexec(listener, 0).ok();
        }
    }

    /// Gives it up for whoever needs one next; false where there is none.
    pub(super) fn give_up(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }
}
