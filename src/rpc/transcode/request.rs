//! The message of a call, made of a request: the body, then the query, and the fields of the path over both.

use super::{Binding, Body, field};
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use prost::Message as _;
use prost_reflect::{DeserializeOptions, DynamicMessage, MessageDescriptor};
use std::collections::BTreeMap;

/// The most fields in a query.
pub const MAX_FIELDS: usize = 1024;

/// Why a request makes no message: the client's mistake. The text names the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// The body is not JSON, or not that of the message.
    #[error("the body: {0}")]
    Body(String),
    /// There is a body, and the method takes none.
    #[error("the method takes no body: its fields are in path and query")]
    NoBody,
    /// A field of the query.
    #[error("the query: {0}")]
    Query(String),
    /// A field of the path.
    #[error("the path: {0}")]
    Path(String),
    /// Too many fields.
    #[error("the query has more than {MAX_FIELDS} fields")]
    TooMany,
}

impl Binding {
    /// The message of a call, in protobuf. `captures` are fields and percent-encoded values.
    ///
    /// # Errors
    /// When the request makes none.
    pub fn message<'a>(
        &self,
        captures: impl IntoIterator<Item = (&'a str, &'a str)>,
        query: Option<&str>,
        body: &Bytes,
    ) -> Result<Bytes, BadRequest> {
        let mut message = self.of_body(body)?;
        for (field, values) in fields_of(query.unwrap_or_default())? {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            field::set(&mut message, &field, &values, false).map_err(|error| BadRequest::Query(error.to_string()))?;
        }
        for (field, value) in captures {
            let value = percent_decode_str(value).decode_utf8();
            let value = value.map_err(|_| BadRequest::Path(format!("field {field:?}: UTF-8 is expected")))?;
            field::set(&mut message, field, &[&value], true).map_err(|error| BadRequest::Path(error.to_string()))?;
        }
        Ok(message.encode_to_vec().into())
    }

    /// One message of a stream: a value of JSON that is all of it.
    ///
    /// # Errors
    /// When it is none.
    pub fn message_of_json(&self, json: &[u8]) -> Result<Bytes, BadRequest> {
        read(self.input(), json).map(|message| message.encode_to_vec().into())
    }

    fn of_body(&self, body: &Bytes) -> Result<DynamicMessage, BadRequest> {
        let is_empty = body.trim_ascii().is_empty();
        match &self.body {
            Body::None if !is_empty => Err(BadRequest::NoBody),
            _ if is_empty => Ok(DynamicMessage::new(self.input())),
            Body::None | Body::Whole => read(self.input(), body),
            Body::Field(name) => read(self.input(), &within(name, body)?),
        }
    }
}

/// The body as the value of one field of a message.
fn within(name: &str, body: &Bytes) -> Result<Vec<u8>, BadRequest> {
    // Else a body could close the object that is put around it.
    serde_json::from_slice::<serde::de::IgnoredAny>(body).map_err(|error| BadRequest::Body(error.to_string()))?;
    let mut json = format!("{{\"{name}\":").into_bytes();
    json.extend_from_slice(body);
    json.push(b'}');
    Ok(json)
}

fn read(message: MessageDescriptor, json: &[u8]) -> Result<DynamicMessage, BadRequest> {
    let (mut deserializer, mut track) = (serde_json::Deserializer::from_slice(json), serde_path_to_error::Track::new());
    let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
    let read = DynamicMessage::deserialize_with_options(message, tracked, &DeserializeOptions::new());
    let message = read.map_err(|error| {
        BadRequest::Body(match track.path().to_string().as_str() {
            "." => error.to_string(),
            path => format!("field {path:?}: {error}"),
        })
    })?;
    deserializer.end().map_err(|error| BadRequest::Body(error.to_string()))?;
    Ok(message)
}

/// The fields of a query in the order of their names, each with all its values.
fn fields_of(query: &str) -> Result<BTreeMap<String, Vec<String>>, BadRequest> {
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (count, (name, value)) in form_urlencoded::parse(query.as_bytes()).enumerate() {
        if count == MAX_FIELDS {
            return Err(BadRequest::TooMany);
        }
        if !name.is_empty() {
            fields.entry(name.into_owned()).or_default().push(value.into_owned());
        }
    }
    Ok(fields)
}
