//! How many requests pass.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits on the rate of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limiter {
    /// A token bucket for each endpoint, on each replica. A request that finds it empty gets 429.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<EndpointLimit>,
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
