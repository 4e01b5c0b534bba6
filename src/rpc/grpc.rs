//! Calls by gRPC, as go-micro's services take them and as any other does: paths, headers, messages, and replies.

use super::{codec::Codec, frame};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header, uri::PathAndQuery};
use std::time::Duration;

mod reply;
#[cfg(test)]
mod tests;

pub use reply::{NoReply, read_head, read_reply};

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const TIMEOUT: HeaderName = HeaderName::from_static("timeout");
const X_CONTENT_TYPE: HeaderName = HeaderName::from_static("x-content-type");

/// The longest number that `grpc-timeout` takes.
const MOST_IN_TIMEOUT: u128 = 99_999_999;

/// Units of `grpc-timeout`, in nanoseconds.
const UNITS: [(u128, char); 6] =
    [(1, 'n'), (1_000, 'u'), (1_000_000, 'm'), (1_000_000_000, 'S'), (60_000_000_000, 'M'), (3_600_000_000_000, 'H')];

/// A call, or a stream of messages.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The name of the service, empty where the method is a path.
    pub service: &'a str,
    /// The method, `Say.Hello`, or a whole path, `/fixture.Say/Hello`.
    pub method: &'a str,
    /// The encoding of messages: any JSON, or any protobuf.
    pub codec: Codec,
    /// How long the call may take.
    pub timeout: Option<Duration>,
    /// What travels along, see [`super::metadata`].
    pub metadata: &'a HeaderMap,
}

/// Why there is no request for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCall {
    /// The method is neither two names joined by a dot, nor a path; or it has characters that no name has.
    #[error("the method is not of the form Say.Hello")]
    Method,
    /// More bytes than a length can say.
    #[error("the message is too long")]
    TooLong,
}

impl Call<'_> {
    /// The request of a call that has one message.
    ///
    /// # Errors
    /// When there is none, see [`NoCall`].
    pub fn request(&self, message: &Bytes) -> Result<Request<Bytes>, NoCall> {
        let mut request = self.open()?.map(|()| Bytes::new());
        *request.body_mut() = self.seal(message)?;
        if let Some(timeout) = self.timeout {
            // go-micro's own word for it: not sent on streams.
            let nanoseconds = i64::try_from(timeout.as_nanos()).unwrap_or(i64::MAX).max(1);
            request.headers_mut().insert(TIMEOUT, HeaderValue::from(nanoseconds));
        }
        Ok(request)
    }

    /// The head of a call whose messages follow as they come, see [`Call::seal`].
    ///
    /// # Errors
    /// When there is none, see [`NoCall`].
    pub fn open(&self) -> Result<Request<()>, NoCall> {
        let path = path(self.service, self.method).ok_or(NoCall::Method)?;
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from(path);
        *request.headers_mut() = self.headers();
        Ok(request)
    }

    /// One message with its prefix. Nothing at all is a message without fields, which JSON writes `{}`.
    ///
    /// # Errors
    /// When it is too long.
    pub fn seal(&self, message: &Bytes) -> Result<Bytes, NoCall> {
        let empty = self.codec.empty();
        frame::write(if message.is_empty() { &empty } else { message }).ok_or(NoCall::TooLong)
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = self.metadata.clone();
        if headers.keys().any(|name| name.as_str().ends_with("-bin")) {
            // A value that is not what the name says would end the call at the service.
            headers = headers.into_iter().filter_map(binary_or_text).collect();
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(self.codec)));
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(X_CONTENT_TYPE, HeaderValue::from_static(self.codec.content_type()));
        if let Some(timeout) = self.timeout {
            headers.insert(GRPC_TIMEOUT, write_timeout(timeout));
        }
        headers
    }
}

/// The values of one header are joined before they come here, so each name comes once.
fn binary_or_text((name, value): (Option<HeaderName>, HeaderValue)) -> Option<(HeaderName, HeaderValue)> {
    let name = name?;
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b',');
    let fits = !name.as_str().ends_with("-bin") || value.as_bytes().iter().all(is_base64);
    fits.then_some((name, value))
}

/// The content type of the messages of an encoding.
#[must_use]
pub const fn content_type(codec: Codec) -> &'static str {
    if codec.is_json() { "application/grpc+json" } else { "application/grpc+proto" }
}

/// The path of a method: `/go.micro.api.greeter.Say/Hello` of `Say.Hello`. A path is one already.
#[must_use]
pub fn path(service: &str, method: &str) -> Option<PathAndQuery> {
    let text = match method.split_once('.') {
        _ if method.starts_with('/') => method.to_owned(),
        Some((receiver, name)) if !receiver.is_empty() && !name.is_empty() && !name.contains('.') => {
            let dot = if service.is_empty() { "" } else { "." };
            format!("/{service}{dot}{receiver}/{name}")
        }
        _ => return None,
    };
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'));
    is_plain.then(|| PathAndQuery::try_from(text).ok()).flatten()
}

/// The value of `grpc-timeout`, in the finest unit that it fits, rounded up.
#[must_use]
pub fn write_timeout(timeout: Duration) -> HeaderValue {
    let nanoseconds = timeout.as_nanos();
    let in_unit = |(length, unit): (u128, char)| {
        let number = nanoseconds.div_ceil(length);
        (number <= MOST_IN_TIMEOUT).then(|| format!("{number}{unit}"))
    };
    let text = UNITS.into_iter().find_map(in_unit).unwrap_or_else(|| format!("{MOST_IN_TIMEOUT}H"));
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("0n"))
}
