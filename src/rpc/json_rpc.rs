//! JSON-RPC 2.0 as a server speaks it: requests alone and in batches, notifications, replies and errors.
//!
//! JSON-RPC 1.0 is an encoding of go-micro's, see [`super::codec`].

use super::{codec::Codec, fault::Fault};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

mod batch;
mod reply;
#[cfg(test)]
mod tests;

pub use batch::{MAX_BATCH, Requests, is_version_two, read};
pub use reply::{Failure, answer, failure, success};

/// The version that every request and reply names.
const VERSION: &str = "2.0";

/// What ties a reply to its request: a text, a number or `null`, as it was written.
#[derive(Clone, Debug)]
pub struct Id(Box<RawValue>);

impl Id {
    /// The id of a reply to what has none that could be read.
    #[must_use]
    pub fn null() -> Self {
        Self(RawValue::NULL.to_owned())
    }

    fn of(raw: &RawValue) -> Option<Self> {
        let is_one = matches!(raw.get().as_bytes().first(), Some(b'"' | b'-' | b'0'..=b'9')) || raw.get() == "null";
        is_one.then(|| Self(raw.to_owned()))
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method, as the client names it.
    pub method: String,
    /// Where the reply belongs. A notification has none, and gets no reply.
    pub id: Option<Id>,
    params: Option<Bytes>,
}

impl Call {
    /// The message for a service: the named parameters, or the only one.
    ///
    /// # Errors
    /// When there are several without names.
    pub fn message(&self) -> Result<Bytes, Failure> {
        let Some(params) = &self.params else { return Ok(Codec::Json.empty()) };
        if params.first() == Some(&b'{') {
            return Ok(params.clone());
        }
        match serde_json::from_slice::<Vec<&RawValue>>(params).as_deref() {
            Ok([]) => Ok(Codec::Json.empty()),
            Ok([only]) => Ok(params.slice_ref(only.get().as_bytes())),
            _ => Err(Failure::invalid_params("Give parameters by name, or one alone.")),
        }
    }
}

/// A request as it is written.
#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
}

/// A value that is there, `null` too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// The id of what is no request otherwise.
#[derive(Deserialize)]
struct WrittenId<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
}

/// Reads one request out of the body that holds it.
fn call(body: &Bytes, raw: &RawValue) -> Result<Call, (Id, Failure)> {
    let invalid = || {
        let id = serde_json::from_str(raw.get()).ok().and_then(|WrittenId { id }| Id::of(id?));
        (id.unwrap_or_else(Id::null), Failure::invalid_request())
    };
    let written: Written<'_> = serde_json::from_str(raw.get()).map_err(|_| invalid())?;
    let id = match written.id {
        Some(id) => Some(Id::of(id).ok_or_else(invalid)?),
        None => None,
    };
    let is_list_or_map = |params: &&RawValue| params.get().starts_with(['{', '[']);
    if written.jsonrpc != VERSION || !written.params.as_ref().is_none_or(is_list_or_map) {
        return Err(invalid());
    }
    let params = written.params.map(|params| body.slice_ref(params.get().as_bytes()));
    Ok(Call { method: written.method.into_owned(), id, params })
}

/// What a fault of the service is to the client.
impl From<&Fault> for Failure {
    fn from(fault: &Fault) -> Self {
        if fault.is_unknown_method() { Self::method_not_found() } else { Self::server(fault) }
    }
}

/// One reply as it is written.
#[derive(Serialize)]
struct Reply<'a> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a Failure>,
    id: &'a RawValue,
}
