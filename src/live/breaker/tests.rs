//! The state machine, step by step and under many threads.

use super::*;
use proptest::prelude::*;

const POLICY: BreakerPolicy = BreakerPolicy {
    max_failures: 3,
    half_open_max_requests: 2,
    open_timeout: Duration::from_secs(10),
    interval: Some(Duration::from_secs(60)),
    count_server_errors: false,
    count_timeouts: false,
};

fn at(seconds: u64) -> Moment {
    Moment::after(Duration::from_secs(1_000 + seconds))
}

fn attempt(breaker: &Breaker, outcome: Outcome, seconds: u64) {
    let admitted = breaker.admit(&POLICY, at(seconds)).expect("it must be admitted");
    breaker.settle(admitted, outcome, &POLICY, at(seconds));
}

fn opened() -> Breaker {
    let breaker = Breaker::default();
    (0..3).for_each(|_| attempt(&breaker, Outcome::Failure, 0));
    assert_eq!(breaker.state(at(0)), BreakerState::Open);
    breaker
}

#[test]
fn failures_in_a_row_open_it() {
    let breaker = Breaker::default();
    for outcome in [Outcome::Failure, Outcome::Failure, Outcome::Success, Outcome::Failure, Outcome::Failure] {
        attempt(&breaker, outcome, 0);
        assert_eq!(breaker.state(at(0)), BreakerState::Closed);
    }
    attempt(&breaker, Outcome::Failure, 0);
    assert_eq!(breaker.state(at(0)), BreakerState::Open);
    assert_eq!(breaker.admit(&POLICY, at(9)), None);
    assert!(!breaker.would_admit(&POLICY, at(9)));
}

#[test]
fn failures_are_forgotten_after_the_interval() {
    let breaker = Breaker::default();
    attempt(&breaker, Outcome::Failure, 0);
    attempt(&breaker, Outcome::Failure, 59);
    attempt(&breaker, Outcome::Failure, 60);
    assert_eq!(breaker.state(at(60)), BreakerState::Closed, "only the last one counts");
    attempt(&breaker, Outcome::Failure, 61);
    attempt(&breaker, Outcome::Failure, 62);
    assert_eq!(breaker.state(at(62)), BreakerState::Open);
}

#[test]
fn without_an_interval_failures_are_remembered_until_a_success() {
    let policy = BreakerPolicy { interval: None, ..POLICY };
    let breaker = Breaker::default();
    for day in 0..3 {
        let now = at(day * 86_400);
        breaker.settle(breaker.admit(&policy, now).unwrap(), Outcome::Failure, &policy, now);
    }
    assert_eq!(breaker.state(at(2 * 86_400)), BreakerState::Open);
}

#[test]
fn after_the_rest_a_few_attempts_decide() {
    let breaker = opened();
    assert_eq!(breaker.state(at(10)), BreakerState::HalfOpen);
    let (first, second) = (breaker.admit(&POLICY, at(10)).unwrap(), breaker.admit(&POLICY, at(10)).unwrap());
    assert_eq!(breaker.admit(&POLICY, at(10)), None, "two at most");
    breaker.settle(first, Outcome::Success, &POLICY, at(11));
    assert_eq!(breaker.state(at(11)), BreakerState::HalfOpen);
    breaker.settle(second, Outcome::Success, &POLICY, at(11));
    assert_eq!(breaker.state(at(11)), BreakerState::Closed);
}

#[test]
fn one_failure_while_half_open_opens_it_again() {
    let breaker = opened();
    let (first, second) = (breaker.admit(&POLICY, at(10)).unwrap(), breaker.admit(&POLICY, at(10)).unwrap());
    breaker.settle(first, Outcome::Failure, &POLICY, at(12));
    assert_eq!(breaker.state(at(21)), BreakerState::Open);
    breaker.settle(second, Outcome::Success, &POLICY, at(21));
    assert_eq!(breaker.state(at(21)), BreakerState::Open, "that attempt was of an earlier era");
    assert_eq!(breaker.state(at(22)), BreakerState::HalfOpen);
}

#[test]
fn attempts_of_which_nothing_is_known_do_not_wedge_it() {
    let breaker = opened();
    for _ in 0..100 {
        let admitted = breaker.admit(&POLICY, at(10)).expect("its place was given back");
        breaker.settle(admitted, Outcome::Unknown, &POLICY, at(10));
    }
    attempt(&breaker, Outcome::Success, 10);
    attempt(&breaker, Outcome::Success, 10);
    assert_eq!(breaker.state(at(10)), BreakerState::Closed);
}

#[test]
fn each_change_of_state_is_told_once_with_the_attempts_that_came_to_it() {
    let breaker = Breaker::default();
    let attempt = |outcome, seconds| {
        let admitted = breaker.admit(&POLICY, at(seconds)).unwrap();
        (admitted.half_opens, breaker.settle(admitted, outcome, &POLICY, at(seconds)))
    };
    let told = |to, attempts| Some(Transition { to, attempts });
    let failed: Vec<_> = (0..3).map(|_| attempt(Outcome::Failure, 0)).collect();
    assert_eq!(failed, [(false, None), (false, None), (false, told(BreakerState::Open, 3))]);
    assert_eq!(attempt(Outcome::Failure, 10), (true, told(BreakerState::Open, 1)));
    assert_eq!(attempt(Outcome::Success, 20), (true, None));
    assert_eq!(attempt(Outcome::Success, 20), (false, told(BreakerState::Closed, 2)));
    assert_eq!(attempt(Outcome::Success, 21), (false, None));
}

#[test]
fn late_failures_of_an_earlier_era_do_not_open_it() {
    let breaker = opened();
    let late = Breaker::default().admit(&POLICY, at(0)).unwrap();
    attempt(&breaker, Outcome::Success, 10);
    attempt(&breaker, Outcome::Success, 10);
    let settle = |_| breaker.settle(late, Outcome::Failure, &POLICY, at(11));
    assert_eq!((0..5).filter_map(settle).next(), None);
    assert_eq!(breaker.state(at(11)), BreakerState::Closed);
}

#[test]
fn a_change_of_limits_holds_at_once_and_keeps_the_state() {
    let breaker = opened();
    let patient = BreakerPolicy { half_open_max_requests: 1, ..POLICY };
    let admitted = breaker.admit(&patient, at(10)).unwrap();
    breaker.settle(admitted, Outcome::Success, &patient, at(10));
    assert_eq!(breaker.state(at(10)), BreakerState::Closed);
    let strict = BreakerPolicy { max_failures: 1, ..POLICY };
    breaker.settle(breaker.admit(&strict, at(11)).unwrap(), Outcome::Failure, &strict, at(11));
    assert_eq!(breaker.state(at(11)), BreakerState::Open);
}

#[test]
fn many_threads_are_admitted_no_more_than_allowed() {
    let breaker = opened();
    let count = || (0..1_000).filter(|_| breaker.admit(&POLICY, at(10)).is_some()).count();
    let admitted: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(admitted, 2);
}

proptest! {
    #[test]
    fn every_word_survives_packing(
        (state, era, count, admitted, due) in (0_u8..3, 0_u16..1024, 0_u16..1024, 0_u16..1024, any::<u32>()),
    ) {
        let state = [BreakerState::Closed, BreakerState::Open, BreakerState::HalfOpen][usize::from(state)];
        let word = Word { state, era, count, admitted, due };
        prop_assert_eq!(Word::unpack(word.pack()), word);
    }

    /// Whatever happens, an open breaker comes back: once its rest is over, successes close it.
    #[test]
    fn it_always_recovers(outcomes in proptest::collection::vec((0_u8..3, 0_u64..30), 0..60)) {
        let breaker = Breaker::default();
        let mut now = 0;
        for (outcome, wait) in outcomes {
            now += wait;
            let outcome = [Outcome::Success, Outcome::Failure, Outcome::Unknown][usize::from(outcome)];
            if let Some(admitted) = breaker.admit(&POLICY, at(now)) {
                breaker.settle(admitted, outcome, &POLICY, at(now));
            }
        }
        now += 10;
        for _ in 0..2 {
            attempt(&breaker, Outcome::Success, now);
        }
        prop_assert_eq!(breaker.state(at(now)), BreakerState::Closed);
    }
}
