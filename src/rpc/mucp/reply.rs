//! What a reply says: a message, an error, the end of a stream, or nothing that could be understood.

use super::{END_OF_STREAM, ERROR};
use crate::rpc::{
    codec::{Codec, CodecError},
    fault::{CLIENT_ID, Fault},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

/// The longest text of a service that is repeated.
const LONGEST_WORDS: usize = 200;

/// What a service sent on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A message.
    Message(Bytes),
    /// Its side of the stream is over, without an error.
    End,
}

/// Why a reply has no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReply {
    /// The service answered an error.
    #[error("the service answered an error: {}", .0.detail)]
    Fault(Fault),
    /// Any other status than 200 is not of this protocol.
    #[error("the service answered with status {0}, and 200 is the only one of this protocol")]
    Status(StatusCode),
    /// The service does not know the encoding, in its own words.
    #[error("the service does not know the encoding of the call: {0}")]
    Encoding(String),
    /// The reply is in another encoding than the call.
    #[error("the service answered in another encoding than it was called in")]
    OtherEncoding,
    /// The message is not in the envelope of its encoding.
    #[error(transparent)]
    Message(#[from] CodecError),
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

/// Reads the reply to a call.
///
/// # Errors
/// When there is no message in it.
pub fn read_reply(codec: Codec, status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Result<Bytes, NoReply> {
    if status != StatusCode::OK {
        return Err(NoReply::Status(status));
    }
    if let Some(error) = error_text(headers) {
        return Err(NoReply::Fault(Fault::from_micro_error(error)));
    }
    check_encoding(codec, headers, body)?;
    codec.open_reply(body)?.map_err(|error| NoReply::Fault(Fault::parse(&error)))
}

/// Reads a reply on a stream.
///
/// # Errors
/// When it is neither a message nor the end. The stream is over then.
pub fn read_frame(codec: Codec, status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Result<Frame, NoReply> {
    if status == StatusCode::OK && error_text(headers) == Some(END_OF_STREAM.as_bytes()) {
        return Ok(Frame::End);
    }
    read_reply(codec, status, headers, body).map(Frame::Message)
}

fn error_text(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get(ERROR).map(http::HeaderValue::as_bytes).filter(|text| !text.is_empty())
}

fn check_encoding(codec: Codec, headers: &HeaderMap, body: &Bytes) -> Result<(), NoReply> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if content_type == codec.content_type() {
        return Ok(());
    }
    // Version 4 and later write the first letter small.
    let words = |bytes: &[u8]| bytes.get(1..).is_some_and(|rest| rest.starts_with(b"nsupported Content-Type"));
    if content_type == "text/plain" && words(body) {
        let text = &body[..body.len().min(LONGEST_WORDS)];
        return Err(NoReply::Encoding(String::from_utf8_lossy(text).into_owned()));
    }
    Err(NoReply::OtherEncoding)
}
