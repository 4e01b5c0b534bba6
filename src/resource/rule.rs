//! One rule of a route: what it takes, how it handles it, and where it sends it.

use super::{handler::Handler, matches::RouteMatch, mirror::Mirror, port::PortRef, resolver::Resolver};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is said of a rule that sends requests nowhere.
pub(crate) const NOWHERE: &str =
    "backends must name at least one Service, unless a resolver is set, or the handler is Registry";

/// What is said of a rule that sends requests somewhere though the gateway answers them.
pub(crate) const ANSWERS_ITSELF: &str =
    "handler Registry answers requests itself: leave out backends, resolver and mirror";

/// Requests that match go to one of the backends, or to the service that the resolver finds, by the
/// handler named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.resolver) || (has(self.backends) && self.backends.size() > 0) || (has(self.handler) && has(self.handler.type) && self.handler.type == 'Registry')").message(crate::resource::rule::NOWHERE).field_path(".backends"),
    validation = Rule::new("!(has(self.handler) && has(self.handler.type) && self.handler.type == 'Registry') || !(has(self.backends) || has(self.resolver) || has(self.mirror))").message(crate::resource::rule::ANSWERS_ITSELF).field_path(".handler"),
    validation = Rule::new("!has(self.resolver) || !has(self.backends)").message("set exactly one of backends (the Services that requests go to) and resolver (requests name their service)").field_path(".resolver"),
    validation = Rule::new("!has(self.resolver) || !has(self.handler) || !((has(self.handler.rpc) && has(self.handler.rpc.service)) || (has(self.handler.api) && has(self.handler.api.service)))").message("the service of a call belongs to a rule with backends: a resolver finds it").field_path(".handler")
)]
pub struct Rule {
    /// A name for the rule, unique in the route, shown in status and logs. Optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: Option<String>,
    /// The requests that this rule takes: any one of these. Empty: every request. At most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "atomic"))]
    pub matches: Vec<RouteMatch>,
    /// How a request is handled. Default: Http; Api in a rule with a resolver.
    #[serde(default, skip_serializing_if = "Handler::is_default")]
    pub handler: Handler,
    /// The Services that requests go to, in proportion to their weights. At least 1, at most 16.
    /// Not together with a resolver, nor with handler Registry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub backends: Vec<BackendRef>,
    /// Instead of backends: how the service is found that each request names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolver: Option<Resolver>,
    /// A Service that gets copies of the requests. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Mirror>,
    /// What to do with a path that a backend could read in another way than the gateway.
    /// Default: Strict.
    #[serde(default, skip_serializing_if = "PathSafety::is_default")]
    pub path_safety: PathSafety,
}

/// A Service that receives requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackendRef {
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
    /// The share of requests relative to the other backends, 0 to 1000000. 0 receives none.
    /// Default: 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub weight: i32,
}

fn one() -> i32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_one(weight: &i32) -> bool {
    *weight == 1
}

/// What to do with ambiguous paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum PathSafety {
    /// Refuse with 400: encoded slashes, backslashes, NUL, dot segments in any encoding, path
    /// parameters (`;`) and invalid percent-encoding. Repeated slashes become one.
    #[default]
    Strict,
    /// As Strict, but an encoded slash (`%2F`) passes as a part of its segment.
    AllowEncodedSlash,
    /// Pass the path byte for byte, unchecked. Only for backends that need it.
    Raw,
}

impl PathSafety {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
