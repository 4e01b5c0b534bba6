//! How endpoints are checked.

use crate::resource::duration::GatewayDuration;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What gRPC's health service is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GrpcHealthCheck {
    /// The service that is asked about, such as shop.Cart. Default: all of the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253), regex(pattern = r"^[A-Za-z0-9._-]*$"))]
    pub service: Option<String>,
}

/// Checks each endpoint on its own account, once per replica of the gateway. An endpoint is
/// healthy until checks say otherwise. Without path and grpc, an endpoint that takes a connection
/// passes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.statuses) || has(self.path)").message("healthCheck.statuses needs healthCheck.path").field_path(".statuses"),
    validation = Rule::new("!has(self.statuses) || self.statuses.all(s, s.size() == 3 || s.substring(0, 3) <= s.substring(4))").message("a range of healthCheck.statuses must not end before it begins").field_path(".statuses"),
    validation = Rule::new("!has(self.host) || has(self.path)").message("healthCheck.host needs healthCheck.path").field_path(".host"),
    validation = Rule::new("!has(self.grpc) || !has(self.path)").message("healthCheck has path or grpc, not both").field_path(".grpc"),
    validation = Rule::new("!has(self.interval) || duration(self.interval) >= duration('100ms')").message("healthCheck.interval must be at least 100ms").field_path(".interval"),
    validation = Rule::new("!has(self.timeout) || duration(self.timeout) > duration('0s')").message("healthCheck.timeout must not be 0").field_path(".timeout")
)]
pub struct HealthCheck {
    /// Path and query of a GET request. Default: none, connecting is enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = r"^/[A-Za-z0-9/._~!$&'()*+,;=:@%?-]*$"))]
    pub path: Option<String>,
    /// The Host field of the request. Default: the address of the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[A-Za-z0-9.:_\[\]-]+$"))]
    pub host: Option<String>,
    /// The status codes that pass, each alone or as a range, such as `204` or `200-399`. At most 8.
    /// Default: 200-299.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8), inner(length(min = 3, max = 7), regex(pattern = r"^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$")), extend("x-kubernetes-list-type" = "set"))]
    pub statuses: Option<Vec<String>>,
    /// Call gRPC's health service in place of a GET request: grpc.health.v1.Health/Check over HTTP/2,
    /// and over TLS where requests go over TLS. The status SERVING passes. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc: Option<GrpcHealthCheck>,
    /// The port of the endpoints that is checked, 1 to 65535. Default: the one that serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub port: Option<i32>,
    /// The time between two checks of an endpoint, at least 100ms. Default: 10s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<GatewayDuration>,
    /// How long a check may take. Default: 1s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GatewayDuration>,
    /// Checks in a row that must pass before an unhealthy endpoint is healthy, 1 to 100. Default: 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub healthy_threshold: Option<i32>,
    /// Checks in a row that must fail before a healthy endpoint is unhealthy, 1 to 100. Default: 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub unhealthy_threshold: Option<i32>,
}
