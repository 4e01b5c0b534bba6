//! The limiter: whether a request is within the limits of its route, and what its client is told.
//!
//! A request takes from all buckets or from none. What a replica counts alone is decided at once,
//! without a lock and without an allocation; what all replicas count together takes one round trip
//! to the store that they share, and passes when that does not answer.

mod key;
mod script;
mod store;
mod told;

pub(crate) use key::Asked;
pub(crate) use told::Told;

use super::error::Failure;
use crate::{
    live::buckets::{Buckets, Key},
    metrics::{CoreMetrics, Protection},
    model::limit::{LimitKey, LimitScope, MOST_LIMITS, RequestLimit, RequestLimits},
    settings::SharedStore,
};
use std::{sync::Arc, time::Duration};
use store::Store;
use told::{Level, Writer};

/// How many keys of clients have a place: 4 MiB once the first of them comes.
const KEYS: usize = 1 << 18;
/// How many limits that count whole routes have one. No client can bring more of them.
const ROUTES: usize = 1 << 16;

/// What a replica counts alone, shared by its cores.
#[derive(Debug)]
pub struct Counts {
    routes: Buckets,
    keyed: Buckets,
}

impl Default for Counts {
    fn default() -> Self {
        Self { routes: Buckets::new(ROUTES), keyed: Buckets::new(KEYS) }
    }
}

impl Counts {
    /// Where a limit is counted: requests of clients cannot displace what counts whole routes.
    const fn of(&self, limit: &RequestLimit) -> &Buckets {
        match limit.key {
            LimitKey::Route => &self.routes,
            LimitKey::ClientAddress | LimitKey::Header(_) | LimitKey::PathCapture(_) => &self.keyed,
        }
    }
}

/// The limiter of one core.
#[derive(Debug)]
pub(crate) struct Limiter {
    counts: Arc<Counts>,
    store: Option<Store>,
    writer: Writer,
}

impl Limiter {
    pub(crate) fn new(counts: Arc<Counts>, store: Option<&SharedStore>) -> Self {
        Self { counts, store: store.map(Store::new), writer: Writer::default() }
    }

    /// Keeps the connection to the shared store, where there is one. Runs as long as the core.
    pub(crate) async fn keep_connected(&self, metrics: &CoreMetrics) {
        match &self.store {
            Some(store) => store.keep_connected(metrics).await,
            None => std::future::pending().await,
        }
    }

    /// Whether a request is within the limits of its route, and what its client is told of them.
    pub(crate) async fn admit<'t>(
        &self,
        metrics: &CoreMetrics,
        limits: &'t RequestLimits,
        asked: &Asked<'_>,
    ) -> (Told<'t>, Result<(), Failure>) {
        let mut taken = Taken { counts: &self.counts, limits, keys: [None; MOST_LIMITS], levels: [None; MOST_LIMITS] };
        let mut refused = taken.alone(metrics, asked);
        if refused.is_none()
            && let Some(store) = &self.store
            && limits.are_shared()
        {
            // Boxed, since few requests need it and all would carry its size.
            refused = Box::pin(taken.together(metrics, store, asked)).await;
        }
        let told = Told { policy: &limits.policy, state: self.writer.write(limits, &taken.levels) };
        let Some(wait) = refused else { return (told, Ok(())) };
        metrics.protect(Protection::RequestLimit);
        (told, Err(Failure::Limited(wait)))
    }
}

/// What a request has taken so far.
struct Taken<'r> {
    counts: &'r Counts,
    limits: &'r RequestLimits,
    /// Where it took a token of this replica.
    keys: [Option<Key>; MOST_LIMITS],
    /// What its client is told: of all limits, or of those alone that refuse it.
    levels: [Option<Level>; MOST_LIMITS],
}

impl Taken<'_> {
    /// Takes what this replica counts alone. Returns how long to wait where there is not enough.
    fn alone(&mut self, metrics: &CoreMetrics, asked: &Asked<'_>) -> Option<Duration> {
        let own = |(_, limit): &(usize, &RequestLimit)| limit.scope == LimitScope::Replica;
        for (index, limit) in self.limits.limits.iter().enumerate().filter(own) {
            let buckets = self.counts.of(limit);
            let key = buckets.key((&*limit.id, asked.value(&limit.key)));
            let taken = buckets.take(key, limit.pace, asked.now);
            if taken.displaced {
                metrics.protect(Protection::RequestLimitKeys);
            }
            if taken.refused.is_some() {
                self.give_back();
            } else {
                self.keys[index] = Some(key);
            }
            self.levels[index] = Some(Level { left: taken.left, full_in: taken.full_in });
            if taken.refused.is_some() {
                return taken.refused;
            }
        }
        None
    }

    /// Takes what all replicas count together, or gives back what this one counted.
    async fn together(&mut self, metrics: &CoreMetrics, store: &Store, asked: &Asked<'_>) -> Option<Duration> {
        let Ok(answers) = store.take(self.limits, asked).await else {
            metrics.store_errors.add(1);
            return None;
        };
        let refused = answers.iter().map(|answer| answer.wait).max().filter(|wait| !wait.is_zero());
        if refused.is_some() {
            self.give_back();
        }
        let shared = |(_, limit): &(usize, &RequestLimit)| limit.scope == LimitScope::Cluster;
        let limits = self.limits.limits.iter().enumerate().filter(shared);
        for ((index, limit), answer) in limits.zip(&answers) {
            if refused.is_none() || !answer.wait.is_zero() {
                let full_in = u64::try_from(answer.full_in.as_nanos()).unwrap_or(u64::MAX);
                self.levels[index] = Some(Level { left: limit.pace.left(full_in), full_in: answer.full_in });
            }
        }
        refused
    }

    /// A refused request counts for no limit, and its client is told only of those that refuse it.
    fn give_back(&mut self) {
        self.levels = [None; MOST_LIMITS];
        for (limit, key) in self.limits.limits.iter().zip(&mut self.keys) {
            if let Some(key) = key.take() {
                self.counts.of(limit).give_back(key, limit.pace);
            }
        }
    }
}
