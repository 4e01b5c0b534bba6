//! The part of a route that says how requests reach a backend: limits in time, retries, balancing,
//! limiter and breaker.

mod balancing;
mod breaker;
mod endpoint_tls;
mod health;
mod limiter;
mod outlier;

pub use balancing::{Balancing, BalancingStrategy, HashOn, HashOnType};
pub use breaker::{Breaker, FailureKind};
pub use endpoint_tls::{EndpointTls, Scheme, SecretRef};
pub use health::{GrpcHealthCheck, HealthCheck};
pub use limiter::{EndpointLimit, LimitKey, LimitKeyType, LimitPeriod, LimitScope, Limiter, RequestLimit};
pub use outlier::{OutlierEjection, OutlierKind};

use super::duration::GatewayDuration;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// How requests are passed on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.tls) || !has(self.scheme) || self.scheme == 'Https'").message("proxy.tls needs proxy.scheme Https, or none").field_path(".tls")
)]
pub struct ProxyPolicy {
    /// Cut the prefix that a PathPrefix match took from the path before passing it on:
    /// `/web/a` reaches the backend as `/a`. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trim_prefix: Option<bool>,
    /// How long a connection to an endpoint may take, as in `300ms` or `5s`. Default: 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dial_timeout: Option<GatewayDuration>,
    /// What is spoken to endpoints below HTTP: Http for nothing, Https for TLS. Default: Https where
    /// the appProtocol of the Service's port is https, h2 or kubernetes.io/wss, else Http.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<Scheme>,
    /// How long a TLS handshake with an endpoint may take. Default: 10s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_handshake_timeout: Option<GatewayDuration>,
    /// How TLS is spoken to endpoints, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<EndpointTls>,
    /// How long the backend may take to answer with the response head, all tries together, from
    /// the last byte of the request on. `0s` turns the limit off. Default: 60s. The body of the
    /// response may stream longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_timeout: Option<GatewayDuration>,
    /// How long one try may take to bring the response head. `0s` turns the limit off. Default:
    /// none, so that only requestTimeout counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub try_timeout: Option<GatewayDuration>,
    /// How many times a request is tried again at another endpoint, 0 to 10. Tried again are
    /// requests that were not sent, of any method, and where this field is set also those that
    /// were sent and may be replayed: GET, HEAD, OPTIONS, TRACE, PUT and DELETE without a body.
    /// At most a fifth of a Service port's requests are retries. Default: 1, and no replays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10))]
    pub retry_count: Option<i32>,
    /// Status codes of endpoints, 500 to 599, after which a request that may be replayed is tried
    /// again. Default: none. At most 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8), inner(range(min = 500, max = 599)), extend("x-kubernetes-list-type" = "set"))]
    pub retry_statuses: Option<Vec<i32>>,
}
