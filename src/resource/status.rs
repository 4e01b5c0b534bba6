//! What the gateway reports on a route.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What runs of this route, as reported by the gateway. Never set by users.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewayRouteStatus {
    /// Accepted: the route is well formed and belongs to this gateway. ResolvedRefs: everything
    /// that it refers to exists and may be used. Programmed: it is installed on every core of the
    /// replica that writes status.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The endpoints behind all backends of the route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<EndpointCounts>,
    /// The generation of the resource that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// How many endpoints there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointCounts {
    /// Endpoints that take new requests.
    pub ready: i32,
    /// All endpoints, ready or not.
    pub total: i32,
    /// Both in one text for the printer column, as in `2/3`.
    pub summary: String,
}
