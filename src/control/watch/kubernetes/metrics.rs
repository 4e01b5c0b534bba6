//! Counters of the watches, one set per kind.

use crate::model::diagnostic::Kind;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the watches count. Shared by all of them; a collector reads it.
#[derive(Debug, Default)]
pub struct WatchMetrics {
    errors: [AtomicU64; Kind::ALL.len()],
    relists: [AtomicU64; Kind::ALL.len()],
}

impl WatchMetrics {
    /// Failed lists and watches of a kind since the start, each retry counted.
    #[must_use]
    pub fn errors(&self, kind: Kind) -> u64 {
        self.errors[kind as usize].load(Ordering::Relaxed)
    }

    /// Complete lists of a kind since the start, the first ones included.
    #[must_use]
    pub fn relists(&self, kind: Kind) -> u64 {
        self.relists[kind as usize].load(Ordering::Relaxed)
    }

    pub(super) fn count_error(&self, kind: Kind) {
        self.errors[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_relist(&self, kind: Kind) {
        self.relists[kind as usize].fetch_add(1, Ordering::Relaxed);
    }
}
