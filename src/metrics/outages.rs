//! Endpoints that are out, by name: what somebody who is woken up asks first.

use super::cell::{family, gauge};
use prometheus::{
    core::{Collector, Desc},
    proto,
};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock},
};

/// The most series. Those beyond are counted by `paifang_endpoints` alone.
pub const MOST: usize = 200;

const NAME: &str = "paifang_endpoint_out";
const HELP: &str = "1 for each endpoint that is out, and why; the first 200.";
const LABELS: [&str; 5] = ["namespace", "service", "port", "endpoint", "cause"];

/// An endpoint that is out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The namespace of the Service.
    pub namespace: Arc<str>,
    /// The name of the Service.
    pub service: Arc<str>,
    /// The port of the Service.
    pub port: u16,
    /// The address of the endpoint.
    pub endpoint: String,
    /// Why: one of a closed list of words.
    pub cause: &'static str,
}

type Read = Box<dyn Fn() -> Vec<Outage> + Send + Sync>;

/// A family of gauges that lists outages when somebody scrapes. It is empty until connected.
#[derive(Clone)]
pub struct Outages {
    description: Desc,
    read: Arc<OnceLock<Read>>,
}

impl fmt::Debug for Outages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outages").finish_non_exhaustive()
    }
}

impl Outages {
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        let labels = LABELS.iter().map(|label| (*label).to_owned()).collect();
        let description = Desc::new(NAME.to_owned(), HELP.to_owned(), labels, HashMap::new())?;
        Ok(Self { description, read: Arc::default() })
    }

    /// Connects what lists them, at most [`MOST`]; the first call counts.
    pub fn read(&self, read: impl Fn() -> Vec<Outage> + Send + Sync + 'static) {
        let _ = self.read.set(Box::new(read));
    }
}

impl Collector for Outages {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.description]
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let outages = self.read.get().map(|read| read()).unwrap_or_default();
        if outages.is_empty() {
            return Vec::new();
        }
        vec![family(NAME, HELP, proto::MetricType::GAUGE, outages.iter().map(metric).collect())]
    }
}

fn metric(outage: &Outage) -> proto::Metric {
    let Outage { namespace, service, port, endpoint, cause } = outage;
    let port = port.to_string();
    // In the order that the text format is compared by.
    let labels =
        [("cause", *cause), ("endpoint", endpoint), ("namespace", namespace), ("port", &port), ("service", service)];
    gauge(1, &labels)
}
