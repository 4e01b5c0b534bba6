//! What the content type of a request says of its body, and of the reply.

use super::PayloadError;
use crate::rpc::codec::Codec;
use bytes::Bytes;
use http::HeaderValue;

/// The type of a request body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// JSON, as it is or in an envelope; and everything else that is not known.
    Json(Codec),
    /// Protobuf, as it is or in an envelope.
    Protobuf(Codec),
    /// A form.
    Form,
}

impl Media {
    /// Reads a content type: what stands before its parameters, in any case. None is JSON.
    #[must_use]
    pub fn of(content_type: Option<&str>) -> Self {
        let content_type = content_type.unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        match Codec::of(essence) {
            Some(codec) if codec.is_json() => Self::Json(codec),
            Some(codec) => Self::Protobuf(codec),
            None if is("application/proto") => Self::Protobuf(Codec::Protobuf),
            // The second one is a slip of go-micro's, which clients of it may know.
            None if is("application/x-www-form-urlencoded") || is("application/www-x-form-urlencoded") => Self::Form,
            None => Self::Json(Codec::Json),
        }
    }

    /// The encoding of the message that is made of the body: never in an envelope.
    #[must_use]
    pub const fn codec(self) -> Codec {
        match self {
            Self::Json(_) | Self::Form => Codec::Json,
            Self::Protobuf(_) => Codec::Protobuf,
        }
    }

    /// Whether the body is a form.
    #[must_use]
    pub const fn is_form(self) -> bool {
        matches!(self, Self::Form)
    }

    /// The content type of the reply: that of the request word by word, but for forms and where there was none.
    #[must_use]
    pub fn reply_type(self, requested: Option<&HeaderValue>) -> HeaderValue {
        let json = HeaderValue::from_static(Codec::Json.content_type());
        match (self, requested) {
            (Self::Json(_) | Self::Protobuf(_), Some(requested)) if !requested.is_empty() => requested.clone(),
            _ => json,
        }
    }

    /// The message in the body.
    pub(super) fn open(self, body: &Bytes) -> Result<Bytes, PayloadError> {
        match self {
            Self::Form => Ok(body.clone()),
            Self::Json(_) | Self::Protobuf(_) if body.is_empty() => Ok(Bytes::new()),
            // Blocks start with a zero, and no message of protobuf does.
            Self::Protobuf(Codec::Bytes) => Ok(Codec::ProtoRpc.open_request(body).unwrap_or_else(|_| body.clone())),
            Self::Json(codec) | Self::Protobuf(codec) => Ok(codec.open_request(body)?),
        }
    }
}
