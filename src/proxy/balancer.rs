//! The pick of a backend and of an endpoint.

mod bound;
mod key;
#[cfg(test)]
mod tests;

pub(crate) use key::hash_of;

use super::permit::Permit;
use crate::{
    live::{
        cell::{EndpointCell, EndpointSet},
        endpoint::Endpoint,
        moment::Moment,
        picker::{Picker, slot_of},
    },
    model::{
        rule::Backend,
        upstream::{Strategy, UpstreamPolicy},
    },
};
use bound::Bound;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// Up to so many endpoints the load of all is compared; of more, that of two.
const COMPARED: usize = 4;
/// How many endpoints are drawn before any that takes requests will do.
const DRAWS: usize = 16;
/// How many slots of a hash are looked at for each endpoint before any endpoint will do.
const SLOTS_PER_ENDPOINT: usize = 16;

/// Which endpoint is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) policy: &'a UpstreamPolicy,
    pub(crate) cell: &'a EndpointCell,
    pub(crate) now: Moment,
    /// What the hash strategy goes by.
    pub(crate) hash: u64,
    /// Endpoints that this request has tried already.
    pub(crate) tried: &'a [usize],
}

/// Why there is no endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nobody {
    /// None takes requests.
    Ready,
    /// The breakers of all that do are open.
    Closed,
    /// None of those that do is well.
    Well,
    /// All that do were tried.
    Untried,
}

/// Picks an endpoint of an upstream.
pub(crate) fn pick(asked: Asked<'_>, random: &mut fastrand::Rng) -> Result<Permit, Nobody> {
    let set = asked.cell.load();
    // A retry takes no turn: of two endpoints, the one that fails would else come first each time.
    let turn = if asked.tried.is_empty() { asked.cell.count_request() } else { asked.cell.requests() };
    let first = match set.eligible.len() {
        0 => return Err(Nobody::Ready),
        1 => 0,
        _ => asked.first(&set, turn, random),
    };
    let endpoint = &set.eligible[first];
    let takers = Takers { asked: &asked, heeds_health: true };
    if takers.takes(endpoint) && asked.is_warm(endpoint, random) && takers.are_balanced_by(endpoint, &set.eligible) {
        return Ok(Permit::new(Arc::clone(endpoint)));
    }
    let takers = Takers { heeds_health: !set.panics(asked.policy, asked.now), ..takers };
    if !takers.heeds_health && !asked.is_well(endpoint) && takers.takes(endpoint) && asked.is_warm(endpoint, random) {
        return Ok(Permit::new(Arc::clone(endpoint)));
    }
    takers.other(&set, first, random).map(|endpoint| Permit::new(Arc::clone(endpoint)))
}

impl Asked<'_> {
    /// The choice of the strategy, if it takes requests.
    fn first(&self, set: &EndpointSet, turn: usize, random: &mut fastrand::Rng) -> usize {
        let count = set.eligible.len();
        match (&self.policy.balancing.strategy, &set.picker) {
            (Strategy::WeightedRoundRobin, Picker::Cycle(cycle)) => cycle[turn % cycle.len()].into(),
            (Strategy::Hash(_), Picker::Slots(slots)) => slots[slot_of(self.hash, slots)].into(),
            (Strategy::LessLoad, _) => less_loaded(&set.eligible, turn, random),
            (Strategy::Random | Strategy::WeightedRandom, _) => any(set, random),
            // A set that was made for another strategy serves for a moment after a change.
            (Strategy::RoundRobin | Strategy::WeightedRoundRobin | Strategy::Hash(_), _) => turn % count,
        }
    }

    fn is_admitted(&self, endpoint: &Endpoint) -> bool {
        self.policy.breaker.as_ref().is_none_or(|policy| endpoint.breaker().would_admit(policy, self.now))
    }

    fn is_well(&self, endpoint: &Endpoint) -> bool {
        endpoint.is_well(self.policy, self.now)
    }

    fn is_untried(&self, endpoint: &Endpoint) -> bool {
        !self.tried.contains(&endpoint.key())
    }

    /// Whether a new endpoint takes this request, as often as it is warm.
    fn is_warm(&self, endpoint: &Endpoint, random: &mut fastrand::Rng) -> bool {
        let Some(window) = self.policy.balancing.slow_start else { return true };
        let age = self.now.since(endpoint.ready_since());
        age >= window
            || matches!(self.policy.balancing.strategy, Strategy::Hash(_))
            || random.f64() < warmth(age, window)
    }
}

/// Which endpoints take the request.
#[derive(Clone, Copy)]
struct Takers<'a> {
    asked: &'a Asked<'a>,
    /// Whether it is believed that endpoints are not well.
    heeds_health: bool,
}

impl Takers<'_> {
    /// Another one, where the first choice does not take the request.
    fn other<'s>(
        &self,
        set: &'s EndpointSet,
        first: usize,
        random: &mut fastrand::Rng,
    ) -> Result<&'s Arc<Endpoint>, Nobody> {
        let eligible = &set.eligible;
        if let (Strategy::Hash(_), Picker::Slots(slots)) = (&self.asked.policy.balancing.strategy, &set.picker)
            && let Some(next) = self.next_slot(slots, eligible)
        {
            return Ok(next);
        }
        let all = || eligible.iter().filter(|endpoint| self.takes(endpoint));
        let found = match self.asked.policy.balancing.strategy {
            Strategy::LessLoad => all().min_by_key(|endpoint| load(endpoint)),
            _ => self.drawn(set, random).or_else(|| Some(&eligible[first]).filter(|first| self.takes(first))),
        };
        found.or_else(|| all().next()).ok_or_else(|| self.why_nobody(eligible))
    }

    fn why_nobody(&self, eligible: &[Arc<Endpoint>]) -> Nobody {
        let mut untried = eligible.iter().filter(|endpoint| self.asked.is_untried(endpoint)).peekable();
        if untried.peek().is_none() {
            return Nobody::Untried;
        }
        if untried.any(|endpoint| self.asked.is_admitted(endpoint)) { Nobody::Well } else { Nobody::Closed }
    }

    /// One that takes the request, so that the share of one that is out is spread over all others,
    /// by weight where the strategy goes by weight.
    fn drawn<'s>(&self, set: &'s EndpointSet, random: &mut fastrand::Rng) -> Option<&'s Arc<Endpoint>> {
        for _ in 0..DRAWS {
            let endpoint = &set.eligible[any(set, random)];
            if self.takes(endpoint) && self.asked.is_warm(endpoint, random) {
                return Some(endpoint);
            }
        }
        None
    }

    /// The endpoint that every replica would take next for this hash, as far as they have the same
    /// under way where that matters.
    fn next_slot<'s>(&self, slots: &[u16], eligible: &'s [Arc<Endpoint>]) -> Option<&'s Arc<Endpoint>> {
        let start = slot_of(self.asked.hash, slots);
        let ahead = slots.iter().cycle().skip(start).take(eligible.len() * SLOTS_PER_ENDPOINT);
        let mut taking = ahead.map(|place| &eligible[usize::from(*place)]).filter(|endpoint| self.takes(endpoint));
        match Bound::of(self, eligible) {
            None => taking.next(),
            Some(bound) => taking.clone().find(|endpoint| bound.admits(endpoint)).or_else(|| taking.next()),
        }
    }

    /// Whether the load of an endpoint is within the bound of hashing, where there is one. Without
    /// load it always is, so that others need not be looked at.
    fn are_balanced_by(&self, endpoint: &Endpoint, eligible: &[Arc<Endpoint>]) -> bool {
        let balancing = &self.asked.policy.balancing;
        balancing.hash_balance_factor.is_none()
            || !matches!(balancing.strategy, Strategy::Hash(_))
            || load(endpoint) == 0
            || Bound::of(self, eligible).is_none_or(|bound| bound.admits(endpoint))
    }

    fn takes(&self, endpoint: &Endpoint) -> bool {
        let asked = self.asked;
        asked.is_admitted(endpoint) && (!self.heeds_health || asked.is_well(endpoint)) && asked.is_untried(endpoint)
    }
}

/// Any of them: as likely as its weight says, where the set was made for a strategy by weight.
fn any(set: &EndpointSet, random: &mut fastrand::Rng) -> usize {
    match &set.picker {
        Picker::Cycle(cycle) => cycle[random.usize(..cycle.len())].into(),
        Picker::Sums(sums) => {
            let at = random.u64(..sums.last().copied().unwrap_or(1));
            sums.partition_point(|sum| *sum <= at)
        }
        Picker::Even | Picker::Slots(_) => random.usize(..set.eligible.len()),
    }
}

/// The share that a new endpoint has: from a tenth to all.
fn warmth(age: Duration, window: Duration) -> f64 {
    (age.as_secs_f64() / window.as_secs_f64()).max(0.1)
}

fn load(endpoint: &Endpoint) -> usize {
    endpoint.in_flight().load(Ordering::Relaxed)
}

/// The least loaded: of a few, the first from a place that moves on; of many, the better of two.
fn less_loaded(eligible: &[Arc<Endpoint>], turn: usize, random: &mut fastrand::Rng) -> usize {
    let count = eligible.len();
    if count <= COMPARED {
        let from_turn = (0..count).map(|step| (turn + step) % count);
        return from_turn.min_by_key(|at| load(&eligible[*at])).unwrap_or_default();
    }
    let one = random.usize(..count);
    let two = (one + random.usize(1..count)) % count;
    if load(&eligible[two]) < load(&eligible[one]) { two } else { one }
}

/// Picks a backend of a rule by weight; `None` when all weights are 0.
pub(crate) fn pick_backend<'r>(backends: &'r [Backend], random: &mut fastrand::Rng) -> Option<&'r Backend> {
    if let [only] = backends {
        return (only.weight > 0).then_some(only);
    }
    let total: u64 = backends.iter().map(|backend| u64::from(backend.weight)).sum();
    if total == 0 {
        return None;
    }
    let mut at = random.u64(..total);
    backends.iter().find(|backend| {
        let weight = u64::from(backend.weight);
        let here = at < weight;
        at = at.saturating_sub(weight);
        here
    })
}
