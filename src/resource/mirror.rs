//! A Service that gets copies of requests.

use super::port::PortRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A Service that gets copies of requests. What it answers is thrown away, and whatever becomes of
/// a copy, the request itself is not affected. Copied are requests without a body or with one of
/// at most 64 KiB, as long as few copies are under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Mirror {
    /// The name of the Service.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub service: String,
    /// The namespace of the Service. Default: the route's own. Another namespace needs a
    /// ReferenceGrant there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: Option<String>,
    /// The port of the Service, by number or name. Default: the only port of the Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<PortRef>,
    /// How many requests of a hundred are copied, 0 to 100. Default: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub percent: Option<i32>,
}
