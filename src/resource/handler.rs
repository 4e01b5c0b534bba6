//! How the requests of a rule are handled: a kind, and a block of settings for the kinds that have some.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a request is handled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(crate::resource::handler::available_rule()).message(crate::resource::handler::unavailable("handler.type").as_str()).field_path(".type"),
    validation = Rule::new("!has(self.rpc) || (has(self.type) && self.type == 'Rpc')").message("handler.rpc needs handler.type Rpc").field_path(".rpc"),
    validation = Rule::new("!has(self.api) || (has(self.type) && self.type == 'Api')").message("handler.api needs handler.type Api").field_path(".api")
)]
pub struct Handler {
    /// The kind of handler. Default: Http; and Api in a rule with a resolver, whose services are
    /// called by method.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<HandlerType>,
    /// Settings of type Rpc. Default: the call is the one that the request names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpc: Option<RpcHandler>,
    /// Settings of type Api. Default: the call is the one that the request names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiHandler>,
}

impl Handler {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The kinds of handler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HandlerType {
    /// A reverse proxy for HTTP requests. An Upgrade header is not passed on.
    #[default]
    Http,
    /// As Http, and WebSocket or any other protocol upgrade is passed through.
    Web,
    /// A call of an RPC method with the request's body as its message.
    Rpc,
    /// A call of an RPC method with the whole HTTP request as its message.
    Api,
    /// The request is published as an event.
    Event,
    /// The request is published as a CloudEvent.
    CloudEvents,
    /// Publish and subscribe over HTTP and WebSocket.
    Broker,
    /// The services of the route's namespace, listed by the gateway itself. The rule has no backends.
    Registry,
}

impl HandlerType {
    /// The kinds that this version has.
    pub const AVAILABLE: [Self; 5] = [Self::Http, Self::Web, Self::Rpc, Self::Api, Self::Registry];
}

/// The CEL rule that takes what is available alone.
pub(crate) fn available_rule() -> String {
    let names = HandlerType::AVAILABLE.map(|kind| format!("'{kind:?}'"));
    format!("!has(self.type) || self.type in [{}]", names.join(", "))
}

/// What is said of a kind that is not available.
pub(crate) fn unavailable(what: &str) -> String {
    let names = HandlerType::AVAILABLE.map(|kind| format!("{kind:?}"));
    let (last, others) = names.split_last().expect("there must be a kind of handler");
    format!("{what} is not available in this version: use {} or {last}", others.join(", "))
}

/// The call of a rule with handler Rpc.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RpcHandler {
    /// The name by which the service is called, such as `go.micro.api.greeter`. Default: the name
    /// of the Service that the request goes to. Not in a rule with a resolver, which finds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"))]
    pub service: Option<String>,
    /// The method that is called, `Say.Hello`, or the path of a gRPC method,
    /// `/fixture.Say/Hello`. Default: the one that the path of the request names:
    /// `/greeter/say/hello` is `Say.Hello`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 3, max = 253),
        regex(pattern = r"^([A-Za-z0-9_]+[.][A-Za-z0-9_]+|/[A-Za-z0-9_.]+/[A-Za-z0-9_]+)$")
    )]
    pub method: Option<String>,
    /// Whether the method takes and gives streams of messages. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
}

/// The call of a rule with handler Api.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiHandler {
    /// The name by which the service is called, such as `go.micro.api.greeter`. Default: the name
    /// of the Service that the request goes to. Not in a rule with a resolver, which finds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"))]
    pub service: Option<String>,
    /// The method that is called, `Say.Hello`, or the path of a gRPC method,
    /// `/fixture.Say/Hello`. Default: the one that the path of the request names:
    /// `/greeter/say/hello` is `Say.Hello`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 3, max = 253),
        regex(pattern = r"^([A-Za-z0-9_]+[.][A-Za-z0-9_]+|/[A-Za-z0-9_.]+/[A-Za-z0-9_]+)$")
    )]
    pub method: Option<String>,
}
