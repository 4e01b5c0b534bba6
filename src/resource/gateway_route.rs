//! The `GatewayRoute` resource: hosts, rules and policy.

use super::{
    client_validation::ClientValidation,
    policy::{Balancing, Breaker, HealthCheck, Limiter, OutlierEjection, ProxyPolicy},
    port::PortRef,
    rule::Rule as RouteRule,
    status::GatewayRouteStatus,
};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The class that a route has when it names none.
pub const DEFAULT_CLASS: &str = "paifang";

/// What the route asks for: rules that route requests, or policy for a Service port.
#[expect(clippy::duplicated_attributes, reason = "each printer column has a type of its own")]
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "paifang.dev",
    version = "v1alpha1",
    kind = "GatewayRoute",
    namespaced,
    status = "GatewayRouteStatus",
    derive = "PartialEq",
    derive = "Default",
    shortname = "gwr",
    category = "all",
    category = "gateway-api",
    category = "paifang",
    doc = "A GatewayRoute routes HTTP requests for some hosts to Services, or sets policy for a port of a Service.",
    selectable = ".spec.className",
    printcolumn(
        name = "Hosts",
        type_ = "string",
        json_path = ".spec.hostnames",
        description = "Host names that the route serves; none means every host"
    ),
    printcolumn(
        name = "Class",
        type_ = "string",
        json_path = ".spec.className",
        description = "The gateway class that serves the route"
    ),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Accepted")].status"#,
        description = "Whether the route is well formed"
    ),
    printcolumn(
        name = "Programmed",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Programmed")].status"#,
        description = "Whether the route is installed in the data plane"
    ),
    printcolumn(
        name = "Endpoints",
        type_ = "string",
        json_path = ".status.endpoints.summary",
        description = "Ready and all endpoints behind the route"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the route was created"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.status=="False")].reason"#,
        description = "Why a condition does not hold",
        priority = "1"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.policyFor) != has(self.rules)").message("set exactly one of rules (to route requests) and policyFor (to set policy for a Service port)"),
    validation = Rule::new("!has(self.rules) || self.rules.all(a, !has(a.name) || self.rules.filter(b, has(b.name) && b.name == a.name).size() == 1)").message("two rules have the same name").field_path(".rules"),
    validation = Rule::new("!has(self.policyFor) || !has(self.hostnames)").message("hostnames cannot be set together with policyFor").field_path(".hostnames"),
    validation = Rule::new("!has(self.policyFor) || !has(self.tls)").message("tls cannot be set together with policyFor").field_path(".tls"),
    validation = Rule::new("!has(self.policyFor) || !has(self.proxy) || !has(self.proxy.trimPrefix)").message("proxy.trimPrefix belongs to a route with rules, not to policyFor").field_path(".proxy.trimPrefix"),
    validation = Rule::new("!has(self.policyFor) || !has(self.limiter) || !has(self.limiter.requests)").message("limiter.requests belongs to a route with rules, not to policyFor").field_path(".limiter.requests")
)]
pub struct GatewayRouteSpec {
    /// The gateway class that serves this route. Default: paifang.
    #[serde(default = "default_class")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub class_name: String,
    /// Host names without port, such as `api.example.com`, or with a star as the whole first
    /// label, such as `*.example.com` (one label or more). Empty: every host. At most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 253), regex(pattern = r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")), extend("x-kubernetes-list-type" = "set"))]
    pub hostnames: Vec<String>,
    /// TLS for the host names of this route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<RouteTls>,
    /// The rules. A request takes the most specific rule of all routes: Exact path before
    /// Template, RegularExpression and the longest PathPrefix; then more conditions; then the
    /// oldest route. At least 1, at most 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub rules: Option<Vec<RouteRule>>,
    /// Instead of rules: the port of a Service whose balancing and limits this object sets, for
    /// every route that uses it. Where several objects set them, the oldest wins and the others
    /// say Conflicted in their status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_for: Option<PolicyTarget>,
    /// How requests are passed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxyPolicy>,
    /// How an endpoint is picked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balancing: Option<Balancing>,
    /// How many requests pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limiter: Option<Limiter>,
    /// When an endpoint that fails gets a rest. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Breaker>,
    /// When an endpoint that fails is ejected in favour of others. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlier_ejection: Option<OutlierEjection>,
    /// How endpoints are checked besides the requests that they serve. Default: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
}

fn default_class() -> String {
    DEFAULT_CLASS.to_owned()
}

/// A port of a Service in the route's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyTarget {
    /// The name of the Service.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub service: String,
    /// The port of the Service, by number or name. Default: the only port of the Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<PortRef>,
}

/// TLS for the host names of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.secretNamespace) || has(self.secretName)").message("tls.secretNamespace needs tls.secretName").field_path(".secretNamespace")
)]
pub struct RouteTls {
    /// A Secret of type kubernetes.io/tls with the certificate for the host names.
    /// Default: none, the gateway's default certificate is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub secret_name: Option<String>,
    /// The namespace of the Secret. Default: the route's own. Another namespace needs a
    /// ReferenceGrant there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub secret_namespace: Option<String>,
    /// Answer plain HTTP requests with 308 to the same address over HTTPS. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<bool>,
    /// Tell browsers to use HTTPS only (RFC 6797). Sent on HTTPS responses. Default: not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hsts: Option<Hsts>,
    /// The certificates that clients of the host names must show. Default: none are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_validation: Option<ClientValidation>,
}

/// The Strict-Transport-Security header (RFC 6797).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hsts {
    /// How long browsers remember it, in seconds, 0 to 63072000 (two years). 0 makes browsers
    /// forget. Default: 31536000, one year.
    #[serde(default = "one_year")]
    #[schemars(range(min = 0, max = 63_072_000))]
    pub max_age_seconds: i32,
    /// Whether sub-domains are meant too. Default: false.
    #[serde(default)]
    pub include_subdomains: bool,
    /// Whether the preload directive is added. Default: false.
    #[serde(default)]
    pub preload: bool,
}

fn one_year() -> i32 {
    31_536_000
}
