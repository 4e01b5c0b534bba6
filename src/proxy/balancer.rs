//! The pick of a backend and of an endpoint.

use super::permit::Permit;
use crate::{
    live::cell::EndpointCell,
    model::{rule::Backend, upstream::Strategy},
};
use std::sync::Arc;

/// Picks an endpoint of an upstream; `None` when none takes requests.
pub(crate) fn pick(strategy: Strategy, cell: &EndpointCell, random: &mut fastrand::Rng) -> Option<Permit> {
    let set = cell.load();
    let index = match set.eligible.len() {
        0 => return None,
        1 => 0,
        count => match strategy {
            Strategy::RoundRobin => cell.next_turn() % count,
            Strategy::Random => random.usize(..count),
        },
    };
    Some(Permit::new(Arc::clone(&set.eligible[index])))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        live::{cell::EndpointSet, endpoint::Endpoint},
        model::{
            endpoint::{Conditions, EndpointFacts, EndpointProtocol},
            rule::BackendTarget,
            target::UpstreamId,
        },
    };
    use std::sync::atomic::Ordering;

    fn cell(count: u8) -> EndpointCell {
        let endpoints: Box<[_]> = (1..=count)
            .map(|last| {
                Arc::new(Endpoint::new(EndpointFacts {
                    address: ([127, 0, 0, last], 80).into(),
                    identity: "".into(),
                    weight: 1,
                    zone: "".into(),
                    conditions: Conditions { ready: true, serving: true, terminating: false },
                    protocol: EndpointProtocol::Http1,
                    metadata: Arc::default(),
                }))
            })
            .collect();
        let cell = EndpointCell::default();
        cell.store(EndpointSet { eligible: endpoints.clone(), all: endpoints });
        cell
    }

    fn last_octets(strategy: Strategy, cell: &EndpointCell, picks: usize) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(7);
        (0..picks)
            .map(|_| match pick(strategy, cell, &mut random).unwrap().endpoint().address().ip() {
                std::net::IpAddr::V4(address) => address.octets()[3],
                std::net::IpAddr::V6(_) => 0,
            })
            .collect()
    }

    #[test]
    fn round_robin_takes_each_in_turn() {
        assert_eq!(last_octets(Strategy::RoundRobin, &cell(3), 7), [1, 2, 3, 1, 2, 3, 1]);
    }

    #[test]
    fn random_takes_all_about_as_often() {
        let picks = last_octets(Strategy::Random, &cell(3), 9_000);
        for octet in 1..=3 {
            let count = picks.iter().filter(|picked| **picked == octet).count();
            assert!((2_700..3_300).contains(&count), "{octet}: {count}");
        }
    }

    #[test]
    fn no_endpoint_gives_no_permit() {
        assert!(pick(Strategy::RoundRobin, &EndpointCell::default(), &mut fastrand::Rng::with_seed(1)).is_none());
    }

    #[test]
    fn a_permit_counts_as_load_until_it_is_dropped() {
        let cell = cell(1);
        let permit = pick(Strategy::Random, &cell, &mut fastrand::Rng::with_seed(1)).unwrap();
        let endpoint = Arc::clone(permit.endpoint());
        assert_eq!(endpoint.in_flight().load(Ordering::Relaxed), 1);
        drop(permit);
        assert_eq!(endpoint.in_flight().load(Ordering::Relaxed), 0);
    }

    fn backends(weights: &[u32]) -> Vec<Backend> {
        let backend =
            |(id, weight): (u32, &u32)| Backend { target: BackendTarget::Upstream(UpstreamId(id)), weight: *weight };
        (0..).zip(weights).map(backend).collect()
    }

    #[test]
    fn backends_share_by_weight() {
        let backends = backends(&[9, 0, 1]);
        let mut random = fastrand::Rng::with_seed(3);
        let mut counts = [0; 3];
        for _ in 0..10_000 {
            let picked = pick_backend(&backends, &mut random).unwrap();
            counts[backends.iter().position(|backend| backend == picked).unwrap()] += 1;
        }
        assert!((8_800..9_200).contains(&counts[0]), "{counts:?}");
        assert_eq!(counts[1], 0);
    }

    #[test]
    fn weights_of_zero_serve_nothing() {
        for weights in [&[0][..], &[0, 0][..]] {
            assert_eq!(pick_backend(&backends(weights), &mut fastrand::Rng::with_seed(1)), None);
        }
    }
}
