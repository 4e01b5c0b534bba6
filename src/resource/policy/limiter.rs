//! How many requests pass.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits on the rate of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.requests) || self.requests.all(a, !has(a.name) || self.requests.filter(b, has(b.name) && b.name == a.name).size() == 1)").message("limiter.requests: two limits have the same name").field_path(".requests")
)]
pub struct Limiter {
    /// A token bucket for each endpoint, on each replica. A request that finds it empty gets 429.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<EndpointLimit>,
    /// Limits on the requests of this route. A request passes when all of them let it, else it
    /// gets 429 and counts for none. At most 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "atomic"))]
    pub requests: Option<Vec<RequestLimit>>,
}

/// A token bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointLimit {
    /// Requests per second, 1 to 1000000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub rate: i32,
    /// Requests that may come at once, 1 to 1000000: the size of the bucket, which starts full.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub peak: i32,
}

/// A limit on the requests of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestLimit {
    /// What clients are told the limit is called, unique in the route. A limit that is renamed
    /// starts anew. Default: `limit-` and its place in the list, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: Option<String>,
    /// Whose requests are counted together. Default: all requests of the route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<LimitKey>,
    /// Requests in each period, 1 to 1000000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub rate: i32,
    /// The period of the rate. Default: Second.
    #[serde(default)]
    pub per: LimitPeriod,
    /// Requests that may come at once, 1 to 1000000. They come back at the rate. Default: the
    /// rate, so that a whole period's requests may come at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub burst: Option<i32>,
    /// Who counts: Replica, each replica for itself in memory, or Cluster, all replicas together in
    /// the Redis or Valkey of the setting `--redis`. While that cannot be reached, every request
    /// passes. Default: Replica.
    #[serde(default)]
    pub scope: LimitScope,
}

/// What tells apart whose requests are counted. A request that lacks it is counted by the client's
/// address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.name) == (has(self.type) && self.type != 'ClientAddress')").message("limiter.requests: key.name belongs to the types Header and PathCapture, and they need it").field_path(".name")
)]
pub struct LimitKey {
    /// The kind. Default: ClientAddress.
    #[serde(default, rename = "type")]
    pub type_: LimitKeyType,
    /// The name of the header field, or of the variable in the path template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"))]
    pub name: Option<String>,
}

/// The kinds of value that requests are counted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LimitKeyType {
    /// The address of the client, as trusted proxies tell it; of IPv6 the first 64 bits.
    #[default]
    ClientAddress,
    /// The first field of a name, such as one with an API key.
    Header,
    /// A variable of the path template, such as `{tenant}`.
    PathCapture,
}

/// The periods of a rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LimitPeriod {
    /// A second.
    #[default]
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// 24 hours.
    Day,
}

/// Who counts the requests of a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LimitScope {
    /// Each replica for itself, in memory.
    #[default]
    Replica,
    /// All replicas together, in the Redis or Valkey of the setting `--redis`. While it cannot be
    /// reached, every request passes.
    Cluster,
}
