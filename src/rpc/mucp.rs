//! go-micro's own protocol over HTTP/1.1: a call as a request, and what a reply says.
//!
//! What has to be kept by whoever sends these: one request at a time on a connection; a deadline for each call, and the
//! connection dropped when it passes, because some services never answer errors; a stream has a connection of its
//! own, and the next message of it is sent after the reply to the last, because services overwrite messages that come
//! back to back. Replies repeat headers of the first request of a connection: nothing but what is read here may be
//! believed or passed on.

use super::codec::{Codec, CodecError};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use std::time::Duration;

mod reply;
#[cfg(test)]
mod tests;

pub use reply::{Frame, NoReply, read_frame, read_reply};

const SERVICE: HeaderName = HeaderName::from_static("micro-service");
const ENDPOINT: HeaderName = HeaderName::from_static("micro-endpoint");
const METHOD: HeaderName = HeaderName::from_static("micro-method");
const ID: HeaderName = HeaderName::from_static("micro-id");
const STREAM: HeaderName = HeaderName::from_static("micro-stream");
const ERROR: HeaderName = HeaderName::from_static("micro-error");
const TIMEOUT: HeaderName = HeaderName::from_static("timeout");

/// What ends a stream, as the value of `Micro-Error`.
const END_OF_STREAM: &str = "EOS";

/// The encoding to call a service in, for a message in JSON or protobuf.
///
/// A service from before go-micro 0.14 knows envelopes alone. Version 2 never answers an error to plain protobuf, so that
/// the caller waits until its deadline; behind the prefix of gRPC, which every version reads, it does. Only nothing
/// at all is written in two ways behind that prefix, and stays plain.
#[must_use]
pub const fn encoding(message: Codec, is_empty: bool, before_0_14: bool) -> Codec {
    match message {
        _ if before_0_14 => message.in_envelope(),
        Codec::Protobuf if !is_empty => Codec::GrpcProto,
        _ => message,
    }
}

/// The numbers of calls. Services lose requests of one connection that carry the same number, so none comes twice.
#[derive(Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// Numbers from this one on.
    #[must_use]
    pub const fn from(first: u64) -> Self {
        Self(first)
    }

    /// The next number.
    pub const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        self.0
    }
}

/// A call, or a stream of messages in both directions.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The name of the service.
    pub service: &'a str,
    /// The method: `Say.Hello`.
    pub method: &'a str,
    /// The encoding of messages: for services from before 0.14, [`Codec::in_envelope`].
    pub codec: Codec,
    /// The number of the call, see [`Numbers`].
    pub number: u64,
    /// How long the service has, for a call. Streams have no limit.
    pub timeout: Option<Duration>,
    /// What travels along, see [`super::metadata`].
    pub metadata: &'a HeaderMap,
}

/// Why there is no request for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCall {
    /// The service or the method has characters that a header has not.
    #[error("the name of the service or method has characters that no name has")]
    Name,
    /// The message does not fit its encoding.
    #[error(transparent)]
    Message(#[from] CodecError),
}

impl Call<'_> {
    /// The request of a call that has one reply. `Host` is the sender's to set.
    ///
    /// # Errors
    /// When there is none, see [`NoCall`].
    pub fn request(&self, message: &Bytes) -> Result<Request<Bytes>, NoCall> {
        self.request_with(self.codec.seal(self.method, self.number, message)?, None)
    }

    /// The request that opens a stream. Services drop the message in it, and answer nothing.
    ///
    /// # Errors
    /// When there is none, see [`NoCall`].
    pub fn open(&self) -> Result<Request<Bytes>, NoCall> {
        self.request(&self.codec.empty())
    }

    /// The request that ends the client's side of a stream. It has no reply.
    ///
    /// # Errors
    /// When there is none, see [`NoCall`].
    pub fn end(&self) -> Result<Request<Bytes>, NoCall> {
        self.request_with(Bytes::new(), Some(END_OF_STREAM))
    }

    fn request_with(&self, body: Bytes, error: Option<&'static str>) -> Result<Request<Bytes>, NoCall> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from_static("/");
        *request.headers_mut() = self.headers()?;
        if let Some(error) = error {
            request.headers_mut().insert(ERROR, HeaderValue::from_static(error));
        }
        Ok(request)
    }

    /// Both names of the method are sent, as clients do: services fill one from the other. The stream has a number
    /// of its own in calls too: without it, services of version 4 and 6 lose a few of many calls.
    fn headers(&self) -> Result<HeaderMap, NoCall> {
        let mut headers = self.metadata.clone();
        let name = |text: &str| HeaderValue::from_str(text).map_err(|_| NoCall::Name);
        let (method, number) = (name(self.method)?, HeaderValue::from(self.number));
        let media_type = HeaderValue::from_static(self.codec.content_type());
        headers.insert(header::CONTENT_TYPE, media_type.clone());
        headers.insert(header::ACCEPT, media_type);
        headers.insert(SERVICE, name(self.service)?);
        headers.insert(ENDPOINT, method.clone());
        headers.insert(METHOD, method);
        headers.insert(ID, number.clone());
        headers.insert(STREAM, number);
        if let Some(timeout) = self.timeout {
            headers.insert(TIMEOUT, nanoseconds(timeout));
        }
        Ok(headers)
    }
}

/// At least one: a service takes zero for a deadline that has passed.
fn nanoseconds(timeout: Duration) -> HeaderValue {
    HeaderValue::from(i64::try_from(timeout.as_nanos()).unwrap_or(i64::MAX).max(1))
}
