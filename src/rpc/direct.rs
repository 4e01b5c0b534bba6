//! Calls in the words of `/rpc`: a body that names the service, the method and the message itself.

use super::{codec::Codec, fault::Fault};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::value::RawValue;
use std::{collections::BTreeMap, time::Duration};

#[cfg(test)]
mod tests;

/// The id of errors of `/rpc`.
pub const ID: &str = "go.micro.rpc";

/// The longest time that a client may give a call, in seconds.
const LONGEST: u32 = 86_400;

/// A call. Names are absolute: no namespace is added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Direct {
    /// The name of the service.
    pub service: String,
    /// The method: `Say.Hello`.
    pub method: String,
    /// The message, in JSON.
    pub message: Bytes,
    /// The node to call, past all discovery. Whether it may be called is the route's to say.
    pub address: Option<String>,
}

/// Why a body makes no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCall {
    /// The body is not a JSON object.
    #[error("the body is not a JSON object")]
    Body,
    /// A name is not a text.
    #[error("service, endpoint, method and address must be texts")]
    Type,
    /// No service.
    #[error("invalid service")]
    Service,
    /// No method.
    #[error("invalid endpoint")]
    Method,
    /// The message is not JSON.
    #[error("error decoding request string: it is not JSON")]
    Message,
}

impl NoCall {
    /// The error that the client gets.
    #[must_use]
    pub fn fault(self) -> Fault {
        Fault::new(ID, StatusCode::BAD_REQUEST, self.to_string())
    }
}

/// Reads a call: from JSON where the content type says so, and else from a form, which the query completes.
///
/// # Errors
/// When a name or the message is missing, or not what it should be.
pub fn read(content_type: Option<&str>, query: Option<&str>, body: &Bytes) -> Result<Direct, NoCall> {
    if is_json(content_type.unwrap_or_default()) { read_json(body) } else { read_form(query, content_type, body) }
}

/// How long the client gives the call: whole seconds. What cannot be read says nothing, nor does zero.
#[must_use]
pub fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u32 = headers.get("timeout")?.to_str().ok()?.trim().parse().ok()?;
    (seconds > 0).then(|| Duration::from_secs(seconds.min(LONGEST).into()))
}

fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_json(content_type: &str) -> bool {
    let essence = essence(content_type);
    essence == "application/json" || essence.ends_with("+json")
}

/// The method is `endpoint`, or `method` where there is none.
fn named(service: String, endpoint: String, method: String) -> Result<(String, String), NoCall> {
    let method = if endpoint.is_empty() { method } else { endpoint };
    match (service.is_empty(), method.is_empty()) {
        (true, _) => Err(NoCall::Service),
        (_, true) => Err(NoCall::Method),
        _ => Ok((service, method)),
    }
}

/// Keys are read in any case; of several spellings the lower one counts.
fn read_json(body: &Bytes) -> Result<Direct, NoCall> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_slice(body).map_err(|_| NoCall::Body)?;
    let field = |name: &str| fields.iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, raw)| *raw);
    let text = |name: &str| match field(name).map(|raw| serde_json::from_str::<Option<String>>(raw.get())) {
        None => Ok(String::new()),
        Some(Ok(text)) => Ok(text.unwrap_or_default()),
        Some(Err(_)) => Err(NoCall::Type),
    };
    let (service, method) = named(text("service")?, text("endpoint")?, text("method")?)?;
    let address = Some(text("address")?).filter(|address| !address.is_empty());
    let message = match field("request") {
        None => Codec::Json.empty(),
        Some(raw) if raw.get() == "null" => Codec::Json.empty(),
        Some(raw) if raw.get().starts_with('"') => {
            let inner: String = serde_json::from_str(raw.get()).map_err(|_| NoCall::Message)?;
            checked(inner)?
        }
        Some(raw) => body.slice_ref(raw.get().as_bytes()),
    };
    Ok(Direct { service, method, message, address })
}

/// A text that is JSON and nothing more.
fn checked(text: String) -> Result<Bytes, NoCall> {
    serde_json::from_str::<&RawValue>(&text).map_err(|_| NoCall::Message)?;
    Ok(text.into())
}

/// Fields of the body stand before those of the query, and the first of several counts.
fn read_form(query: Option<&str>, content_type: Option<&str>, body: &Bytes) -> Result<Direct, NoCall> {
    let is_form = content_type.is_some_and(|text| essence(text) == "application/x-www-form-urlencoded");
    let body: &[u8] = if is_form { body } else { b"" };
    let query = query.unwrap_or_default().as_bytes();
    let field = |name: &str| {
        let mut fields = form_urlencoded::parse(body).chain(form_urlencoded::parse(query));
        fields.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let message = checked(field("request"))?;
    let (service, method) = named(field("service"), field("endpoint"), field("method"))?;
    let address = Some(field("address")).filter(|address| !address.is_empty());
    Ok(Direct { service, method, message, address })
}
