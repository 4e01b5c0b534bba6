//! When an endpoint that fails gets a rest.

use crate::resource::duration::GatewayDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A circuit breaker for each endpoint, on each replica. Closed passes requests; after failures in
/// a row it opens and the endpoint gets none; after a while it is half open, and a few requests
/// decide.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Breaker {
    /// Failures in a row that open it, 1 to 1000. Default: 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_failures: Option<i32>,
    /// Requests that pass while it is half open, 1 to 1000; so many successes in a row close it,
    /// one failure opens it again. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub half_open_max_requests: Option<i32>,
    /// How long it stays open, as in `30s`. Default: 60s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_timeout: Option<GatewayDuration>,
    /// How long failures are remembered while it is closed. `0s`: until a success. Default: 60s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<GatewayDuration>,
    /// What counts as a failure besides a connection that fails or breaks. Default: nothing more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2), extend("x-kubernetes-list-type" = "set"))]
    pub fail_on: Vec<FailureKind>,
}

/// A kind of failure that a breaker may count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FailureKind {
    /// The endpoint answered with a status from 500 to 599.
    ServerError,
    /// The endpoint did not answer in time.
    Timeout,
}
