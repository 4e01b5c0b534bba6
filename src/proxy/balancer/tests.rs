//! Shares of endpoints and backends, exact where the strategy is.

use super::*;
use crate::{
    live::{breaker::Outcome, cell::EndpointSet, endpoint::Endpoint, picker::hash_key},
    model::{
        endpoint::{Conditions, EndpointFacts, ZoneHint},
        health::OutlierPolicy,
        rule::BackendTarget,
        target::UpstreamId,
        upstream::{Balancing, BreakerPolicy, HashOn},
    },
};
use std::time::Instant;

const BREAKER: BreakerPolicy = BreakerPolicy {
    max_failures: 1,
    half_open_max_requests: 1,
    open_timeout: Duration::from_secs(10),
    interval: None,
    count_server_errors: false,
    count_timeouts: false,
};

const OUTLIER: OutlierPolicy = OutlierPolicy {
    consecutive_errors: 1,
    ejection_time: Duration::from_secs(10),
    max_ejection_percent: 100,
    count_connect_failures: true,
    count_server_errors: false,
    count_timeouts: false,
};

/// An upstream with endpoints 1, 2, 3 and so on, each with its weight.
struct World {
    policy: UpstreamPolicy,
    cell: EndpointCell,
    now: Moment,
    random: fastrand::Rng,
    tried: Vec<usize>,
}

impl World {
    fn new(strategy: Strategy, weights: &[u32]) -> Self {
        let endpoints = (1_u8..).zip(weights).map(|(last, weight)| Arc::new(Endpoint::new(facts(last, *weight))));
        let cell = EndpointCell::default();
        cell.store(EndpointSet::new(endpoints.collect(), &strategy));
        let policy =
            UpstreamPolicy { balancing: Balancing { strategy, ..Balancing::default() }, ..UpstreamPolicy::default() };
        let now = Moment::of(Instant::now());
        Self { policy, cell, now, random: fastrand::Rng::with_seed(7), tried: Vec::new() }
    }

    fn pick(&mut self, hash: u64) -> Result<Permit, Nobody> {
        let asked = Asked { policy: &self.policy, cell: &self.cell, now: self.now, hash, tried: &self.tried };
        pick(asked, &mut self.random)
    }

    fn picks(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| number(&self.pick(0).unwrap())).collect()
    }

    /// How often each endpoint is picked.
    fn shares(&mut self, picks: usize) -> Vec<usize> {
        let picked = self.picks(picks);
        let numbers = 1..=u8::try_from(self.cell.load().eligible.len()).unwrap();
        numbers.map(|number| picked.iter().filter(|picked| **picked == number).count()).collect()
    }

    fn eject(&mut self, numbers: &[usize]) {
        self.policy.outlier = Some(OUTLIER);
        for number in numbers {
            self.cell.load().eligible[number - 1].ejection().eject(&OUTLIER, self.now);
        }
    }

    fn open_breaker(&mut self, number: usize) {
        self.policy.breaker = Some(BREAKER);
        let endpoint = Arc::clone(&self.cell.load().eligible[number - 1]);
        let admitted = endpoint.breaker().admit(&BREAKER, self.now).unwrap();
        endpoint.breaker().settle(admitted, Outcome::Failure, &BREAKER, self.now);
    }
}

fn facts(last: u8, weight: u32) -> EndpointFacts {
    EndpointFacts {
        address: ([127, 0, 0, last], 80).into(),
        identity: "".into(),
        weight,
        zone: "".into(),
        hint: ZoneHint::None,
        conditions: Conditions { ready: true, serving: true, terminating: false },
        metadata: Arc::default(),
    }
}

fn number(permit: &Permit) -> u8 {
    match permit.endpoint().address().ip() {
        std::net::IpAddr::V4(address) => address.octets()[3],
        std::net::IpAddr::V6(_) => 0,
    }
}

fn hash() -> Strategy {
    Strategy::Hash(HashOn::ClientAddress)
}

#[track_caller]
fn assert_about(counts: &[usize], wanted: &[usize]) {
    let is_about = |(count, wanted): (&usize, &usize)| count.abs_diff(*wanted) * 20 <= *wanted;
    assert!(counts.len() == wanted.len() && counts.iter().zip(wanted).all(is_about), "{counts:?}, not {wanted:?}");
}

#[test]
fn round_robin_takes_each_in_turn() {
    assert_eq!(World::new(Strategy::RoundRobin, &[1; 3]).picks(7), [1, 2, 3, 1, 2, 3, 1]);
}

#[test]
fn random_takes_all_about_as_often() {
    assert_about(&World::new(Strategy::Random, &[1; 3]).shares(30_000), &[10_000; 3]);
}

#[test]
fn weighted_round_robin_is_exact() {
    let mut world = World::new(Strategy::WeightedRoundRobin, &[10, 10, 30]);
    for _ in 0..4 {
        assert_eq!(world.shares(50), [10, 10, 30]);
    }
    assert_eq!(World::new(Strategy::WeightedRoundRobin, &[0, 1]).shares(10), [0, 10]);
    assert_eq!(World::new(Strategy::WeightedRoundRobin, &[0, 0]).shares(10), [5, 5]);
}

#[test]
fn weighted_random_goes_by_weight() {
    assert_about(&World::new(Strategy::WeightedRandom, &[10, 10, 30]).shares(50_000), &[10_000, 10_000, 30_000]);
    assert_eq!(World::new(Strategy::WeightedRandom, &[0, 1]).shares(10), [0, 10]);
    assert_about(&World::new(Strategy::WeightedRandom, &[0, 0]).shares(20_000), &[10_000; 2]);
}

#[test]
fn less_load_takes_the_least_loaded_of_a_few() {
    let mut world = World::new(Strategy::LessLoad, &[1; 3]);
    let mut held: Vec<Permit> = (0..6).map(|_| world.pick(0).unwrap()).collect();
    let mut numbers: Vec<u8> = held.iter().map(number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 1, 2, 2, 3, 3]);
    held.retain(|permit| number(permit) != 2);
    assert_eq!(world.picks(4), [2; 4], "nothing waits there");
}

#[test]
fn less_load_breaks_ties_fairly() {
    assert_eq!(World::new(Strategy::LessLoad, &[1; 3]).shares(300), [100; 3]);
    assert_about(&World::new(Strategy::LessLoad, &[1; 10]).shares(100_000), &[10_000; 10]);
}

#[test]
fn less_load_keeps_away_from_a_slow_endpoint_among_many() {
    let mut world = World::new(Strategy::LessLoad, &[1; 10]);
    let slow = Arc::clone(&world.cell.load().eligible[4]);
    let _held: Vec<Permit> = (0..100).map(|_| Permit::new(Arc::clone(&slow))).collect();
    assert_eq!(world.shares(10_000)[4], 0, "either of two is always better");
}

#[test]
fn a_hash_always_takes_the_same_endpoint() {
    let (mut here, mut there) = (World::new(hash(), &[1; 10]), World::new(hash(), &[1; 10]));
    for client in 0..255_u8 {
        let key = hash_key(&[192, 0, 2, client]);
        let first = number(&here.pick(key).unwrap());
        assert_eq!([number(&here.pick(key).unwrap()), number(&there.pick(key).unwrap())], [first; 2]);
    }
}

#[test]
fn a_hash_without_its_endpoint_agrees_on_another() {
    let (mut here, mut there) = (World::new(hash(), &[1; 10]), World::new(hash(), &[1; 10]));
    let key = hash_key(b"anna");
    let first = here.pick(key).unwrap();
    for world in [&mut here, &mut there] {
        world.open_breaker(usize::from(number(&first)));
    }
    let second = number(&here.pick(key).unwrap());
    assert_ne!(second, number(&first));
    assert_eq!(number(&there.pick(key).unwrap()), second);
}

impl World {
    /// Holds so many requests of a key: how many each endpoint has.
    fn hold(&mut self, key: u64, requests: usize) -> (Vec<Permit>, Vec<usize>) {
        let held: Vec<_> = (0..requests).map(|_| self.pick(key).unwrap()).collect();
        let loads = self.cell.load().eligible.iter().map(|endpoint| load(endpoint)).collect();
        (held, loads)
    }
}

#[test]
fn without_a_bound_all_requests_of_a_key_have_one_endpoint() {
    let mut world = World::new(hash(), &[1; 5]);
    let (_held, mut loads) = world.hold(hash_key(b"hot"), 100);
    loads.sort_unstable();
    assert_eq!(loads, [0, 0, 0, 0, 100]);
}

#[test]
fn with_a_bound_a_busy_key_is_spread_in_an_agreed_order_and_others_keep_their_endpoint() {
    let bounded = || {
        let mut world = World::new(hash(), &[1; 5]);
        world.policy.balancing.hash_balance_factor = Some(150);
        world
    };
    let (mut here, mut there, hot) = (bounded(), bounded(), hash_key(b"hot"));
    let keys: Vec<u64> = (0..200_u8).map(|client| hash_key(&[192, 0, 2, client])).collect();
    let homes: Vec<u8> = keys.iter().map(|key| number(&here.pick(*key).unwrap())).collect();
    let home = number(&here.pick(hot).unwrap());
    let ((held, loads), (_, other_loads)) = (here.hold(hot, 100), there.hold(hot, 100));
    assert_eq!(loads, other_loads, "replicas with the same load agree");
    assert_eq!(number(&held[0]), home, "it begins at home");
    assert!(loads.iter().all(|load| *load <= 30), "half more than 20 are too many: {loads:?}");
    assert_eq!(loads[usize::from(home) - 1], 30, "{loads:?}");
    for (key, home) in keys.iter().zip(homes) {
        if loads[usize::from(home) - 1] < 30 {
            assert_eq!(number(&here.pick(*key).unwrap()), home, "{loads:?}");
        }
    }
    drop(held);
    assert_eq!(number(&here.pick(hot).unwrap()), home, "and it comes home");
}

#[test]
fn a_bound_goes_by_weight_and_by_those_that_take_requests() {
    let mut world = World::new(hash(), &[1, 3]);
    world.policy.balancing.hash_balance_factor = Some(100);
    assert_eq!(world.hold(hash_key(b"hot"), 40).1, [10, 30]);
    let mut world = World::new(hash(), &[1; 3]);
    world.policy.balancing.hash_balance_factor = Some(100);
    world.eject(&[2]);
    assert_eq!(world.hold(hash_key(b"hot"), 40).1, [20, 0, 20]);
}

#[test]
fn a_bound_over_many_endpoints_looks_at_a_part_of_them() {
    let mut world = World::new(hash(), &[1; 200]);
    world.policy.balancing.hash_balance_factor = Some(200);
    let (_held, loads) = world.hold(hash_key(b"hot"), 1_000);
    assert!(loads.iter().all(|load| *load <= 20), "{loads:?}");
}

#[test]
fn the_share_of_an_open_breaker_is_spread_over_all_others() {
    for strategy in [Strategy::RoundRobin, Strategy::Random, Strategy::WeightedRandom, Strategy::WeightedRoundRobin] {
        let mut world = World::new(strategy, &[1; 4]);
        world.open_breaker(2);
        assert_about(&world.shares(30_000), &[10_000, 0, 10_000, 10_000]);
    }
}

#[test]
fn the_share_of_the_ejected_is_spread_over_all_others() {
    for strategy in [Strategy::RoundRobin, Strategy::Random, Strategy::WeightedRandom, Strategy::WeightedRoundRobin] {
        let mut world = World::new(strategy, &[1; 4]);
        world.eject(&[2]);
        assert_about(&world.shares(30_000), &[10_000, 0, 10_000, 10_000]);
        world.now = Moment::after(Duration::from_nanos(world.now.nanos()) + OUTLIER.ejection_time);
        assert_about(&world.shares(40_000), &[10_000; 4]);
    }
}

#[test]
fn the_share_of_one_that_is_out_is_spread_by_weight_where_the_strategy_goes_by_weight() {
    for strategy in [Strategy::WeightedRoundRobin, Strategy::WeightedRandom] {
        let mut world = World::new(strategy, &[10, 30, 60, 0]);
        world.eject(&[3]);
        let shares = world.shares(20_000);
        assert_eq!((shares[2], shares[3]), (0, 0), "{shares:?}");
        assert_about(&shares[..2], &[5_000, 15_000]);
    }
}

#[test]
fn less_load_passes_by_the_ejected() {
    for count in [3, 10] {
        let mut world = World::new(Strategy::LessLoad, &vec![1; count]);
        let _held: Vec<Permit> = (0..50).map(|_| world.pick(0).unwrap()).collect();
        world.eject(&[1]);
        assert_eq!(world.shares(1_000)[0], 0);
    }
}

#[test]
fn a_hash_whose_endpoint_is_ejected_has_the_agreed_deputy_until_it_is_back() {
    let (mut here, mut there) = (World::new(hash(), &[1; 10]), World::new(hash(), &[1; 10]));
    let key = hash_key(b"anna");
    let first = number(&here.pick(key).unwrap());
    for world in [&mut here, &mut there] {
        world.eject(&[first.into()]);
    }
    let deputy = number(&here.pick(key).unwrap());
    assert_ne!(deputy, first);
    assert_eq!([number(&here.pick(key).unwrap()), number(&there.pick(key).unwrap())], [deputy; 2]);
    here.now = Moment::after(Duration::from_nanos(here.now.nanos()) + OUTLIER.ejection_time);
    assert_eq!(number(&here.pick(key).unwrap()), first);
}

#[test]
fn where_too_few_are_well_all_get_their_share() {
    let mut world = World::new(Strategy::RoundRobin, &[1; 4]);
    world.eject(&[1, 2]);
    assert_about(&world.shares(20_000), &[0, 0, 10_000, 10_000]);
    world.eject(&[3]);
    assert_eq!(world.shares(400), [100; 4], "as if nobody were out");
    world.policy.balancing.panic_threshold = 25;
    assert_eq!(world.shares(400), [0, 0, 0, 400], "one of four is enough");
    let mut weighted = World::new(Strategy::WeightedRoundRobin, &[10, 10, 30]);
    weighted.eject(&[1, 3]);
    assert_eq!(weighted.shares(50), [10, 10, 30]);
}

#[test]
fn nobody_is_picked_where_health_is_always_believed_and_nobody_is_well() {
    let mut world = World::new(Strategy::RoundRobin, &[1; 2]);
    world.policy.balancing.panic_threshold = 0;
    world.eject(&[1, 2]);
    assert_eq!(world.pick(0).unwrap_err(), Nobody::Well);
    world.policy.balancing.panic_threshold = 50;
    assert_eq!(world.shares(10), [5, 5]);
    world.open_breaker(1);
    assert_eq!(world.shares(10), [0, 10], "a breaker is always believed");
}

#[test]
fn what_was_tried_is_not_tried_again() {
    for strategy in [Strategy::RoundRobin, Strategy::LessLoad, Strategy::WeightedRoundRobin, hash()] {
        let mut world = World::new(strategy, &[1; 3]);
        for _ in 0..3 {
            let permit = world.pick(0).unwrap();
            world.tried.push(permit.endpoint().key());
        }
        assert_eq!(world.pick(0).unwrap_err(), Nobody::Untried);
    }
}

#[test]
fn nobody_is_picked_where_nobody_takes_requests() {
    assert_eq!(World::new(Strategy::RoundRobin, &[]).pick(0).unwrap_err(), Nobody::Ready);
    let mut world = World::new(Strategy::RoundRobin, &[1; 2]);
    world.open_breaker(1);
    world.open_breaker(2);
    assert_eq!(world.pick(0).unwrap_err(), Nobody::Closed);
}

#[test]
fn a_new_endpoint_comes_to_its_share_slowly() {
    let mut world = World::new(Strategy::RoundRobin, &[1; 3]);
    world.policy.balancing.slow_start = Some(Duration::from_secs(1_000));
    world.now = Moment::after(Duration::from_secs(10_000));
    let all = world.cell.load().all.clone();
    all.iter().for_each(|old| old.become_ready(Moment::after(Duration::ZERO)));
    all[2].become_ready(Moment::after(Duration::from_secs(9_500)));
    let share = world.shares(30_000)[2];
    assert!((4_500..6_500).contains(&share), "half of a third, and a little of what others give up: {share}");
    all[2].become_ready(Moment::after(Duration::from_secs(9_000)));
    assert_eq!(world.shares(30_000), [10_000; 3]);
    all.iter().for_each(|new| new.become_ready(Moment::after(Duration::from_secs(10_000))));
    assert_about(&world.shares(30_000), &[10_000; 3]);
}

#[test]
fn a_permit_counts_as_load_until_it_is_dropped() {
    let mut world = World::new(Strategy::Random, &[1]);
    let permit = world.pick(0).unwrap();
    let endpoint = Arc::clone(permit.endpoint());
    assert_eq!(load(&endpoint), 1);
    drop(permit);
    assert_eq!(load(&endpoint), 0);
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
