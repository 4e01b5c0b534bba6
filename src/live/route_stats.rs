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
const METHODS: [Method; OTHER_METHOD as usize] = [
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

/// The place after them.
const OTHER_METHOD: u32 = 9;

/// How many combinations of method and code a route counts apart on one core. What comes later is
/// counted by the class of its code alone, so that nobody can make room for lies.
const SLOTS: usize = 24;
/// The classes of status codes, 1xx to 5xx.
const CLASSES: usize = 5;

/// A small table from (method, code) to a count. One core writes, any thread reads.
#[derive(Debug)]
struct Slots {
    keys: [AtomicU32; SLOTS],
    counts: [AtomicU64; SLOTS],
    by_class: [AtomicU64; CLASSES],
}

impl Slots {
    fn new() -> Self {
        Self {
            keys: [const { AtomicU32::new(0) }; SLOTS],
            counts: [const { AtomicU64::new(0) }; SLOTS],
            by_class: [const { AtomicU64::new(0) }; CLASSES],
        }
    }

    fn add(&self, key: u32, status: StatusCode) {
        for (slot, count) in self.keys.iter().zip(&self.counts) {
            let found = slot.load(Ordering::Relaxed);
            if found == 0 {
                slot.store(key, Ordering::Release);
            }
            if found == 0 || found == key {
                return increment(count);
            }
        }
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES);
        increment(&self.by_class[class - 1]);
    }

    /// The counts, by key.
    fn read(&self) -> impl Iterator<Item = (u32, u64)> {
        let apart = self.keys.iter().map(|key| key.load(Ordering::Acquire)).take_while(|key| *key != 0);
        let by_class = (1..).map(|class| class << 8 | OTHER_METHOD);
        let counts = apart.zip(&self.counts).chain(by_class.zip(&self.by_class));
        counts.map(|(key, count)| (key, count.load(Ordering::Relaxed))).filter(|(_, count)| *count > 0)
    }
}

/// One core writes, so nothing comes between.
fn increment(count: &AtomicU64) {
    count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
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
        slots.add(key(method, status), status);
    }

    /// Adds the counts of all cores, by key.
    pub(crate) fn read(&self, into: &mut BTreeMap<u32, u64>) {
        for (key, count) in self.cores.iter().filter_map(OnceLock::get).flat_map(|slots| slots.read()) {
            *into.entry(key).or_default() += count;
        }
    }
}

fn key(method: &Method, status: StatusCode) -> u32 {
    let method = (0..OTHER_METHOD).zip(&METHODS).find(|(_, known)| *known == method);
    u32::from(status.as_u16()) << 8 | method.map_or(OTHER_METHOD, |(place, _)| place)
}

/// A key as labels say it: the code or its class such as `5xx`, and the method.
pub(crate) fn words(key: u32) -> (String, &'static str) {
    const NAMES: [&str; OTHER_METHOD as usize] =
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    let method = NAMES.get((key & 0xff) as usize).copied().unwrap_or("_OTHER");
    let code = match key >> 8 {
        class @ 0..100 => format!("{class}xx"),
        code => code.to_string(),
    };
    (code, method)
}
