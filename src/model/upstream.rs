//! Upstreams: a port of a Service with the policy that every route to it shares.

use super::target::ServicePort;
use std::time::Duration;

/// How an endpoint is picked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// Each endpoint in turn.
    #[default]
    RoundRobin,
    /// Any endpoint, each as likely.
    Random,
}

/// Policy of a Service port: how its endpoints are picked and dialled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamPolicy {
    /// How an endpoint is picked.
    pub strategy: Strategy,
    /// How long a connection to an endpoint may take. Default 5 s.
    pub dial_timeout: Duration,
}

impl Default for UpstreamPolicy {
    fn default() -> Self {
        Self { strategy: Strategy::default(), dial_timeout: Duration::from_secs(5) }
    }
}

/// A balanced group of endpoints: one port of one Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The Service port.
    pub port: ServicePort,
    /// The policy that all routes to it share.
    pub policy: UpstreamPolicy,
}
