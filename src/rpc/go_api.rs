//! The messages of go-micro's api handler: a request of HTTP as a message, a message as a response, and events.

use super::codec::Codec;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

mod request;
mod response;
#[cfg(test)]
mod tests;

pub use request::{Incoming, NotText};
pub use response::BadResponse;

/// Names and their values.
pub type Pairs = BTreeMap<String, Pair>;

/// One name with all its values.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, prost::Message)]
#[serde(default)]
pub struct Pair {
    /// The name.
    #[prost(string, tag = "1")]
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub key: String,
    /// The values, in the order in which they came.
    #[prost(string, repeated, tag = "2")]
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub values: Vec<String>,
}

/// A request of HTTP.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, prost::Message)]
#[serde(default)]
pub struct Request {
    /// The method.
    #[prost(string, tag = "1")]
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub method: String,
    /// The path, decoded.
    #[prost(string, tag = "2")]
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub path: String,
    /// The headers, with `Host` and `Content-Type` always.
    #[prost(btree_map = "string, message", tag = "3")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub header: Pairs,
    /// The parameters of the query.
    #[prost(btree_map = "string, message", tag = "4")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub get: Pairs,
    /// The fields of a form.
    #[prost(btree_map = "string, message", tag = "5")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub post: Pairs,
    /// The body, unless it is a form.
    #[prost(string, tag = "6")]
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub body: String,
    /// Path and query as they came.
    #[prost(string, tag = "7")]
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub url: String,
}

/// A response of HTTP.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, prost::Message)]
#[serde(default)]
pub struct Response {
    /// The status, 0 for 200.
    #[prost(int32, tag = "1")]
    #[serde(rename = "statusCode", alias = "status_code", deserialize_with = "or_default")]
    pub status_code: i32,
    /// The headers. The name is that in the pair, whatever the key of the map is.
    #[prost(btree_map = "string, message", tag = "2")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub header: Pairs,
    /// The body.
    #[prost(string, tag = "3")]
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub body: String,
}

/// An event.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, prost::Message)]
#[serde(default)]
pub struct Event {
    /// The name.
    #[prost(string, tag = "1")]
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub name: String,
    /// The identity.
    #[prost(string, tag = "2")]
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub id: String,
    /// Seconds since the epoch.
    #[prost(int64, tag = "3")]
    #[serde(deserialize_with = "or_default")]
    pub timestamp: i64,
    /// Headers of the request that it was made of.
    #[prost(btree_map = "string, message", tag = "4")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub header: Pairs,
    /// What happened.
    #[prost(string, tag = "5")]
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub data: String,
}

/// Bytes that are not a message of the encoding that they came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the service answered no go.api.Response")]
pub struct NotAMessage;

/// The bytes of a message, in JSON or protobuf.
#[must_use]
pub fn encode(message: &(impl Serialize + prost::Message), codec: Codec) -> Bytes {
    if codec.is_json() {
        serde_json::to_vec(message).unwrap_or_default().into()
    } else {
        message.encode_to_vec().into()
    }
}

/// The message in these bytes. Nothing at all is a message without fields.
///
/// # Errors
/// When they are not a message.
pub fn decode<M: Default + prost::Message + for<'de> Deserialize<'de>>(
    bytes: &[u8],
    codec: Codec,
) -> Result<M, NotAMessage> {
    match (codec.is_json(), bytes.is_empty()) {
        (_, true) => Ok(M::default()),
        (true, false) => serde_json::from_slice(bytes).map_err(|_| NotAMessage),
        (false, false) => M::decode(bytes).map_err(|_| NotAMessage),
    }
}

fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
