//! The counts of one route: requests by method and status code, apart for each core.

use http::{Method, StatusCode};
use std::{
    collections::BTreeMap,
    sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

/// Methods that have a series of their own; all others share `_OTHER`, as OpenTelemetry has it.
const METHODS: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
    Method::CONNECT,
];

/// How many combinations of method and code a route counts apart on one core.
const SLOTS: usize = 24;

/// A small table from (method, code) to a count. One core writes, any thread reads.
#[derive(Debug)]
struct Slots {
    keys: [AtomicU32; SLOTS],
    counts: [AtomicU64; SLOTS],
}

impl Slots {
    fn new() -> Self {
        Self { keys: [const { AtomicU32::new(0) }; SLOTS], counts: [const { AtomicU64::new(0) }; SLOTS] }
    }

    fn add(&self, key: u32) {
        for (slot, count) in self.keys.iter().zip(&self.counts) {
            let found = slot.load(Ordering::Relaxed);
            if found == 0 {
                slot.store(key, Ordering::Release);
            }
            if found == 0 || found == key {
                count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                return;
            }
        }
        // More combinations than slots: the last one takes the rest, so that sums stay right.
        let last = &self.counts[SLOTS - 1];
        last.store(last.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// The counts of one route.
#[derive(Debug)]
pub struct RouteStats {
    cores: Box<[OnceLock<Box<Slots>>]>,
}

impl RouteStats {
    /// No counts yet, on so many cores.
    #[must_use]
    pub fn new(cores: usize) -> Self {
        Self { cores: (0..cores).map(|_| OnceLock::new()).collect() }
    }

    /// Counts a request; only the core of this number may call this.
    pub fn count(&self, core: usize, method: &Method, status: StatusCode) {
        let slots = self.cores[core].get_or_init(|| Box::new(Slots::new()));
        slots.add(key(method, status));
    }

    /// Adds the counts of all cores, by key.
    pub(crate) fn read(&self, into: &mut BTreeMap<u32, u64>) {
        for slots in self.cores.iter().filter_map(OnceLock::get) {
            for (key, count) in slots.keys.iter().zip(&slots.counts) {
                match key.load(Ordering::Acquire) {
                    0 => break,
                    key => *into.entry(key).or_default() += count.load(Ordering::Relaxed),
                }
            }
        }
    }
}

fn key(method: &Method, status: StatusCode) -> u32 {
    let method = METHODS.iter().position(|known| known == method).unwrap_or(METHODS.len());
    u32::from(status.as_u16()) << 8 | u32::try_from(method).unwrap_or(u32::MAX)
}

/// A key as labels say it: the code, and the method.
pub(crate) fn words(key: u32) -> (String, &'static str) {
    const NAMES: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    let method = NAMES.get((key & 0xff) as usize).copied().unwrap_or("_OTHER");
    ((key >> 8).to_string(), method)
}
