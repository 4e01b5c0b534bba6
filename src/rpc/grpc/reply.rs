//! What a reply says: the head, the messages, and the outcome in the trailers.

use crate::rpc::{
    fault::{CLIENT_ID, Codes, Fault, GrpcFault, read_trailers},
    frame::{self, FrameError},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

/// Why a reply has no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReply {
    /// The service answered an error.
    #[error("the service answered an error: {}", .0.detail)]
    Fault(Fault),
    /// The reply is not one of gRPC: another status than 200, or another content type.
    #[error("the service answered with status {0}, and not by gRPC")]
    NotGrpc(StatusCode),
    /// The reply ended without an outcome.
    #[error("the reply ended without a status of gRPC")]
    NoStatus,
    /// The outcome is good, and there is no message.
    #[error("the reply has no message")]
    NoMessage,
    /// The message is compressed, which was not asked for.
    #[error("the message is compressed, which was not asked for")]
    Compressed,
    /// The body is not one message.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl NoReply {
    /// The error that the client gets: that of the service, or 502 where it answered none.
    #[must_use]
    pub fn into_fault(self) -> Fault {
        match self {
            Self::Fault(fault) => fault,
            other => Fault::new(CLIENT_ID, StatusCode::BAD_GATEWAY, other.to_string()),
        }
    }
}

impl From<GrpcFault> for NoReply {
    fn from(fault: GrpcFault) -> Self {
        match fault {
            GrpcFault::NoStatus => Self::NoStatus,
            GrpcFault::Answered(fault) => Self::Fault(fault),
        }
    }
}

/// Reads the head of a reply, which is all of it where the call failed at once.
///
/// # Errors
/// When no messages follow.
pub fn read_head(status: StatusCode, headers: &HeaderMap, codes: Codes) -> Result<(), NoReply> {
    if headers.contains_key("grpc-status") {
        return Ok(read_trailers(headers, codes)?);
    }
    let content_type = headers.get(header::CONTENT_TYPE).map_or(&b""[..], http::HeaderValue::as_bytes);
    if status == StatusCode::OK && content_type.starts_with(b"application/grpc") {
        Ok(())
    } else {
        Err(NoReply::NotGrpc(status))
    }
}

/// Reads the reply to a call that has one message: the head is read already.
///
/// # Errors
/// When there is no message, or more than one.
pub fn read_reply(body: &[u8], trailers: &HeaderMap, codes: Codes) -> Result<Bytes, NoReply> {
    read_trailers(trailers, codes)?;
    if body.is_empty() {
        return Err(NoReply::NoMessage);
    }
    let message = frame::only(body)?;
    if message.flag == 0 { Ok(message.bytes) } else { Err(NoReply::Compressed) }
}
