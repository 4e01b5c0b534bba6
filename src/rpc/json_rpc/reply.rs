//! Replies: results, errors with their codes, and the body of them all.

use super::{Id, MAX_BATCH, Reply, VERSION};
use crate::rpc::fault::Fault;
use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The code of what the service says itself, from the range that is left to servers.
const SERVER: i32 = -32000;

/// An error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    code: i32,
    message: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<Fault>>,
}

impl Failure {
    const fn standard(code: i32, message: &'static str) -> Self {
        Self { code, message: Cow::Borrowed(message), data: None }
    }

    /// The number of it.
    #[must_use]
    pub const fn code(&self) -> i32 {
        self.code
    }

    /// The body is not JSON.
    #[must_use]
    pub const fn parse_error() -> Self {
        Self::standard(-32700, "Parse error")
    }

    /// The JSON is not a request.
    #[must_use]
    pub const fn invalid_request() -> Self {
        Self::standard(-32600, "Invalid Request")
    }

    /// Too many requests at once.
    #[must_use]
    pub fn too_many() -> Self {
        let message = format!("Invalid Request: a batch has {MAX_BATCH} requests at most.");
        Self { code: -32600, message: message.into(), data: None }
    }

    /// There is no such method.
    #[must_use]
    pub const fn method_not_found() -> Self {
        Self::standard(-32601, "Method not found")
    }

    /// The parameters do not fit the method; the words are appended.
    #[must_use]
    pub fn invalid_params(words: &str) -> Self {
        Self { code: -32602, message: format!("Invalid params: {words}").into(), data: None }
    }

    /// The gateway could not make the call, for no fault of the client.
    #[must_use]
    pub const fn internal() -> Self {
        Self::standard(-32603, "Internal error")
    }

    /// The error of a service, which stands beside the message as it is.
    #[must_use]
    pub fn server(fault: &Fault) -> Self {
        Self { code: SERVER, message: fault.detail.clone().into(), data: Some(Box::new(fault.clone())) }
    }
}

/// The reply to a request that came to something: `result` is JSON.
#[must_use]
pub fn success(id: &Id, result: &[u8]) -> Bytes {
    match serde_json::from_slice::<&RawValue>(result) {
        Ok(result) => write(&Reply { jsonrpc: VERSION, result: Some(result), error: None, id: &id.0 }),
        Err(_) => failure(id, &Failure::internal()),
    }
}

/// The reply to a request that did not.
#[must_use]
pub fn failure(id: &Id, failure: &Failure) -> Bytes {
    write(&Reply { jsonrpc: VERSION, result: None, error: Some(failure), id: &id.0 })
}

fn write(reply: &Reply<'_>) -> Bytes {
    serde_json::to_vec(reply).unwrap_or_default().into()
}

/// The body with these replies, a list for a batch. `None` when nobody waits for one: that is status 204.
#[must_use]
pub fn answer(is_batch: bool, replies: &[Bytes]) -> Option<Bytes> {
    let first = replies.first()?;
    if !is_batch {
        return Some(first.clone());
    }
    let mut body = BytesMut::with_capacity(replies.iter().map(|reply| reply.len() + 1).sum::<usize>() + 1);
    for (index, reply) in replies.iter().enumerate() {
        body.put_u8(if index == 0 { b'[' } else { b',' });
        body.put_slice(reply);
    }
    body.put_u8(b']');
    Some(body.freeze())
}
