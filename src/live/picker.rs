//! What is worked out once for a set of endpoints, so that a pick is a look-up.

use super::endpoint::Endpoint;
use crate::model::upstream::Strategy;
use std::{net::SocketAddr, sync::Arc};
use twox_hash::XxHash3_64;

/// Slots of a hash table: a prime, a hundred times the endpoints that are usual.
const SLOTS: usize = 65_537;
/// The longest cycle of weighted round robin. Weights that need a longer one are rounded.
const LONGEST_CYCLE: u64 = 2_048;
/// Seeds are fixed: every replica, and every version of the gateway, agrees.
const PLACE_SEED: u64 = 0x7061_6966_616e_6701;
const STEP_SEED: u64 = 0x7061_6966_616e_6702;
const KEY_SEED: u64 = 0x7061_6966_616e_6703;

/// The look-up of a strategy, by places in the list of eligible endpoints.
#[derive(Debug, Default)]
pub enum Picker {
    /// Nothing: all endpoints are alike.
    #[default]
    Even,
    /// The order of one turn of weighted round robin.
    Cycle(Box<[u16]>),
    /// Sums of the weights up to each endpoint.
    Sums(Box<[u64]>),
    /// The endpoint of each slot of a hash (Maglev, Eisenbud et al. 2016).
    Slots(Box<[u16]>),
}

impl Picker {
    /// What a strategy needs over these endpoints. Sets of more than 65 535 are picked evenly.
    #[must_use]
    pub fn new(strategy: &Strategy, eligible: &[Arc<Endpoint>]) -> Self {
        if eligible.len() < 2 || u16::try_from(eligible.len()).is_err() {
            return Self::Even;
        }
        match strategy {
            Strategy::RoundRobin | Strategy::Random | Strategy::LessLoad => Self::Even,
            Strategy::WeightedRoundRobin => Self::Cycle(cycle(&weights(eligible))),
            Strategy::WeightedRandom => Self::Sums(sums(&weights(eligible))),
            Strategy::Hash(_) => {
                let addresses: Vec<_> = eligible.iter().map(|endpoint| endpoint.address()).collect();
                Self::Slots(slots(&addresses, &weights(eligible)))
            }
        }
    }
}

/// The hash of a key, the same everywhere.
#[must_use]
pub fn hash_key(key: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(KEY_SEED, key)
}

/// The slot of a hash.
#[must_use]
pub fn slot_of(hash: u64, slots: &[u16]) -> usize {
    usize::try_from(hash % slots.len() as u64).unwrap_or_default()
}

/// The weights; where all are 0, none is meant to be less than another.
fn weights(endpoints: &[Arc<Endpoint>]) -> Vec<u64> {
    let weights: Vec<u64> = endpoints.iter().map(|endpoint| u64::from(endpoint.facts.weight)).collect();
    if weights.iter().all(|weight| *weight == 0) { vec![1; weights.len()] } else { weights }
}

/// Smooth weighted round robin: at each step everyone gains its weight, the richest is next and
/// pays the sum of all.
fn cycle(weights: &[u64]) -> Box<[u16]> {
    let weights = shortened(weights);
    let total: u64 = weights.iter().sum();
    let mut wealth = vec![0_i64; weights.len()];
    let step = |_| {
        wealth.iter_mut().zip(&weights).for_each(|(wealth, weight)| *wealth += weight.cast_signed());
        let next = (0..wealth.len()).rev().max_by_key(|at| wealth[*at]).unwrap_or_default();
        wealth[next] -= total.cast_signed();
        u16::try_from(next).unwrap_or_default()
    };
    (0..total).map(step).collect()
}

/// The same shares in smaller numbers.
fn shortened(weights: &[u64]) -> Vec<u64> {
    let divisor = weights.iter().copied().fold(0, greatest_common_divisor).max(1);
    let total = weights.iter().sum::<u64>() / divisor;
    let round = |weight: u64| match weight {
        0 => 0,
        _ => (weight * LONGEST_CYCLE).div_ceil(total * divisor).max(1),
    };
    if total <= LONGEST_CYCLE {
        weights.iter().map(|weight| weight / divisor).collect()
    } else {
        weights.iter().map(|weight| round(*weight)).collect()
    }
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

fn sums(weights: &[u64]) -> Box<[u64]> {
    let add = |sum: &mut u64, weight: &u64| {
        *sum += weight;
        Some(*sum)
    };
    weights.iter().scan(0, add).collect()
}

/// One endpoint's way through the slots.
struct Walk {
    at: usize,
    step: usize,
    weight: u64,
    /// The rounds that its weight has paid for, times the largest weight.
    taken: u64,
}

impl Walk {
    fn new(address: &SocketAddr, weight: u64) -> Self {
        let name = address.to_string();
        let hash = |seed, most: usize| {
            let hash = XxHash3_64::oneshot_with_seed(seed, name.as_bytes());
            usize::try_from(hash % most as u64).unwrap_or_default()
        };
        Self { at: hash(PLACE_SEED, SLOTS), step: hash(STEP_SEED, SLOTS - 1) + 1, weight, taken: 0 }
    }

    /// Takes the next slot on its way that is free.
    fn take(&mut self, slots: &mut [u16], place: u16) {
        while slots[self.at] != FREE {
            self.at = (self.at + self.step) % SLOTS;
        }
        slots[self.at] = place;
    }
}

const FREE: u16 = u16::MAX;

/// Everyone in turn takes the next free slot on its own way. Few slots change hands when somebody
/// comes or goes.
fn slots(addresses: &[SocketAddr], weights: &[u64]) -> Box<[u16]> {
    let largest = weights.iter().copied().max().unwrap_or(1);
    let mut walks: Vec<_> =
        addresses.iter().zip(weights).map(|(address, weight)| Walk::new(address, *weight)).collect();
    let mut slots = vec![FREE; SLOTS];
    let mut left = SLOTS;
    for round in 1_u64.. {
        for (place, walk) in (0_u16..).zip(&mut walks) {
            if left == 0 {
                return slots.into();
            }
            if (walk.taken + 1) * largest <= round * walk.weight {
                walk.taken += 1;
                walk.take(&mut slots, place);
                left -= 1;
            }
        }
    }
    slots.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn letters(cycle: &[u16]) -> String {
        cycle.iter().map(|at| char::from(b'A' + u8::try_from(*at).unwrap())).collect()
    }

    fn addresses(count: u8) -> Vec<SocketAddr> {
        (1..=count).map(|last| ([10, 0, 0, last], 8080).into()).collect()
    }

    fn counts(slots: &[u16], of: usize) -> Vec<usize> {
        (0..of).map(|place| slots.iter().filter(|slot| usize::from(**slot) == place).count()).collect()
    }

    #[test]
    fn a_cycle_spreads_the_turns() {
        assert_eq!(letters(&cycle(&[10, 10, 30])), "CACBC");
        assert_eq!(letters(&cycle(&[5, 1, 1])), "AABACAA");
        assert_eq!(letters(&cycle(&[1, 0])), "A");
    }

    proptest! {
        #[test]
        fn a_cycle_is_exact_where_it_need_not_be_rounded(weights in proptest::collection::vec(0_u64..40, 2..40)) {
            prop_assume!(weights.iter().sum::<u64>() > 0);
            let cycle = cycle(&weights);
            let counted: Vec<u64> = counts(&cycle, weights.len()).into_iter().map(|count| count as u64).collect();
            prop_assert_eq!(counted, shortened(&weights));
        }

        #[test]
        fn a_cycle_has_a_bound_and_everyone_in_it(weights in proptest::collection::vec(1_u64..1_000_000, 2..200)) {
            let cycle = cycle(&weights);
            prop_assert!(cycle.len() <= usize::try_from(LONGEST_CYCLE).unwrap() + weights.len());
            prop_assert!(counts(&cycle, weights.len()).iter().all(|count| *count > 0));
        }
    }

    #[test]
    fn slots_are_shared_evenly_and_by_weight() {
        let even = counts(&slots(&addresses(10), &[1; 10]), 10);
        assert!(even.iter().all(|count| (6_553..=6_554).contains(count)), "{even:?}");
        let weighted = counts(&slots(&addresses(3), &[1, 1, 3]), 3);
        assert!(weighted[2].abs_diff(3 * weighted[0]) < 10, "{weighted:?}");
        assert_eq!(counts(&slots(&addresses(2), &[0, 1]), 2), [0, SLOTS]);
    }

    #[test]
    fn few_slots_change_hands_when_an_endpoint_goes() {
        let (before, all) = (slots(&addresses(10), &[1; 10]), addresses(10));
        let after = slots(&all[..9], &[1; 9]);
        let moved = before.iter().zip(&after).filter(|(before, after)| before != after).count();
        let of_the_gone = before.iter().filter(|place| **place == 9).count();
        assert!(moved < of_the_gone * 3 / 2, "{moved} moved, {of_the_gone} had to");
    }

    #[test]
    fn a_key_has_the_same_slot_in_every_version() {
        let slots = slots(&addresses(5), &[1; 5]);
        let places: Vec<_> = (0..8_u8).map(|client| slots[slot_of(hash_key(&[192, 0, 2, client]), &slots)]).collect();
        assert_eq!(places, [3, 1, 1, 1, 0, 3, 2, 1], "clients would lose their endpoints with an update");
    }
}
