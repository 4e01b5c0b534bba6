//! Upstreams: a port of a Service with the policy that every route to it shares.

use super::{
    health::{HealthCheck, OutlierPolicy},
    target::ServicePort,
    transport::Transport,
};
use crate::rpc::registry::Dialect;
use http::HeaderName;
use std::{num::NonZeroU32, sync::Arc, time::Duration};

/// How an endpoint is picked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// Each endpoint in turn.
    #[default]
    RoundRobin,
    /// Any endpoint, each as likely.
    Random,
    /// In turn by weight, evenly spread.
    WeightedRoundRobin,
    /// Any endpoint, as likely as its weight says.
    WeightedRandom,
    /// The fewest requests under way.
    LessLoad,
    /// The same endpoint for the same key.
    Hash(HashOn),
}

/// What a hash is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum HashOn {
    /// The address of the client.
    #[default]
    ClientAddress,
    /// The first field of this name.
    Header(HeaderName),
    /// The cookie of this name.
    Cookie(Arc<str>),
    /// The first query parameter of this name, as it is written.
    QueryParam(Arc<str>),
}

/// How an endpoint is picked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Balancing {
    /// The strategy.
    pub strategy: Strategy,
    /// The load that an endpoint may have before hashing goes on to the next, in percent of its
    /// share of what is under way, 100 or more. `None`: any.
    pub hash_balance_factor: Option<u16>,
    /// How long a new endpoint takes to come to its full share. `None`: it has it at once.
    pub slow_start: Option<Duration>,
    /// Where less than so many percent of the endpoints are well, it is not believed that the
    /// others are not. Default 50; with 0 it always is.
    pub panic_threshold: u8,
}

impl Default for Balancing {
    fn default() -> Self {
        Self { strategy: Strategy::default(), hash_balance_factor: None, slow_start: None, panic_threshold: 50 }
    }
}

/// A token bucket: the rate at which it fills, and its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenBucket {
    /// Tokens per second.
    pub rate: NonZeroU32,
    /// Tokens that it holds, and has at the start.
    pub peak: NonZeroU32,
}

/// When the breaker of an endpoint opens and closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BreakerPolicy {
    /// Failures in a row that open it, at most 1000.
    pub max_failures: u16,
    /// Requests that pass while it is half open, at most 1000.
    pub half_open_max_requests: u16,
    /// How long it stays open.
    pub open_timeout: Duration,
    /// How long failures are remembered; `None`: until a success.
    pub interval: Option<Duration>,
    /// A status from 500 to 599 is a failure.
    pub count_server_errors: bool,
    /// A time-out is a failure.
    pub count_timeouts: bool,
}

/// What is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RetryPolicy {
    /// How many times. Default 1.
    pub count: u8,
    /// Also what was sent, where it may be replayed. Default: only what was not sent.
    pub replays: bool,
    /// Status codes of endpoints after which a request that may be replayed is tried again.
    pub statuses: Box<[u16]>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { count: 1, replays: false, statuses: Box::default() }
    }
}

/// What is spoken to endpoints below HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Nothing: plain text.
    #[default]
    Http,
    /// TLS.
    Https,
}

/// A limit in time; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TimeLimit(pub Option<Duration>);

/// Policy of a Service port: how its endpoints are picked, spared and dialled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamPolicy {
    /// How an endpoint is picked.
    pub balancing: Balancing,
    /// The rate of requests that each endpoint takes; `None` for any.
    pub limit: Option<TokenBucket>,
    /// When an endpoint that fails gets a rest; `None`: never.
    pub breaker: Option<BreakerPolicy>,
    /// When an endpoint is ejected for what requests tell of it; `None`: never.
    pub outlier: Option<OutlierPolicy>,
    /// How endpoints are checked; `None`: not at all.
    pub health_check: Option<Arc<HealthCheck>>,
    /// How long a connection to an endpoint may take. Default 5 s.
    pub dial_timeout: Duration,
    /// What is spoken below HTTP. `None`: what the port's `appProtocol` says.
    pub scheme: Option<Scheme>,
    /// How long a TLS handshake with an endpoint may take. Default 10 s.
    pub tls_handshake_timeout: Duration,
    /// How long the response head may take, all tries together. Default 60 s.
    pub request_timeout: TimeLimit,
    /// How long one try may take. Default: no limit of its own.
    pub try_timeout: TimeLimit,
    /// What is tried again.
    pub retry: RetryPolicy,
}

impl Default for UpstreamPolicy {
    fn default() -> Self {
        Self {
            balancing: Balancing::default(),
            limit: None,
            breaker: None,
            outlier: None,
            health_check: None,
            dial_timeout: Duration::from_secs(5),
            scheme: None,
            tls_handshake_timeout: Duration::from_secs(10),
            request_timeout: TimeLimit(Some(Duration::from_secs(60))),
            try_timeout: TimeLimit(None),
            retry: RetryPolicy::default(),
        }
    }
}

/// A balanced group of endpoints: one port of one Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The Service port.
    pub port: ServicePort,
    /// The policy that all routes to it share.
    pub policy: UpstreamPolicy,
    /// How its endpoints are connected to. `None`: what was set for it cannot be used, and its
    /// requests get 500.
    pub transport: Option<Transport>,
    /// What its endpoints understand when a method is called.
    pub dialect: Dialect,
}
