//! How the health of endpoints is judged: by what requests tell, and by checks.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

/// When an endpoint is ejected for what requests tell of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OutlierPolicy {
    /// Errors in a row that eject it, 1 to 1000.
    pub consecutive_errors: u16,
    /// How long it stays out the first time; each time after that, so much longer.
    pub ejection_time: Duration,
    /// The most endpoints that may be out at one time, in percent of those that take requests. One
    /// that is well stays in any case.
    pub max_ejection_percent: u8,
    /// A connection that is refused, times out or breaks before the response head is an error.
    pub count_connect_failures: bool,
    /// A status from 500 to 599 is an error.
    pub count_server_errors: bool,
    /// A response head that does not come in time is an error.
    pub count_timeouts: bool,
}

/// How endpoints are checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HealthCheck {
    /// The request that is sent; `None`: to be connected to is enough.
    pub request: Option<CheckRequest>,
    /// The port that is checked, where it is not the one that serves.
    pub port: Option<u16>,
    /// The time from the end of one check to the next.
    pub interval: Duration,
    /// How long one may take.
    pub timeout: Duration,
    /// Checks in a row that must pass before an unhealthy endpoint is healthy.
    pub healthy_threshold: u16,
    /// Checks in a row that must fail before a healthy endpoint is unhealthy.
    pub unhealthy_threshold: u16,
}

/// What a check asks, and which answers pass.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CheckRequest {
    /// A GET request.
    Get(GetCheck),
    /// `grpc.health.v1.Health/Check` for the service of this name; empty for all of the endpoint.
    Grpc(Arc<str>),
}

/// A GET request, and which answers pass.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GetCheck {
    /// Path and query.
    pub path: Arc<str>,
    /// The Host field; `None`: the address of the endpoint.
    pub host: Option<Arc<str>>,
    /// The status codes that pass.
    pub statuses: Box<[RangeInclusive<u16>]>,
}
