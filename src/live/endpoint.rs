//! One endpoint as it runs: the facts about it, and the state that all cores share.
//!
//! An endpoint that stays keeps its state, so that its counters survive a change of its facts and
//! of its neighbours.

use crate::model::endpoint::EndpointFacts;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// An endpoint and its live state, shared by all cores.
#[derive(Debug)]
pub struct Endpoint {
    /// What the source said.
    pub facts: EndpointFacts,
    state: Arc<State>,
}

/// What outlives a change of the facts.
#[derive(Debug, Default)]
struct State {
    in_flight: AtomicUsize,
    removed: AtomicBool,
}

impl Endpoint {
    /// An endpoint without history.
    #[must_use]
    pub fn new(facts: EndpointFacts) -> Self {
        Self { facts, state: Arc::default() }
    }

    /// The same endpoint with other facts: its counters and connections go on.
    #[must_use]
    pub fn with_facts(&self, facts: EndpointFacts) -> Self {
        Self { facts, state: Arc::clone(&self.state) }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.facts.address
    }

    /// The counter of requests that it serves at the moment.
    #[must_use]
    pub fn in_flight(&self) -> &AtomicUsize {
        &self.state.in_flight
    }

    /// Says that it is gone: pooled connections to it must not be used again.
    pub fn mark_removed(&self) {
        self.state.removed.store(true, Ordering::Release);
    }

    /// Whether it is gone.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        self.state.removed.load(Ordering::Acquire)
    }
}
