//! A circuit breaker in one atomic number, for one endpoint.
//!
//! Closed passes requests, Open passes none, HalfOpen passes a few, whose outcomes decide. Every
//! change of state begins an era; what comes of an attempt from an earlier era is not counted.
//! Limits are told with each call, so a change of them holds at once and loses no state.

use super::moment::Moment;
use crate::model::upstream::BreakerPolicy;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// The states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Requests pass.
    Closed,
    /// None pass.
    Open,
    /// A few pass, and decide.
    HalfOpen,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint answered.
    Success,
    /// It did not, or badly.
    Failure,
    /// Nothing is known: the client went away, or nothing was sent.
    Unknown,
}

/// Leave to make one attempt. Each is to be settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    era: u16,
    /// The breaker became half open with it.
    pub half_opens: bool,
}

/// A change of state that came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The new state.
    pub to: BreakerState,
    /// How many attempts in a row came to it: failures that open, successes that close.
    pub attempts: u16,
}

/// A circuit breaker, closed at first.
#[derive(Debug, Default)]
pub struct Breaker(AtomicU64);

impl Breaker {
    /// The state at a moment.
    #[must_use]
    pub fn state(&self, now: Moment) -> BreakerState {
        let word = Word::unpack(self.0.load(Ordering::Acquire));
        if word.state == BreakerState::Open && word.is_due(now) { BreakerState::HalfOpen } else { word.state }
    }

    /// Whether an attempt would be admitted. It may not be any more when it is made.
    #[must_use]
    pub fn would_admit(&self, policy: &BreakerPolicy, now: Moment) -> bool {
        Word::unpack(self.0.load(Ordering::Acquire)).admit(policy, now).is_some()
    }

    /// Admits an attempt, or not.
    #[must_use]
    pub fn admit(&self, policy: &BreakerPolicy, now: Moment) -> Option<Admitted> {
        let (before, after) = self.update(|word| word.admit(policy, now))?;
        Some(Admitted { era: after.era, half_opens: before.state != after.state })
    }

    /// Counts what came of an attempt. Where that changes the state: how.
    pub fn settle(
        &self,
        admitted: Admitted,
        outcome: Outcome,
        policy: &BreakerPolicy,
        now: Moment,
    ) -> Option<Transition> {
        let settle = |word: Word| (word.era == admitted.era).then(|| word.settle(outcome, policy, now));
        let (before, after) = self.update(settle)?;
        (before.state != after.state)
            .then(|| Transition { to: after.state, attempts: before.attempts(outcome, policy, now) })
    }

    /// Gives an attempt back of which nothing is known: the client went away, or nothing was sent.
    pub fn forget(&self, admitted: Admitted) {
        self.update(|word| (word.era == admitted.era).then(|| word.forget()));
    }

    /// What there was, and what there is.
    fn update(&self, next: impl Fn(Word) -> Option<Word>) -> Option<(Word, Word)> {
        let mut seen = self.0.load(Ordering::Acquire);
        loop {
            let before = Word::unpack(seen);
            let after = next(before)?;
            if after.pack() == seen {
                return Some((before, after));
            }
            match self.0.compare_exchange_weak(seen, after.pack(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some((before, after)),
                Err(other) => seen = other,
            }
        }
    }
}

/// What the number holds: 2 bits of state, 10 of era, 10 of count, 10 of admitted, 32 of due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    state: BreakerState,
    era: u16,
    /// Closed: failures in a row. HalfOpen: successes in a row.
    count: u16,
    /// HalfOpen: attempts admitted.
    admitted: u16,
    /// Open: when it becomes half open. Closed: when failures are forgotten. In hundredths.
    due: u32,
}

const TEN_BITS: u64 = 0x3ff;

impl Word {
    fn unpack(bits: u64) -> Self {
        let field = |shift: u32| u16::try_from(bits >> shift & TEN_BITS).unwrap_or_default();
        Self {
            state: match bits >> 62 {
                0 => BreakerState::Closed,
                1 => BreakerState::Open,
                _ => BreakerState::HalfOpen,
            },
            era: field(52),
            count: field(42),
            admitted: field(32),
            due: u32::try_from(bits & u64::from(u32::MAX)).unwrap_or_default(),
        }
    }

    fn pack(self) -> u64 {
        let field = |value: u16, shift: u32| (u64::from(value) & TEN_BITS) << shift;
        ((self.state as u64) << 62)
            | field(self.era, 52)
            | field(self.count, 42)
            | field(self.admitted, 32)
            | u64::from(self.due)
    }

    /// The numbers of hundredths wrap after a year and more: what lies half of that ahead has passed.
    fn is_due(self, now: Moment) -> bool {
        hundredths(now).wrapping_sub(self.due) < u32::MAX / 2
    }

    fn enter(self, state: BreakerState) -> Self {
        Self { state, era: (self.era + 1) & 0x3ff, count: 0, admitted: 0, due: 0 }
    }

    fn open(self, policy: &BreakerPolicy, now: Moment) -> Self {
        Self { due: later(now, policy.open_timeout), ..self.enter(BreakerState::Open) }
    }

    fn admit(self, policy: &BreakerPolicy, now: Moment) -> Option<Self> {
        match self.state {
            BreakerState::Closed => Some(self),
            BreakerState::Open if self.is_due(now) => Some(Self { admitted: 1, ..self.enter(BreakerState::HalfOpen) }),
            BreakerState::Open => None,
            BreakerState::HalfOpen => {
                (self.admitted < policy.half_open_max_requests).then(|| Self { admitted: self.admitted + 1, ..self })
            }
        }
    }

    fn settle(self, outcome: Outcome, policy: &BreakerPolicy, now: Moment) -> Self {
        match (self.state, outcome) {
            (BreakerState::Closed, Outcome::Success) if self.count > 0 => Self { count: 0, due: 0, ..self },
            (BreakerState::Closed, Outcome::Failure) => self.fail(policy, now),
            (BreakerState::HalfOpen, Outcome::Success) if self.count + 1 >= policy.half_open_max_requests => {
                self.enter(BreakerState::Closed)
            }
            (BreakerState::HalfOpen, Outcome::Success) => Self { count: self.count + 1, ..self },
            (BreakerState::HalfOpen, Outcome::Failure) => self.open(policy, now),
            (_, Outcome::Unknown) => self.forget(),
            (BreakerState::Open | BreakerState::Closed, _) => self,
        }
    }

    /// The attempts in a row, with this one, that come to a change of state. While half open one
    /// failure is enough.
    fn attempts(self, outcome: Outcome, policy: &BreakerPolicy, now: Moment) -> u16 {
        match (self.state, outcome) {
            (BreakerState::Closed, _) => self.remembered(policy, now) + 1,
            (_, Outcome::Failure) => 1,
            _ => self.count + 1,
        }
    }

    /// The failures in a row that still count.
    fn remembered(self, policy: &BreakerPolicy, now: Moment) -> u16 {
        let forgotten = policy.interval.is_some() && self.is_due(now);
        if self.count > 0 && forgotten { 0 } else { self.count }
    }

    /// Its place is free for another.
    fn forget(self) -> Self {
        match self.state {
            BreakerState::HalfOpen => Self { admitted: self.admitted.saturating_sub(1), ..self },
            BreakerState::Open | BreakerState::Closed => self,
        }
    }

    fn fail(self, policy: &BreakerPolicy, now: Moment) -> Self {
        let before = self.remembered(policy, now);
        let due = match policy.interval {
            Some(interval) if before == 0 => later(now, interval),
            _ => self.due,
        };
        if before + 1 >= policy.max_failures {
            return self.open(policy, now);
        }
        Self { count: before + 1, due, ..self }
    }
}

fn hundredths(now: Moment) -> u32 {
    const HUNDREDTH: u64 = 10_000_000;
    u32::try_from(now.nanos() / HUNDREDTH % (1 << 32)).unwrap_or_default()
}

fn later(now: Moment, time: Duration) -> u32 {
    const MOST: u32 = u32::MAX / 2 - 1;
    let time = u32::try_from(time.as_millis().div_ceil(10)).unwrap_or(MOST).min(MOST);
    hundredths(now).wrapping_add(time)
}

#[cfg(test)]
mod tests;
