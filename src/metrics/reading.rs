//! Numbers that other parts keep for themselves, read when somebody scrapes.

use super::cell::{counter, family, gauge};
use prometheus::{
    core::{Collector, Desc},
    proto,
};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock},
};

/// One number: its label, and how to read it.
pub struct Reading {
    label: &'static str,
    read: Box<dyn Fn() -> u64 + Send + Sync>,
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("label", &self.label).finish_non_exhaustive()
    }
}

impl Reading {
    /// A number that `read` reads.
    pub fn new(label: &'static str, read: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self { label, read: Box::new(read) }
    }
}

/// A family of such numbers, apart by one label. It has no series before it is connected.
#[derive(Clone)]
pub struct Readings {
    name: &'static str,
    help: &'static str,
    label: &'static str,
    /// Counters, else gauges.
    counts: bool,
    description: Desc,
    readings: Arc<OnceLock<Vec<Reading>>>,
}

impl Readings {
    /// A family of counters that is not connected yet.
    ///
    /// # Errors
    /// When the name or label is not one that Prometheus takes.
    pub fn counters(name: &'static str, help: &'static str, label: &'static str) -> Result<Self, prometheus::Error> {
        let description = Desc::new(name.to_owned(), help.to_owned(), vec![label.to_owned()], HashMap::new())?;
        Ok(Self { name, help, label, counts: true, description, readings: Arc::default() })
    }

    /// A family of gauges that is not connected yet.
    ///
    /// # Errors
    /// When the name or label is not one that Prometheus takes.
    pub fn gauges(name: &'static str, help: &'static str, label: &'static str) -> Result<Self, prometheus::Error> {
        Ok(Self { counts: false, ..Self::counters(name, help, label)? })
    }

    /// Connects the numbers; the first call counts.
    pub fn read(&self, readings: Vec<Reading>) {
        let _ = self.readings.set(readings);
    }
}

impl fmt::Debug for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readings").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Collector for Readings {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.description]
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        use proto::MetricType::{COUNTER, GAUGE};
        let metrics: Vec<_> = self
            .readings
            .get()
            .into_iter()
            .flatten()
            .map(|reading| {
                let (value, labels) = ((reading.read)(), [(self.label, reading.label)]);
                if self.counts { counter(value, &labels) } else { gauge(value, &labels) }
            })
            .collect();
        if metrics.is_empty() {
            return Vec::new();
        }
        vec![family(self.name, self.help, if self.counts { COUNTER } else { GAUGE }, metrics)]
    }
}
