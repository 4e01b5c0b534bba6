//! The bound on the load of an endpoint that hashing prefers (consistent hashing with bounded
//! loads, Mirrokni et al. 2018): beyond its share of what is under way, times a factor, its
//! requests go on to the next endpoint in the order that all replicas agree on.

use super::{Takers, load};
use crate::live::endpoint::Endpoint;
use std::sync::Arc;

/// Of how many endpoints the load is looked at. More of them are judged by a part.
const SAMPLE: usize = 128;

/// What the endpoints that take requests have under way, by weight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    /// In percent of an endpoint's share.
    factor: u64,
    load: u64,
    weights: u64,
}

impl Bound {
    /// The bound over these endpoints, where there is to be one.
    pub(super) fn of(takers: &Takers<'_>, eligible: &[Arc<Endpoint>]) -> Option<Self> {
        let factor = u64::from(takers.asked.policy.balancing.hash_balance_factor?);
        let taking = sample(eligible, takers.asked.hash).filter(|endpoint| takers.takes(endpoint));
        let sum = |(load_sum, weights, count): (u64, u64, u64), endpoint: &Arc<Endpoint>| {
            (load_sum + load(endpoint) as u64, weights + u64::from(endpoint.facts.weight), count + 1)
        };
        let (load, weights, count) = taking.fold((0, 0, 0), sum);
        // Where all weights are 0, none is meant to be less than another.
        Some(Self { factor, load, weights: if weights == 0 { count } else { weights } })
    }

    /// Whether an endpoint may have one request more.
    pub(super) fn admits(&self, endpoint: &Endpoint) -> bool {
        let weight = u64::from(endpoint.facts.weight).max(1);
        let has = (load(endpoint) as u64).saturating_mul(100).saturating_mul(self.weights);
        has < self.factor.saturating_mul(self.load + 1).saturating_mul(weight)
    }
}

/// All, or as many as are looked at, from a place that differs by key.
fn sample(eligible: &[Arc<Endpoint>], hash: u64) -> impl Iterator<Item = &Arc<Endpoint>> {
    let start =
        if eligible.len() > SAMPLE { usize::try_from(hash % eligible.len() as u64).unwrap_or_default() } else { 0 };
    eligible.iter().cycle().skip(start).take(eligible.len().min(SAMPLE))
}
