//! The cell that holds the newest endpoint set of an upstream. One writer replaces the set, every
//! core reads it.

use super::endpoint::Endpoint;
use arc_swap::{ArcSwap, Guard};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The endpoints of an upstream at one moment.
#[derive(Debug, Default)]
pub struct EndpointSet {
    /// Those that take new requests. When none is ready, those that still serve though
    /// terminating, so that a rollout never leaves a hole.
    pub eligible: Box<[Arc<Endpoint>]>,
    /// Every endpoint known, eligible or not.
    pub all: Box<[Arc<Endpoint>]>,
}

impl EndpointSet {
    /// How many endpoints are ready.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.all.iter().filter(|endpoint| endpoint.facts.conditions.ready).count()
    }
}

/// Holds the newest endpoint set of one upstream, and the turn counter of round robin.
#[derive(Debug, Default)]
pub struct EndpointCell {
    set: ArcSwap<EndpointSet>,
    turn: AtomicUsize,
}

impl EndpointCell {
    /// The newest set. Cheap, lock-free, for the request path.
    #[must_use]
    pub fn load(&self) -> Guard<Arc<EndpointSet>> {
        self.set.load()
    }

    /// Puts a new set in place. For the one writer only.
    pub fn store(&self, set: EndpointSet) {
        self.set.store(Arc::new(set));
    }

    /// The next turn of round robin.
    #[must_use]
    pub fn next_turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }
}
