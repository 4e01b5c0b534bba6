//! The part of a route that says how requests reach a backend: limits and balancing.

use super::duration::GatewayDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How requests are passed on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProxyPolicy {
    /// Cut the prefix that a PathPrefix match took from the path before passing it on:
    /// `/web/a` reaches the backend as `/a`. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trim_prefix: Option<bool>,
    /// How long a connection to an endpoint may take, as in `300ms` or `5s`. Default: 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dial_timeout: Option<GatewayDuration>,
    /// How long the backend may take to answer with the response head, from the moment it was
    /// chosen. `0s` turns the limit off. Default: 60s. Bodies may stream longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_timeout: Option<GatewayDuration>,
}

/// How an endpoint is picked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Balancing {
    /// The strategy. Default: RoundRobin.
    #[serde(default)]
    pub strategy: BalancingStrategy,
}

/// The strategies that pick an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum BalancingStrategy {
    /// Each endpoint in turn.
    #[default]
    RoundRobin,
    /// Any endpoint, each as likely.
    Random,
}
