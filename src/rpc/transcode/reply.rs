//! Replies as JSON: messages, and the status of a call that failed with the details that are known.

use super::Binding;
use crate::rpc::fault::{Any, RpcStatus};
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde::Serialize;

/// What a message that is not understood means: the service's mistake, or descriptors that are older than it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReply {
    /// It is not of the type that the method answers.
    #[error("the service answered what is no {0}")]
    OtherType(String),
    /// It has no form in JSON: a time out of range, or an `Any` of an unknown type.
    #[error("the reply has no form in JSON: {0}")]
    NotJson(String),
}

impl Binding {
    /// A reply as JSON.
    ///
    /// # Errors
    /// When it is not understood.
    pub fn json(&self, message: &[u8]) -> Result<Vec<u8>, BadReply> {
        let output = self.output();
        let message = DynamicMessage::decode(output.clone(), message)
            .map_err(|_| BadReply::OtherType(output.full_name().to_owned()))?;
        let Some(field) = &self.response_body else { return write(&message) };
        let mut all = value(&message, true)?;
        let found = all.as_object_mut().and_then(|fields| fields.remove(field));
        let part = match found {
            Some(part) => part,
            // Canonical JSON leaves out what is empty; a body has to say so.
            None => value(&DynamicMessage::new(output), false)?
                .as_object_mut()
                .and_then(|all| all.remove(field))
                .unwrap_or_default(),
        };
        serde_json::to_vec(&part).map_err(|error| BadReply::NotJson(error.to_string()))
    }
}

fn write(message: &DynamicMessage) -> Result<Vec<u8>, BadReply> {
    let mut serializer = serde_json::Serializer::new(Vec::with_capacity(128));
    let written = message.serialize_with_options(&mut serializer, &SerializeOptions::new());
    written.map_err(|error| BadReply::NotJson(error.to_string()))?;
    Ok(serializer.into_inner())
}

fn value(message: &DynamicMessage, skip_empty: bool) -> Result<serde_json::Value, BadReply> {
    let options = SerializeOptions::new().skip_default_fields(skip_empty);
    let written = message.serialize_with_options(serde_json::value::Serializer, &options);
    written.map_err(|error| BadReply::NotJson(error.to_string()))
}

/// `google.rpc.Status` as JSON.
#[derive(Serialize)]
struct Status<'a> {
    code: i32,
    message: &'a str,
    details: Vec<serde_json::Value>,
}

/// The status of a call that failed, as JSON. Details of types that nobody knows are told by their type alone.
#[must_use]
pub fn status_json(pool: &DescriptorPool, status: &RpcStatus) -> Vec<u8> {
    let details = status.details.iter().map(|any| detail(pool, any)).collect();
    serde_json::to_vec(&Status { code: status.code, message: &status.message, details }).unwrap_or_default()
}

fn detail(pool: &DescriptorPool, any: &Any) -> serde_json::Value {
    let name = any.type_url.rsplit('/').next().unwrap_or_default();
    let known = pool.get_message_by_name(name);
    let message = known.and_then(|known| DynamicMessage::decode(known, any.value.as_slice()).ok());
    let fields = message.and_then(|message| value(&message, true).ok());
    let mut object = serde_json::Map::new();
    object.insert("@type".to_owned(), any.type_url.clone().into());
    match fields {
        Some(serde_json::Value::Object(fields)) => object.extend(fields),
        // Times and the like are one value.
        Some(other) => drop(object.insert("value".to_owned(), other)),
        None => {}
    }
    object.into()
}
