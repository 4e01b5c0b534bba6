//! Metrics: every counter of the process in one struct, registered once in a registry of its own.
//!
//! Cores count with plain stores into cells that they alone write; the sum is made when somebody
//! scrapes. Labels come from configuration, never from a request.

pub mod cell;
pub mod grpc;
pub mod outages;
pub mod reading;
pub mod routes;

pub use reading::{Reading, Readings};

use crate::live::breaker::BreakerState;
use cell::{Histogram, Single};
use grpc::GrpcStatus;
use outages::Outages;
use prometheus::{Encoder as _, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};
use routes::Routes;
use std::sync::Arc;

/// The rules that protect the gateway; the label of `paifang_protection_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// More connections than allowed.
    Connections,
    /// More connections of one client than allowed.
    ClientConnections,
    /// A connection that had to come from a trusted proxy, and did not.
    UntrustedProxy,
    /// A connection whose proxy did not say whom it is for, in time and by the rules (PROXY protocol).
    ProxyHeader,
    /// An idle connection that was closed to make room.
    IdleShed,
    /// The process has no file descriptors left.
    Descriptors,
    /// What is no HTTP, so that there is no request to log.
    Malformed,
    /// Frames of HTTP/2 that only cost work.
    Http2Flood,
    /// A request head that did not arrive in time.
    HeadTimeout,
    /// A TLS handshake that did not end in time.
    HandshakeTimeout,
    /// A TLS handshake that had to wait for others.
    HandshakeDelayed,
    /// A connection that was idle for too long.
    IdleTimeout,
    /// A request body that paused for too long, or came too slowly.
    BodyTimeout,
    /// A client that did not take what it was sent.
    WriteTimeout,
    /// An endpoint that stopped sending within its answer.
    StreamIdleTimeout,
    /// A tunnel through which nothing passed for too long.
    TunnelIdleTimeout,
    /// A request that was refused before it was routed.
    Admission,
    /// A request for which too many others were under way.
    Requests,
    /// A log line that was dropped because the writer could not keep up.
    AccessLog,
    /// A request over the rate of its endpoint.
    EndpointLimit,
    /// A request over a limit of its route.
    RequestLimit,
    /// A client whose count was given up for another's: there are more of them than places.
    RequestLimitKeys,
    /// A request that found all breakers open.
    Breaker,
    /// A request that found no endpoint that is well.
    Unhealthy,
    /// A retry that the budget did not allow.
    RetryBudget,
}

impl Protection {
    const ALL: [(Self, &'static str); 25] = [
        (Self::Connections, "connections"),
        (Self::ClientConnections, "client_connections"),
        (Self::UntrustedProxy, "untrusted_proxy"),
        (Self::ProxyHeader, "proxy_header"),
        (Self::IdleShed, "idle_shed"),
        (Self::Descriptors, "descriptors"),
        (Self::Malformed, "malformed"),
        (Self::Http2Flood, "http2_flood"),
        (Self::HeadTimeout, "head_timeout"),
        (Self::HandshakeTimeout, "handshake_timeout"),
        (Self::HandshakeDelayed, "handshake_delayed"),
        (Self::IdleTimeout, "idle_timeout"),
        (Self::BodyTimeout, "body_timeout"),
        (Self::WriteTimeout, "write_timeout"),
        (Self::StreamIdleTimeout, "stream_idle_timeout"),
        (Self::TunnelIdleTimeout, "tunnel_idle_timeout"),
        (Self::Admission, "admission"),
        (Self::Requests, "requests"),
        (Self::AccessLog, "access_log"),
        (Self::EndpointLimit, "endpoint_limit"),
        (Self::RequestLimit, "request_limit"),
        (Self::RequestLimitKeys, "request_limit_keys"),
        (Self::Breaker, "breaker"),
        (Self::Unhealthy, "unhealthy"),
        (Self::RetryBudget, "retry_budget"),
    ];
}

/// Why a TLS handshake failed; the label of `paifang_tls_handshake_failures_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeFailure {
    /// There is no certificate for the name.
    NoCertificate,
    /// No version, cipher or protocol in common.
    Incompatible,
    /// The client showed no certificate where it must, or one that is not valid.
    ClientCertificate,
    /// What came is no TLS, or breaks its rules.
    Malformed,
    /// The client refused, most often the certificate.
    Refused,
    /// The client went away.
    Closed,
    /// It took too long.
    Timeout,
}

impl HandshakeFailure {
    const ALL: [(Self, &'static str); 7] = [
        (Self::NoCertificate, "no_certificate"),
        (Self::Incompatible, "incompatible"),
        (Self::ClientCertificate, "client_certificate"),
        (Self::Malformed, "malformed"),
        (Self::Refused, "refused"),
        (Self::Closed, "closed"),
        (Self::Timeout, "timeout"),
    ];
}

/// What became of the copy of a request; the label of `paifang_mirrored_requests_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mirrored {
    /// The Service answered.
    Answered,
    /// It did not.
    Failed,
    /// None was made: too many were under way.
    Overflow,
    /// None was made: the body is too large.
    TooLarge,
    /// None was made: the body broke off.
    Incomplete,
}

impl Mirrored {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Answered, "answered"),
        (Self::Failed, "failed"),
        (Self::Overflow, "overflow"),
        (Self::TooLarge, "too_large"),
        (Self::Incomplete, "incomplete"),
    ];
}

/// The states of a breaker; the label of `paifang_breaker_transitions_total`.
const BREAKER_STATES: [(BreakerState, &str); 3] =
    [(BreakerState::Closed, "closed"), (BreakerState::HalfOpen, "half_open"), (BreakerState::Open, "open")];

/// What one core counts; it is the only writer.
#[derive(Debug, Default)]
pub struct CoreMetrics {
    /// Time from the request head to the end of the response.
    pub duration: Histogram,
    /// New connections to endpoints that worked.
    pub connects: Single,
    /// New connections to endpoints that failed.
    pub connect_failures: Single,
    /// Requests that endpoints serve at the moment.
    pub in_flight: Single,
    /// Requests sent again because a pooled connection had died unused.
    pub resends: Single,
    /// Tries at another endpoint after one had failed.
    pub retries: Single,
    /// Panics that ended one request or connection.
    pub panics: Single,
    /// Requests that passed uncounted, because the shared store did not answer.
    pub store_errors: Single,
    /// 1 while the core is connected to the shared store.
    pub store_connections: Single,
    /// Connections from clients that are open.
    pub connections: Single,
    protections: [Single; Protection::ALL.len()],
    failed_handshakes: [Single; HandshakeFailure::ALL.len()],
    mirrors: [Single; Mirrored::ALL.len()],
    /// Endpoints that were ejected.
    pub ejections: Single,
    breakers: [Single; BREAKER_STATES.len()],
    grpc_errors: [Single; GrpcStatus::ALL.len()],
}

impl CoreMetrics {
    /// Counts a protection that took effect.
    pub fn protect(&self, protection: Protection) {
        self.protect_each(protection, 1);
    }

    /// Counts so many events that a limit or a deadline ended.
    pub fn protect_each(&self, protection: Protection, events: u64) {
        self.protections[protection as usize].add(events);
    }

    #[cfg(test)]
    pub(crate) fn protected(&self, protection: Protection) -> u64 {
        self.protections[protection as usize].get()
    }

    /// Counts a TLS handshake that failed.
    pub fn failed_handshake(&self, failure: HandshakeFailure) {
        self.failed_handshakes[failure as usize].add(1);
    }

    /// Counts a breaker that changed its state.
    pub fn breaker_turned(&self, to: BreakerState) {
        if let Some(at) = BREAKER_STATES.iter().position(|(state, _)| *state == to) {
            self.breakers[at].add(1);
        }
    }

    /// Counts a call of gRPC that the gateway itself has answered.
    pub fn grpc_failed(&self, status: GrpcStatus) {
        self.grpc_errors[status.place()].add(1);
    }

    /// Counts the copy of a request.
    pub fn mirrored(&self, result: Mirrored) {
        self.mirrors[result as usize].add(1);
    }
}

/// Every metric of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// What each core counts.
    pub cores: Vec<Arc<CoreMetrics>>,
    /// What the thread that accepts counts.
    pub acceptor: Arc<CoreMetrics>,
    /// Requests by route.
    pub routes: Arc<Routes>,
    /// What the control path counts.
    pub control: ControlMetrics,
}

/// What the control path counts. Rare events: shared counters are good enough.
#[derive(Clone, Debug)]
pub struct ControlMetrics {
    /// Seconds that a translation with its table took.
    pub apply_duration: prometheus::Histogram,
    /// When a table was last installed on every core.
    pub last_success: IntGauge,
    /// Objects by kind and state.
    pub objects: IntGaugeVec,
    /// Failed watches by kind.
    pub watch_errors: Readings,
    /// Status writes by result.
    pub status_writes: Readings,
    /// Health checks by result.
    pub health_checks: Readings,
    /// Endpoints by state.
    pub endpoints: Readings,
    /// Service ports by state.
    pub service_ports: Readings,
    /// Endpoints that checks found to be in another state, by the new one.
    pub health_transitions: Readings,
    /// Endpoints that are out, by name.
    pub outages: Outages,
    /// 1 on the replica that writes status.
    pub leader: IntGauge,
    /// When certificates expire.
    pub certificate_expiry: IntGaugeVec,
    /// The number of the table in use.
    pub generation: IntGauge,
}

impl Metrics {
    /// Metrics for so many cores, registered.
    ///
    /// # Errors
    /// When two metrics have one name, which a test excludes.
    pub fn new(cores: usize, most_series: usize) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let cores: Vec<Arc<CoreMetrics>> = (0..cores).map(|_| Arc::default()).collect();
        let routes = Arc::new(Routes::new(cores.len(), most_series));
        let acceptor = Arc::<CoreMetrics>::default();
        registry.register(Box::new(cell::CoresCollector::new(&cores, &acceptor)?))?;
        registry.register(Box::new(routes::RoutesCollector::new(&routes)?))?;
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let control = ControlMetrics::register(&registry)?;
        Ok(Self { registry, cores, acceptor, routes, control })
    }

    /// Everything in Prometheus' text format.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            Ok(()) => text,
            Err(error) => format!("# {error}\n").into_bytes(),
        }
    }
}

impl ControlMetrics {
    fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let info = IntGaugeVec::new(Opts::new("paifang_build_info", "The version that runs; always 1."), &["version"])?;
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        registry.register(Box::new(info))?;
        let metrics = Self::unregistered()?;
        for collector in metrics.collectors() {
            registry.register(collector)?;
        }
        Ok(metrics)
    }

    fn unregistered() -> Result<Self, prometheus::Error> {
        let buckets = vec![0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];
        let histogram = prometheus::HistogramOpts::new(
            "paifang_config_apply_duration_seconds",
            "Time from a change to its table on every core.",
        );
        Ok(Self {
            apply_duration: prometheus::Histogram::with_opts(histogram.buckets(buckets))?,
            last_success: IntGauge::new(
                "paifang_config_last_success_timestamp_seconds",
                "Unix time at which a table was last installed on every core.",
            )?,
            objects: gauges(
                "paifang_config_objects",
                "Objects that this gateway serves, by state.",
                &["kind", "state"],
            )?,
            watch_errors: Readings::counters(
                "paifang_watch_errors_total",
                "Failed lists and watches by kind.",
                "kind",
            )?,
            status_writes: Readings::counters("paifang_status_writes_total", "Writes of status by result.", "result")?,
            health_checks: Readings::counters(
                "paifang_health_checks_total",
                "Health checks by result; delayed are those that had to wait for others.",
                "result",
            )?,
            endpoints: Readings::gauges(
                "paifang_endpoints",
                "Endpoints of Service ports in use, by state; those in another state are eligible too.",
                "state",
            )?,
            service_ports: Readings::gauges(
                "paifang_service_ports",
                "Service ports in use, by state; empty ones have no endpoint, panicking ones do not believe health.",
                "state",
            )?,
            health_transitions: Readings::counters(
                "paifang_health_check_transitions_total",
                "Endpoints that health checks found to be in another state, by the new one.",
                "to",
            )?,
            outages: Outages::new()?,
            leader: IntGauge::new("paifang_leader", "1 on the replica that writes status.")?,
            certificate_expiry: gauges(
                "paifang_tls_certificate_expiry_timestamp_seconds",
                "Unix time at which a served certificate expires.",
                &["namespace", "secret"],
            )?,
            generation: IntGauge::new("paifang_config_generation", "Number of the routing table in use.")?,
        })
    }

    fn collectors(&self) -> Vec<Box<dyn prometheus::core::Collector>> {
        vec![
            Box::new(self.apply_duration.clone()),
            Box::new(self.last_success.clone()),
            Box::new(self.objects.clone()),
            Box::new(self.watch_errors.clone()),
            Box::new(self.status_writes.clone()),
            Box::new(self.health_checks.clone()),
            Box::new(self.endpoints.clone()),
            Box::new(self.service_ports.clone()),
            Box::new(self.health_transitions.clone()),
            Box::new(self.outages.clone()),
            Box::new(self.leader.clone()),
            Box::new(self.certificate_expiry.clone()),
            Box::new(self.generation.clone()),
        ]
    }
}

fn gauges(name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
    IntGaugeVec::new(Opts::new(name, help), labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_metrics_register_and_print() {
        let metrics = Metrics::new(2, 10).unwrap();
        metrics.cores[0].protect(Protection::HeadTimeout);
        let text = String::from_utf8(metrics.text()).unwrap();
        assert!(text.contains("paifang_protection_total{rule=\"head_timeout\"} 1"), "{text}");
        assert!(text.contains("paifang_build_info{version="), "{text}");
    }
}
