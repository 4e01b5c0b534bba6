//! One endpoint as it runs: the facts about it, and the state that all cores share.
//!
//! An endpoint that stays keeps its state, so that its counters survive a change of its facts and
//! of its neighbours.

use super::{breaker::Breaker, bucket::Bucket, ejection::Ejection, moment::Moment, padded::Padded};
use crate::model::endpoint::EndpointFacts;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
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
    in_flight: Padded<AtomicUsize>,
    bucket: Bucket,
    breaker: Breaker,
    ejection: Ejection,
    /// What checks say of it.
    unhealthy: AtomicBool,
    /// In nanoseconds.
    ready_since: AtomicU64,
    removed: AtomicBool,
}

impl Endpoint {
    /// An endpoint without history.
    #[must_use]
    pub fn new(facts: EndpointFacts) -> Self {
        let endpoint = Self { facts, state: Arc::default() };
        endpoint.become_ready(Moment::of(Instant::now()));
        endpoint
    }

    /// The same endpoint with other facts: its counters and connections go on.
    #[must_use]
    pub fn with_facts(&self, facts: EndpointFacts) -> Self {
        let becomes_ready = facts.conditions.ready && !self.facts.conditions.ready;
        let endpoint = Self { facts, state: Arc::clone(&self.state) };
        if becomes_ready {
            endpoint.become_ready(Moment::of(Instant::now()));
        }
        endpoint
    }

    pub(crate) fn become_ready(&self, now: Moment) {
        self.state.ready_since.store(now.nanos(), Ordering::Relaxed);
    }

    /// When it became ready, or known.
    #[must_use]
    pub fn ready_since(&self) -> Moment {
        Moment::after(Duration::from_nanos(self.state.ready_since.load(Ordering::Relaxed)))
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.facts.address
    }

    /// The counter of requests that it serves at the moment.
    #[must_use]
    pub fn in_flight(&self) -> &AtomicUsize {
        &self.state.in_flight.0
    }

    /// Its tokens, where its upstream limits the rate.
    #[must_use]
    pub fn bucket(&self) -> &Bucket {
        &self.state.bucket
    }

    /// Its breaker, where its upstream has one.
    #[must_use]
    pub fn breaker(&self) -> &Breaker {
        &self.state.breaker
    }

    /// Its errors in a row, where its upstream ejects for them.
    #[must_use]
    pub fn ejection(&self) -> &Ejection {
        &self.state.ejection
    }

    /// Whether checks found it unhealthy. It is healthy until they did.
    #[must_use]
    pub fn is_unhealthy(&self) -> bool {
        self.state.unhealthy.load(Ordering::Relaxed)
    }

    /// Says what checks found. For the one that checks only.
    pub fn set_unhealthy(&self, unhealthy: bool) {
        self.state.unhealthy.store(unhealthy, Ordering::Relaxed);
    }

    /// Tells endpoints apart, whatever becomes of the facts about them.
    #[must_use]
    pub fn key(&self) -> usize {
        Arc::as_ptr(&self.state).addr()
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
