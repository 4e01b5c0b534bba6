//! Who may be ejected, and when health is not believed, in exact numbers.

use super::*;
use crate::model::{
    endpoint::{Conditions, EndpointFacts, ZoneHint},
    health::HealthCheck,
    upstream::Strategy,
};
use std::sync::Arc;

const OUTLIER: OutlierPolicy = OutlierPolicy {
    consecutive_errors: 2,
    ejection_time: Duration::from_secs(30),
    max_ejection_percent: 50,
    count_connect_failures: true,
    count_server_errors: true,
    count_timeouts: true,
};

fn at(seconds: u64) -> Moment {
    Moment::after(Duration::from_secs(1_000 + seconds))
}

fn cell(count: u8) -> EndpointCell {
    let facts = |last| EndpointFacts {
        address: ([10, 0, 0, last], 80).into(),
        identity: "".into(),
        weight: 1,
        zone: "".into(),
        hint: ZoneHint::None,
        conditions: Conditions { ready: true, serving: true, terminating: false },
        metadata: Arc::default(),
    };
    let cell = EndpointCell::default();
    let all = (1..=count).map(|last| Arc::new(Endpoint::new(facts(last)))).collect();
    cell.store(EndpointSet::new(all, &Strategy::RoundRobin));
    cell
}

fn endpoint(cell: &EndpointCell, place: usize) -> Arc<Endpoint> {
    Arc::clone(&cell.load().eligible[place])
}

/// Lets each endpoint fail often enough, and says who was ejected.
fn ejected(cell: &EndpointCell, policy: &OutlierPolicy, now: Moment) -> Vec<bool> {
    let all = cell.load().all.clone();
    let fails = |endpoint: &Arc<Endpoint>| {
        let judged = |_| cell.judge(endpoint, Outcome::Failure, policy, now);
        (0..policy.consecutive_errors).filter_map(judged).count() == 1
    };
    all.iter().map(fails).collect()
}

fn checked(panic_threshold: u8) -> UpstreamPolicy {
    let check = HealthCheck {
        request: None,
        port: None,
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        healthy_threshold: 1,
        unhealthy_threshold: 1,
    };
    let mut policy = UpstreamPolicy { health_check: Some(Arc::new(check)), ..UpstreamPolicy::default() };
    policy.balancing.panic_threshold = panic_threshold;
    policy
}

#[test]
fn the_share_of_the_ejected_has_a_bound() {
    let count = |endpoints, percent| {
        let policy = OutlierPolicy { max_ejection_percent: percent, ..OUTLIER };
        ejected(&cell(endpoints), &policy, at(0)).into_iter().filter(|is_out| *is_out).count()
    };
    assert_eq!([1, 2, 3, 4, 5, 10].map(|endpoints| count(endpoints, 50)), [0, 1, 1, 2, 2, 5]);
    assert_eq!([1, 2, 3, 10].map(|endpoints| count(endpoints, 100)), [0, 1, 2, 9], "the last one stays");
    assert_eq!([3, 9, 10, 20].map(|endpoints| count(endpoints, 10)), [0, 0, 1, 2]);
}

#[test]
fn the_last_one_that_is_well_is_not_ejected() {
    let cell = cell(4);
    for place in 0..3 {
        endpoint(&cell, place).set_unhealthy(true);
    }
    let policy = OutlierPolicy { max_ejection_percent: 100, ..OUTLIER };
    assert_eq!(ejected(&cell, &policy, at(0)), [true, true, true, false]);
}

#[test]
fn a_place_becomes_free_when_an_ejection_ends() {
    let cell = cell(2);
    assert_eq!(ejected(&cell, &OUTLIER, at(0)), [true, false]);
    let (first, second) = (endpoint(&cell, 0), endpoint(&cell, 1));
    let fails = |now| (0..2).filter_map(|_| cell.judge(&second, Outcome::Failure, &OUTLIER, now)).count();
    assert_eq!((fails(at(29)), fails(at(30))), (0, 1));
    assert!(!first.ejection().is_out(at(30)) && second.ejection().is_out(at(30)));
}

#[test]
fn a_success_forgets_and_the_unknown_tells_nothing() {
    let cell = cell(2);
    let first = endpoint(&cell, 0);
    let judge = |outcome| cell.judge(&first, outcome, &OUTLIER, at(0));
    use Outcome::{Failure, Success, Unknown};
    assert_eq!([Failure, Success, Failure, Unknown].map(judge), [None; 4]);
    assert_eq!(judge(Failure), Some(Judged::Ejected(Duration::from_secs(30))));
}

#[test]
fn what_takes_no_requests_is_not_ejected() {
    let (here, elsewhere) = (cell(4), cell(4));
    let gone = endpoint(&elsewhere, 0);
    let judged: Vec<_> = (0..4).map(|_| here.judge(&gone, Outcome::Failure, &OUTLIER, at(0))).collect();
    assert_eq!(judged, [None; 4]);
}

#[test]
fn cores_that_eject_at_one_time_keep_the_bound() {
    for _ in 0..50 {
        let cell = cell(8);
        let all = cell.load().all.clone();
        let count: usize = std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for endpoint in &all {
                let cell = &cell;
                threads.push(scope.spawn(move || {
                    (0..100).filter_map(|_| cell.judge(endpoint, Outcome::Failure, &OUTLIER, at(0))).count()
                }));
            }
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        // A core that is held up while it ejects makes others leave theirs for the next error.
        let later = ejected(&cell, &OUTLIER, at(0)).into_iter().filter(|is_out| *is_out).count();
        assert_eq!(count + later, 4);
    }
}

#[test]
fn health_is_not_believed_below_the_threshold() {
    let cell = cell(4);
    let panics = |unhealthy, threshold| {
        for place in 0..4 {
            endpoint(&cell, place).set_unhealthy(place < unhealthy);
        }
        cell.load().panics(&checked(threshold), at(0))
    };
    assert_eq!([0, 1, 2, 3, 4].map(|unhealthy| panics(unhealthy, 50)), [false, false, false, true, true]);
    assert_eq!([0, 1].map(|unhealthy| panics(unhealthy, 100)), [false, true]);
    assert!(!panics(4, 0), "always believed");
}

#[test]
fn only_what_the_policy_asks_for_counts() {
    let cell = cell(2);
    let first = endpoint(&cell, 0);
    first.set_unhealthy(true);
    assert_eq!(ejected(&cell, &OutlierPolicy { max_ejection_percent: 100, ..OUTLIER }, at(0)), [true, false]);
    let ejecting = UpstreamPolicy { outlier: Some(OUTLIER), ..UpstreamPolicy::default() };
    let well = |policy: &UpstreamPolicy, now| first.is_well(policy, at(now));
    assert_eq!((well(&ejecting, 0), well(&ejecting, 30)), (false, true));
    assert_eq!((well(&checked(50), 30), well(&UpstreamPolicy::default(), 0)), (false, true));
}
