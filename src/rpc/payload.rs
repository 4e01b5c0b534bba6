//! The message of a call, made of what a request of HTTP has: query, body and captures of its path.
//!
//! Protobuf passes as it is. For JSON the fields of the query come first, those of the body are merged over them (RFC 7396),
//! and those of the path win. A body that nothing is merged with passes byte by byte, and numbers keep all their
//! digits: values are kept as the text they were written in.

use super::codec::{Codec, CodecError};
use bytes::Bytes;
use http::Method;
use percent_encoding::percent_decode_str;
use serde::de::IgnoredAny;
use tree::{Step, Tree};

mod media;
mod query;
#[cfg(test)]
mod tests;
mod tree;

pub use media::Media;
pub use query::{MAX_FIELDS, MAX_NESTING};
pub use tree::MAX_DEPTH;

/// What of a request makes the message.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The method.
    pub method: &'a Method,
    /// What the body is.
    pub media: Media,
    /// The query, without its question mark.
    pub query: Option<&'a str>,
    /// The body. That of GET and HEAD means nothing.
    pub body: &'a Bytes,
}

/// Why a request makes no message: the client's mistake, all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// The body is not JSON.
    #[error("the body is not JSON")]
    NotJson,
    /// There are fields in path or query, and the body has no place for them.
    #[error("the body must be a JSON object, because path or query have fields too")]
    NotObject,
    /// The body is not in the envelope that its content type says.
    #[error("the body is not in the envelope of its content type")]
    Envelope,
    /// Too many fields in the query or form.
    #[error("there are more than {MAX_FIELDS} fields")]
    TooMany,
    /// A field is nested too deep.
    #[error("a field is nested too deep")]
    TooDeep,
}

impl From<CodecError> for PayloadError {
    fn from(_: CodecError) -> Self {
        Self::Envelope
    }
}

/// The message of a call, in the encoding of [`Media::codec`]. `captures` are fields and percent-encoded values.
///
/// # Errors
/// When the request makes none.
pub fn message<'a>(
    parts: &Parts<'_>,
    captures: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Bytes, PayloadError> {
    let ignored = Bytes::new();
    let body = if matches!(*parts.method, Method::GET | Method::HEAD) { &ignored } else { parts.body };
    match parts.media {
        Media::Protobuf(_) => parts.media.open(body),
        Media::Json(_) => json(parts, &parts.media.open(body)?, captures),
        Media::Form => {
            let mut fields = query::read(parts.query.unwrap_or_default().as_bytes())?;
            fields.merge(query::read_form(body)?, MAX_DEPTH)?;
            over(fields, captures.into_iter())
        }
    }
}

/// A body of JSON, with the fields of query and path if there are any.
fn json<'a>(
    parts: &Parts<'_>,
    body: &Bytes,
    captures: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Bytes, PayloadError> {
    let (query, mut captures) = (parts.query.unwrap_or_default(), captures.into_iter().peekable());
    if query.is_empty() && captures.peek().is_none() {
        return plain(body);
    }
    let mut fields = query::read(query.as_bytes())?;
    if !is_nothing(body) {
        fields.merge(Tree::object_of(body)?, MAX_DEPTH)?;
    }
    over(fields, captures)
}

/// A body alone, checked and otherwise untouched.
fn plain(body: &Bytes) -> Result<Bytes, PayloadError> {
    if body.is_empty() {
        return Ok(Codec::Json.empty());
    }
    serde_json::from_slice::<IgnoredAny>(body).map(|_| body.clone()).map_err(|_| PayloadError::NotJson)
}

fn is_nothing(body: &[u8]) -> bool {
    matches!(body.trim_ascii(), b"" | b"null")
}

/// The fields with those of the path over them, which are texts always.
fn over<'a>(mut fields: Tree<'_>, captures: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Bytes, PayloadError> {
    for (field, value) in captures {
        let value = percent_decode_str(value).decode_utf8_lossy();
        fields.put(field.split('.').map(Step::Field), Tree::text(&value)?);
    }
    fields.to_json()
}
