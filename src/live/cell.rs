//! The cell that holds the newest endpoint set of an upstream. One writer replaces the set, every
//! core reads it.

use super::{budget::Budget, described::Described, endpoint::Endpoint, padded::Padded, picker::Picker};
use crate::model::{endpoint::ZoneHint, upstream::Strategy};
use arc_swap::{ArcSwap, Guard};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// The endpoints of an upstream at one moment.
#[derive(Debug, Default)]
pub struct EndpointSet {
    /// Those that take new requests. When none is ready, those that still serve though
    /// terminating, so that a rollout never leaves a hole. Of the ready ones, those that are hinted
    /// to the gateway's zone, where all have hints.
    pub eligible: Box<[Arc<Endpoint>]>,
    /// Every endpoint known, eligible or not.
    pub all: Box<[Arc<Endpoint>]>,
    /// The look-up over the eligible ones.
    pub picker: Picker,
}

impl EndpointSet {
    /// The set of these endpoints, to be picked by a strategy.
    #[must_use]
    pub fn new(all: Box<[Arc<Endpoint>]>, strategy: &Strategy) -> Self {
        let eligible = eligible(&all);
        Self { picker: Picker::new(strategy, &eligible), eligible, all }
    }

    /// How many endpoints are ready.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.all.iter().filter(|endpoint| endpoint.facts.conditions.ready).count()
    }
}

/// The ready ones; where none is, those that still serve while they shut down.
fn eligible(all: &[Arc<Endpoint>]) -> Box<[Arc<Endpoint>]> {
    let pick = |takes: fn(&Endpoint) -> bool| -> Box<[_]> {
        all.iter().filter(|endpoint| takes(endpoint)).map(Arc::clone).collect()
    };
    let ready = pick(|endpoint| endpoint.facts.conditions.ready);
    if !ready.is_empty() {
        return in_zone(ready);
    }
    pick(|endpoint| endpoint.facts.conditions.serving && endpoint.facts.conditions.terminating)
}

/// Those that are hinted to the gateway's zone; all, unless each has a hint and one is for it.
fn in_zone(ready: Box<[Arc<Endpoint>]>) -> Box<[Arc<Endpoint>]> {
    let hinted = |hint| move |endpoint: &Arc<Endpoint>| endpoint.facts.hint == hint;
    if ready.iter().any(hinted(ZoneHint::None)) || !ready.iter().any(hinted(ZoneHint::Here)) {
        return ready;
    }
    ready.into_iter().filter(hinted(ZoneHint::Here)).collect()
}

/// Holds the newest endpoint set of one upstream, and the counter of its requests.
#[derive(Debug, Default)]
pub struct EndpointCell {
    set: ArcSwap<EndpointSet>,
    requests: Padded<AtomicUsize>,
    budget: Budget,
    described: Described,
    /// Taken by the core that ejects an endpoint.
    pub(super) ejecting: AtomicBool,
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

    /// Counts a request, and returns how many there were before.
    #[must_use]
    pub fn count_request(&self) -> usize {
        self.requests.0.fetch_add(1, Ordering::Relaxed)
    }

    /// The budget of retries.
    #[must_use]
    pub const fn budget(&self) -> &Budget {
        &self.budget
    }

    /// What the service told of itself, where it was asked.
    #[must_use]
    pub const fn described(&self) -> &Described {
        &self.described
    }

    /// How many requests there were.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests.0.load(Ordering::Relaxed)
    }
}
