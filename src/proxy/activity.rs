//! What the requests of a connection are doing, for the connection's time-outs.

use std::{cell::Cell, rc::Rc};

/// What the requests of a connection are doing, for its time-outs.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    running: Cell<u32>,
    begun: Cell<u64>,
    stalled: Cell<bool>,
}

/// A request that has not ended. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Busy(Rc<Activity>);

impl Activity {
    /// Begins a request.
    pub(crate) fn begin(self: &Rc<Self>) -> Busy {
        self.running.set(self.running.get() + 1);
        self.begun.set(self.begun.get() + 1);
        Busy(Rc::clone(self))
    }

    /// How many requests have not ended.
    pub(crate) fn running(&self) -> u32 {
        self.running.get()
    }

    /// How many requests there have been.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.get()
    }

    /// The connection ends because its client takes nothing.
    pub(crate) fn stall(&self) {
        self.stalled.set(true);
    }
}

impl Busy {
    /// Whether the request ends because its client takes nothing.
    pub(crate) fn client_has_stalled(&self) -> bool {
        self.0.stalled.get()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.running.set(self.0.running.get() - 1);
    }
}
