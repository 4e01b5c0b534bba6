//! When an endpoint that fails is ejected.

use crate::resource::duration::GatewayDuration;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Ejects an endpoint for a while when requests to it fail several times in a row, on each
/// replica. Unlike a breaker it never takes away the last endpoint: where too many are out, the
/// others stay in whatever they do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.ejectionTime) || duration(self.ejectionTime) >= duration('100ms')").message("outlierEjection.ejectionTime must be at least 100ms").field_path(".ejectionTime")
)]
pub struct OutlierEjection {
    /// Errors in a row that eject an endpoint, 1 to 1000. Default: 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub consecutive_errors: Option<i32>,
    /// How long an endpoint stays out the first time, at least 100ms; the second time in a row it
    /// stays out twice as long, and so on, at most 300s. Default: 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ejection_time: Option<GatewayDuration>,
    /// The most endpoints that may be out at one time, in percent of those that take requests, 1
    /// to 100. One that is well stays in any case. Default: 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_ejection_percent: Option<i32>,
    /// What counts as an error. Empty: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3), extend("x-kubernetes-list-type" = "set"))]
    pub fail_on: Vec<OutlierKind>,
}

/// A kind of error that ejection may count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OutlierKind {
    /// A connection that is refused, times out or breaks before the response head.
    ConnectFailure,
    /// The endpoint answered with a status from 500 to 599.
    ServerError,
    /// The endpoint did not answer in time.
    Timeout,
}
