//! The encodings of messages that go-micro tells apart by content type, and the envelopes of the older ones.

use super::frame;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

mod proto_rpc;
#[cfg(test)]
mod tests;

/// How a message is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// JSON.
    Json,
    /// Protobuf.
    Protobuf,
    /// Bytes that nobody looks into.
    Bytes,
    /// JSON in the envelope of JSON-RPC 1.0.
    JsonRpc,
    /// Protobuf behind a header of its own: two blocks with their lengths.
    ProtoRpc,
    /// Protobuf with the prefix of gRPC.
    Grpc,
    /// The same.
    GrpcProto,
    /// JSON with the prefix of gRPC.
    GrpcJson,
}

/// Why bytes are not a message of an encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Not JSON, or not the envelope of JSON-RPC.
    #[error("the message is not JSON, or not in the envelope of JSON-RPC 1.0")]
    Json,
    /// Not the blocks of proto-rpc.
    #[error("the message is not in two blocks behind their lengths")]
    Blocks,
    /// Not one message of gRPC.
    #[error("the message has not the prefix of gRPC, or is compressed")]
    Prefix,
    /// More bytes than a length can say.
    #[error("the message is too long")]
    TooLong,
}

/// A message of a reply, or the error in its envelope.
pub type Opened = Result<Bytes, String>;

/// A request in the envelope of JSON-RPC 1.0.
#[derive(Serialize)]
struct JsonRequest<'a> {
    method: &'a str,
    params: [&'a RawValue; 1],
    id: String,
}

/// The same as clients send it: whatever is not a parameter does not matter.
#[derive(Deserialize)]
struct JsonParams<'a> {
    #[serde(borrow)]
    params: Vec<&'a RawValue>,
}

/// A reply in the envelope of JSON-RPC 1.0.
#[derive(Deserialize)]
struct JsonReply<'a> {
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    error: Option<serde_json::Value>,
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Json,
        Self::Protobuf,
        Self::Bytes,
        Self::JsonRpc,
        Self::ProtoRpc,
        Self::Grpc,
        Self::GrpcProto,
        Self::GrpcJson,
    ];

    /// The content type, in the only spelling that services know.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Protobuf => "application/protobuf",
            Self::Bytes => "application/octet-stream",
            Self::JsonRpc => "application/json-rpc",
            Self::ProtoRpc => "application/proto-rpc",
            Self::Grpc => "application/grpc",
            Self::GrpcProto => "application/grpc+proto",
            Self::GrpcJson => "application/grpc+json",
        }
    }

    /// The encoding that a content type names, without its parameters and in any case.
    #[must_use]
    pub fn of(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        Self::ALL.into_iter().find(|codec| essence.eq_ignore_ascii_case(codec.content_type()))
    }

    /// The same message for a service from before go-micro 0.14, which knows envelopes alone.
    #[must_use]
    pub const fn in_envelope(self) -> Self {
        match self {
            Self::Json => Self::JsonRpc,
            Self::Protobuf => Self::ProtoRpc,
            other => other,
        }
    }

    /// Whether messages are JSON, in an envelope or not.
    #[must_use]
    pub const fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::JsonRpc | Self::GrpcJson)
    }

    /// The message without fields, as it is encoded.
    #[must_use]
    pub const fn empty(self) -> Bytes {
        Bytes::from_static(if self.is_json() { b"{}" } else { b"" })
    }

    /// The body of a request with this message, for the method with the number `id`.
    ///
    /// # Errors
    /// When the message is not one that the envelope can hold.
    pub fn seal(self, method: &str, id: u64, message: &Bytes) -> Result<Bytes, CodecError> {
        match self {
            Self::Json | Self::Protobuf | Self::Bytes => Ok(message.clone()),
            Self::JsonRpc => seal_json(method, id, message),
            Self::ProtoRpc => proto_rpc::seal(method, id, message),
            Self::Grpc | Self::GrpcProto | Self::GrpcJson => frame::write(message).ok_or(CodecError::TooLong),
        }
    }

    /// The message in the body of a reply, or the error that its envelope tells.
    ///
    /// # Errors
    /// When the body is not in the envelope.
    pub fn open_reply(self, body: &Bytes) -> Result<Opened, CodecError> {
        match self {
            Self::Json | Self::Protobuf | Self::Bytes => Ok(Ok(body.clone())),
            Self::JsonRpc => open_json(body),
            Self::ProtoRpc => proto_rpc::open_reply(body),
            Self::Grpc | Self::GrpcProto | Self::GrpcJson => open_prefixed(body).map(Ok),
        }
    }

    /// The message in the body of a request as clients of HTTP send it: the prefix of gRPC may be missing there.
    ///
    /// # Errors
    /// When the body is not in the envelope.
    pub fn open_request(self, body: &Bytes) -> Result<Bytes, CodecError> {
        match self {
            Self::Json | Self::Protobuf | Self::Bytes => Ok(body.clone()),
            Self::Grpc | Self::GrpcProto | Self::GrpcJson => Ok(open_prefixed(body).unwrap_or_else(|_| body.clone())),
            Self::ProtoRpc => proto_rpc::open_request(body),
            Self::JsonRpc => {
                let JsonParams { params } = serde_json::from_slice(body).map_err(|_| CodecError::Json)?;
                Ok(params.first().map_or_else(|| self.empty(), |param| body.slice_ref(param.get().as_bytes())))
            }
        }
    }
}

fn seal_json(method: &str, id: u64, message: &Bytes) -> Result<Bytes, CodecError> {
    let empty = Codec::Json.empty();
    let message = if message.is_empty() { &empty } else { message };
    let param: &RawValue = serde_json::from_slice(message).map_err(|_| CodecError::Json)?;
    let request = JsonRequest { method, params: [param], id: id.to_string() };
    serde_json::to_vec(&request).map(Bytes::from).map_err(|_| CodecError::Json)
}

fn open_json(body: &Bytes) -> Result<Opened, CodecError> {
    let reply: JsonReply<'_> = serde_json::from_slice(body).map_err(|_| CodecError::Json)?;
    Ok(match (reply.error, reply.result) {
        (Some(serde_json::Value::String(text)), _) => Err(text),
        (Some(other), _) => Err(other.to_string()),
        (None, Some(result)) => Ok(body.slice_ref(result.get().as_bytes())),
        (None, None) => Ok(Codec::Json.empty()),
    })
}

/// Some generations leave the prefix of an empty message out.
fn open_prefixed(body: &Bytes) -> Result<Bytes, CodecError> {
    if body.is_empty() {
        return Ok(Bytes::new());
    }
    match frame::only(body) {
        Ok(message) if message.flag == 0 => Ok(message.bytes),
        _ => Err(CodecError::Prefix),
    }
}
