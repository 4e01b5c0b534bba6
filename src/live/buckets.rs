//! Token buckets by key, in a fixed amount of memory that all cores share without a lock.
//!
//! A key belongs to one small set of places. A bucket that is full is worth nothing: a key that has
//! no place is a full bucket. So the place that a new key takes is that of the bucket which is full
//! first, and as long as there is a full one in the set nothing is lost. Else its key starts anew,
//! which is counted. Two cores that bring the same new key at the same moment may let one request
//! more pass.

use super::{
    bucket::{self, Level},
    moment::Moment,
};
use crate::model::limit::Pace;
use std::{
    hash::{BuildHasher as _, Hash, RandomState},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// How many places a set has: the keys of a set fill one line of the cache, their buckets another.
const WAYS: usize = 8;

/// Keys and their buckets.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Set {
    /// 0 for none.
    keys: [AtomicU64; WAYS],
    /// When each bucket is full, in nanoseconds.
    full_at: [AtomicU64; WAYS],
}

/// Buckets by key. They take 16 bytes for each place, from the first token on.
#[derive(Debug)]
pub struct Buckets {
    sets: OnceLock<Box<[Set]>>,
    count: usize,
    /// Nobody outside can choose keys that share a set.
    hasher: RandomState,
}

/// A key, where it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u64);

/// A bucket after a token was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// How many tokens are left.
    pub left: u64,
    /// How long until all are back.
    pub full_in: Duration,
    /// How long until there is one, where there was none.
    pub refused: Option<Duration>,
    /// Another key lost its bucket, which was not full, to this one.
    pub displaced: bool,
}

impl Buckets {
    /// Places for so many keys, rounded up to a power of two.
    #[must_use]
    pub fn new(places: usize) -> Self {
        let count = places.div_ceil(WAYS).next_power_of_two();
        Self { sets: OnceLock::new(), count, hasher: RandomState::new() }
    }

    /// The key of a value.
    pub fn key(&self, value: impl Hash) -> Key {
        Key(self.hasher.hash_one(value).max(1))
    }

    /// Takes a token from the bucket of a key.
    #[must_use]
    pub fn take(&self, key: Key, pace: Pace, now: Moment) -> Taken {
        let set = self.set(key);
        let (way, displaced) = set.way(key, now.nanos());
        let Level { full_in, wait } = bucket::take(&set.full_at[way], pace.per_token(), pace.from_empty(), now.nanos());
        Taken {
            left: pace.left(full_in),
            full_in: Duration::from_nanos(full_in),
            refused: (wait > 0).then(|| Duration::from_nanos(wait)),
            displaced,
        }
    }

    /// Gives a token back that was taken a moment ago.
    pub fn give_back(&self, key: Key, pace: Pace) {
        let set = self.set(key);
        if let Some(way) = set.keys.iter().position(|held| held.load(Ordering::Relaxed) == key.0) {
            let less = |full_at: u64| Some(full_at.saturating_sub(pace.per_token()));
            // It never fails: there is always a new value.
            let _ = set.full_at[way].fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }

    fn set(&self, key: Key) -> &Set {
        let sets = self.sets.get_or_init(|| (0..self.count).map(|_| Set::default()).collect());
        let mask = u64::try_from(self.count - 1).unwrap_or_default();
        &sets[usize::try_from(key.0 & mask).unwrap_or_default()]
    }
}

impl Set {
    /// The place of a key, and whether another key lost a bucket for it that was not full.
    fn way(&self, key: Key, now: u64) -> (usize, bool) {
        loop {
            let (way, held) = match self.find(key) {
                Ok(way) => return (way, false),
                Err(found) => found,
            };
            let full_at = self.full_at[way].load(Ordering::Relaxed);
            if self.keys[way].compare_exchange(held, key.0, Ordering::Relaxed, Ordering::Relaxed).is_err() {
                continue;
            }
            // A bucket that is full serves its next key as it is.
            let displaced = full_at > now;
            if displaced {
                // Whoever is faster has taken from it for this key already.
                let _ = self.full_at[way].compare_exchange(full_at, now, Ordering::Relaxed, Ordering::Relaxed);
            }
            return (way, displaced);
        }
    }

    /// The place that holds a key, else the one to take and the key that it holds.
    fn find(&self, key: Key) -> Result<usize, (usize, u64)> {
        let (mut first, mut soonest) = ((0, 0), u64::MAX);
        for (way, held) in self.keys.iter().enumerate() {
            match held.load(Ordering::Relaxed) {
                held if held == key.0 => return Ok(way),
                // Places are taken in order and never left.
                0 => return Err((way, 0)),
                held => {
                    let full_at = self.full_at[way].load(Ordering::Relaxed);
                    if full_at < soonest {
                        (first, soonest) = ((way, held), full_at);
                    }
                }
            }
        }
        Err(first)
    }
}

#[cfg(test)]
mod tests;
