//! Services as go-micro's registries write them: names, nodes, and endpoints with their metadata.
//!
//! These are go-micro's words: its node is what the rest of the gateway calls an endpoint, and its endpoint is a
//! method of a service. Reading takes what every generation wrote; writing uses the form of the latest.

use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

mod annotation;
mod change;
mod limits;
#[cfg(test)]
mod tests;

pub use annotation::{
    ANNOTATION_PREFIX, AnnotationError, SELECTOR_PREFIX, TYPE_LABEL, TYPE_SERVICE, annotation_key, of_annotations,
    selector_label,
};
pub use change::{Action, Change};
pub use limits::{
    MAX_BYTES, MAX_DEPTH, MAX_ENDPOINTS, MAX_NODES, MAX_PAIRS, MAX_TEXT, Problem, ServiceError, parse, parse_removal,
};

/// Names and values, in the order of names.
pub type Metadata = BTreeMap<String, String>;

/// One version of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Service {
    /// The name: `go.micro.api.greeter`.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// The version, in no particular form.
    #[serde(deserialize_with = "or_default")]
    pub version: String,
    /// What else is said of the service.
    #[serde(deserialize_with = "or_default")]
    pub metadata: Metadata,
    /// Its methods, and its subscribers, which nobody can call.
    #[serde(deserialize_with = "or_default")]
    pub endpoints: Vec<Endpoint>,
    /// Where it runs.
    #[serde(deserialize_with = "or_default")]
    pub nodes: Vec<Node>,
}

/// One process of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, from = "WrittenNode")]
pub struct Node {
    /// The identity.
    pub id: String,
    /// Host and port: `10.1.2.3:8080`.
    pub address: String,
    /// What else is said of the node; [`Node::dialect`] reads `protocol` and `transport`.
    pub metadata: Metadata,
}

/// A node as it is written: up to go-micro 1.7 with the port beside the address.
#[derive(Default, Deserialize)]
#[serde(default)]
struct WrittenNode {
    #[serde(deserialize_with = "or_default")]
    id: String,
    #[serde(deserialize_with = "or_default")]
    address: String,
    #[serde(deserialize_with = "or_default")]
    port: u16,
    #[serde(deserialize_with = "or_default")]
    metadata: Metadata,
}

impl From<WrittenNode> for Node {
    fn from(written: WrittenNode) -> Self {
        let WrittenNode { id, address, port, metadata } = written;
        let address = if port == 0 || address.is_empty() { address } else { format!("{address}:{port}") };
        Self { id, address, metadata }
    }
}

/// A method of a service, or one of its subscribers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Endpoint {
    /// The method, `Say.Hello`; `Func` for a subscriber.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// What it takes.
    pub request: Option<Value>,
    /// What it answers.
    pub response: Option<Value>,
    /// How requests reach it, see [`crate::rpc::endpoint`].
    #[serde(deserialize_with = "or_default")]
    pub metadata: Metadata,
}

/// A type, and the fields of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Value {
    /// The name of the field, or of the type itself.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// The type in Go's words.
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub kind: String,
    /// Its fields.
    #[serde(deserialize_with = "or_default")]
    pub values: Vec<Self>,
}

/// What is spoken with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// go-micro's own protocol, over HTTP/1.1.
    Mucp,
    /// The same in the envelopes from before go-micro 0.14, which wrote no `protocol`.
    MucpEnvelope,
    /// gRPC.
    Grpc,
    /// Something that no call can be made over.
    Other,
}

impl Dialect {
    /// What it is called.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mucp => "mucp",
            Self::MucpEnvelope => "mucp in envelopes",
            Self::Grpc => "gRPC",
            Self::Other => "unknown",
        }
    }
}

impl Node {
    /// What the node speaks, by its metadata.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        let text = |name: &str| self.metadata.get(name).map(String::as_str);
        match (text("protocol"), text("transport")) {
            (Some("grpc"), _) => Dialect::Grpc,
            (Some("mucp"), None | Some("http" | "")) => Dialect::Mucp,
            (None | Some(""), None | Some("http" | "")) => Dialect::MucpEnvelope,
            _ => Dialect::Other,
        }
    }
}

impl Endpoint {
    /// Whether it is a subscriber: a part of the service that takes messages, and no calls.
    #[must_use]
    pub fn is_subscriber(&self) -> bool {
        self.metadata.get("subscriber").is_some_and(|value| value == "true")
    }
}

impl Service {
    /// Takes over the nodes and endpoints of another registration of the same service and version. What both have
    /// stays as it is.
    pub fn merge(&mut self, other: Self) {
        for node in other.nodes {
            if self.nodes.iter().all(|known| known.id != node.id) {
                self.nodes.push(node);
            }
        }
        for endpoint in other.endpoints {
            if self.endpoints.iter().all(|known| known.name != endpoint.name) {
                self.endpoints.push(endpoint);
            }
        }
    }
}

/// The value, or the default for `null`, which Go writes for what is empty.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
