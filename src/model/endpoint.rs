//! Endpoints: the addresses behind an upstream, their live state, and the cell that holds the
//! newest set.
//!
//! Sets are replaced by one writer and read by every core. An endpoint that stays keeps its `Arc`,
//! so that its counters survive a change of its neighbours.

use arc_swap::{ArcSwap, Guard};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// What an EndpointSlice says of an endpoint's readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conditions {
    /// Takes new requests.
    pub ready: bool,
    /// Answers requests, though perhaps shutting down.
    pub serving: bool,
    /// Shutting down.
    pub terminating: bool,
}

/// What an endpoint speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EndpointProtocol {
    /// HTTP/1.1.
    #[default]
    Http1,
}

/// The facts about an endpoint, as its source gave them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointFacts {
    /// Where it listens.
    pub address: SocketAddr,
    /// What stands behind the address (a Pod's UID, or a name): another identity at the same
    /// address is another endpoint. Empty where the source names none.
    pub identity: Arc<str>,
    /// Its share relative to its neighbours. Default 1.
    pub weight: u32,
    /// The zone it runs in, empty where unknown.
    pub zone: Arc<str>,
    /// Its readiness.
    pub conditions: Conditions,
    /// What it speaks.
    pub protocol: EndpointProtocol,
    /// Metadata for the handlers that use it.
    pub metadata: Arc<BTreeMap<String, String>>,
}

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
