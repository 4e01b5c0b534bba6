//! How a rule finds the Service of each request, where it names none.

use super::port::PortRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the service of each request is found: among the services of the route's own namespace, by the
/// name that they registered, and by the name of a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resolver {
    /// Where a request names its service. Default: Micro.
    #[serde(default, rename = "type")]
    pub type_: ResolverType,
    /// What is put in front of the name that a request has. It is joined with a dot:
    /// `go.micro.api` and `greeter` are `go.micro.api.greeter`. Where it ends in a hyphen it is
    /// joined as it is, and all dots become hyphens, as names of Services have them:
    /// `go-micro-api-` and `v1.greeter` are `go-micro-api-v1-greeter`. Empty: nothing is put in
    /// front. Default: go.micro.api.
    #[serde(default = "default_namespace")]
    #[schemars(length(max = 253), regex(pattern = r"^([A-Za-z0-9][-A-Za-z0-9_.]*)?$"))]
    pub namespace: String,
    /// The port of a Service that is found by its own name, by number or name. Services without
    /// that port are not found. Default: the only port; Services with several are not found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<PortRef>,
}

/// Where a request names its service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ResolverType {
    /// In its path, service and method: `/greeter/say/hello` is `Say.Hello` of `greeter`, and
    /// `/v1/greeter/hello` is `Greeter.Hello` of `v1.greeter`.
    #[default]
    Micro,
    /// In the first segment of its path.
    Path,
    /// In the first segment of its path, or the first two where the first is a version:
    /// `/v1/greeter/hello` is of `v1.greeter`.
    VPath,
    /// In its host, without port.
    Host,
    /// In the path of a gRPC call, up to the last dot: `/greeter.Say/Hello` is `Say.Hello` of
    /// `greeter`.
    Grpc,
}

fn default_namespace() -> String {
    "go.micro.api".to_owned()
}
