//! Counters that one core writes with plain stores and any thread reads.

use super::{BREAKER_STATES, CoreMetrics, HandshakeFailure, Mirrored, Protection, grpc::GrpcStatus};
use prometheus::{
    core::{Collector, Desc},
    proto,
};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// A number with a single writer.
#[derive(Debug, Default)]
pub struct Single(AtomicU64);

impl Single {
    /// Adds, without a locked instruction: only the owning core may call this.
    pub fn add(&self, more: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }

    /// Subtracts; only the owning core may call this.
    pub fn subtract(&self, less: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_sub(less), Ordering::Relaxed);
    }

    /// The number.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The upper bounds of request durations in microseconds: OpenTelemetry's advice for
/// `http.server.request.duration`.
const BOUNDS: [u64; 14] = [
    5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000, 1_000_000, 2_500_000, 5_000_000,
    7_500_000, 10_000_000,
];

/// A histogram of durations with a single writer.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [Single; BOUNDS.len() + 1],
    micros: Single,
}

impl Histogram {
    /// Counts a duration.
    pub fn observe(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| micros <= *bound).unwrap_or(BOUNDS.len());
        self.buckets[bucket].add(1);
        self.micros.add(micros);
    }
}

/// Sums up the cores when somebody scrapes.
pub(super) struct CoresCollector {
    /// The cores, and last the thread that accepts.
    writers: Vec<Arc<CoreMetrics>>,
    descriptions: Vec<Desc>,
}

const FAMILIES: [(&str, &str, &[&str]); 16] = [
    ("paifang_http_request_duration_seconds", "Time from the request head to the end of the response.", &[]),
    (
        "paifang_grpc_errors_total",
        "Calls of gRPC that the gateway itself has answered, by status; their HTTP code is 200.",
        &["grpc_status"],
    ),
    ("paifang_connections", "Connections from clients that are open.", &[]),
    ("paifang_upstream_connects_total", "New connections to endpoints by result.", &["result"]),
    ("paifang_upstream_resends_total", "Requests sent again because a pooled connection had died unused.", &[]),
    ("paifang_upstream_retries_total", "Tries at another endpoint after one had failed.", &[]),
    ("paifang_protection_total", "Times that a limit took effect, by rule.", &["rule"]),
    ("paifang_tls_handshake_failures_total", "TLS handshakes with clients that failed, by cause.", &["cause"]),
    ("paifang_mirrored_requests_total", "Copies of requests for mirrors, by what became of them.", &["result"]),
    ("paifang_outlier_ejections_total", "Endpoints that were ejected because requests to them failed.", &[]),
    ("paifang_breaker_transitions_total", "Breakers that changed their state, by the new one.", &["to"]),
    ("paifang_panics_total", "Panics that ended one request or connection.", &[]),
    (
        "paifang_shared_store_errors_total",
        "Requests that passed uncounted, because the store that replicas share did not answer.",
        &[],
    ),
    ("paifang_shared_store_connections", "Connections to the store that replicas share, one for each core.", &[]),
    ("paifang_upstream_requests_in_flight", "Requests that endpoints serve at the moment.", &[]),
    ("paifang_data_plane_cores", "Cores that the data plane uses.", &[]),
];

impl CoresCollector {
    pub(super) fn new(cores: &[Arc<CoreMetrics>], acceptor: &Arc<CoreMetrics>) -> Result<Self, prometheus::Error> {
        let descriptions = FAMILIES
            .iter()
            .map(|(name, help, labels)| {
                let labels = labels.iter().map(|label| (*label).to_owned()).collect();
                Desc::new((*name).to_owned(), (*help).to_owned(), labels, HashMap::new())
            })
            .collect::<Result<_, _>>()?;
        let writers = cores.iter().chain([acceptor]).cloned().collect();
        Ok(Self { writers, descriptions })
    }

    fn sum(&self, read: impl Fn(&CoreMetrics) -> u64) -> u64 {
        self.writers.iter().map(|writer| read(writer)).fold(0, u64::wrapping_add)
    }

    fn duration(&self) -> proto::Metric {
        let mut histogram = proto::Histogram::default();
        let mut cumulative = 0;
        let mut buckets = Vec::new();
        for (i, bound) in BOUNDS.iter().enumerate() {
            cumulative += self.sum(|core| core.duration.buckets[i].get());
            let mut bucket = proto::Bucket::default();
            bucket.set_cumulative_count(cumulative);
            bucket.set_upper_bound(seconds(*bound));
            buckets.push(bucket);
        }
        cumulative += self.sum(|core| core.duration.buckets[BOUNDS.len()].get());
        histogram.set_bucket(buckets);
        histogram.set_sample_count(cumulative);
        histogram.set_sample_sum(seconds(self.sum(|core| core.duration.micros.get())));
        let mut metric = proto::Metric::default();
        metric.set_histogram(histogram);
        metric
    }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus counts in floating point")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus counts in floating point")]
pub(super) fn counter(value: u64, labels: &[(&str, &str)]) -> proto::Metric {
    let mut number = proto::Counter::default();
    number.set_value(value as f64);
    let mut metric = proto::Metric::default();
    metric.set_counter(number);
    metric.set_label(labels.iter().map(|(name, value)| label(name, value)).collect());
    metric
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus counts in floating point")]
pub(super) fn gauge(value: u64, labels: &[(&str, &str)]) -> proto::Metric {
    let mut number = proto::Gauge::default();
    number.set_value(value as f64);
    let mut metric = proto::Metric::default();
    metric.set_gauge(number);
    metric.set_label(labels.iter().map(|(name, value)| label(name, value)).collect());
    metric
}

fn label(name: &str, value: &str) -> proto::LabelPair {
    let mut label = proto::LabelPair::default();
    label.set_name(name.to_owned());
    label.set_value(value.to_owned());
    label
}

pub(super) fn family(
    name: &str,
    help: &str,
    kind: proto::MetricType,
    metrics: Vec<proto::Metric>,
) -> proto::MetricFamily {
    let mut family = proto::MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

impl Collector for CoresCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        use proto::MetricType::{COUNTER, GAUGE, HISTOGRAM};
        let connects = vec![
            counter(self.sum(|core| core.connects.get()), &[("result", "ok")]),
            counter(self.sum(|core| core.connect_failures.get()), &[("result", "failed")]),
        ];
        let protections = Protection::ALL
            .iter()
            .map(|(rule, word)| {
                let times = self.sum(|core| core.protections[*rule as usize].get());
                counter(times, &[("rule", word)])
            })
            .collect();
        let handshakes = HandshakeFailure::ALL
            .iter()
            .map(|(failure, word)| {
                let times = self.sum(|core| core.failed_handshakes[*failure as usize].get());
                counter(times, &[("cause", word)])
            })
            .collect();
        let mirrored = Mirrored::ALL
            .iter()
            .map(|(result, word)| {
                let copies = self.sum(|core| core.mirrors[*result as usize].get());
                counter(copies, &[("result", word)])
            })
            .collect();
        let breakers = BREAKER_STATES
            .iter()
            .enumerate()
            .map(|(at, (_, word))| counter(self.sum(|core| core.breakers[at].get()), &[("to", word)]))
            .collect();
        let grpc_errors = GrpcStatus::ALL
            .iter()
            .enumerate()
            .map(|(at, status)| {
                let calls = self.sum(|core| core.grpc_errors[at].get());
                counter(calls, &[("grpc_status", &status.number().to_string())])
            })
            .collect();
        let all = [
            (HISTOGRAM, vec![self.duration()]),
            (COUNTER, grpc_errors),
            (GAUGE, vec![gauge(self.sum(|core| core.connections.get()), &[])]),
            (COUNTER, connects),
            (COUNTER, vec![counter(self.sum(|core| core.resends.get()), &[])]),
            (COUNTER, vec![counter(self.sum(|core| core.retries.get()), &[])]),
            (COUNTER, protections),
            (COUNTER, handshakes),
            (COUNTER, mirrored),
            (COUNTER, vec![counter(self.sum(|core| core.ejections.get()), &[])]),
            (COUNTER, breakers),
            (COUNTER, vec![counter(self.sum(|core| core.panics.get()), &[])]),
            (COUNTER, vec![counter(self.sum(|core| core.store_errors.get()), &[])]),
            (GAUGE, vec![gauge(self.sum(|core| core.store_connections.get()), &[])]),
            (GAUGE, vec![gauge(self.sum(|core| core.in_flight.get()), &[])]),
            (GAUGE, vec![gauge(self.writers.len() as u64 - 1, &[])]),
        ];
        FAMILIES.iter().zip(all).map(|((name, help, _), (kind, metrics))| family(name, help, kind, metrics)).collect()
    }
}
