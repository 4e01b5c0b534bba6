//! `google.api.http`: where a method is found, as its own file says it.

use prost::{Message, Oneof};
use prost_reflect::{MethodDescriptor, Value};

/// The extension of method options.
const EXTENSION: &str = "google.api.http";

/// `google.api.HttpRule`, but for `selector`, which is for files of another kind.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct HttpRule {
    #[prost(oneof = "Pattern", tags = "2, 3, 4, 5, 6, 8")]
    pub(super) pattern: Option<Pattern>,
    /// The field that the body holds, `*` for the whole message, empty for none.
    #[prost(string, tag = "7")]
    pub(super) body: String,
    /// The field that the reply's body holds, empty for the whole message.
    #[prost(string, tag = "12")]
    pub(super) response_body: String,
    #[prost(message, repeated, tag = "11")]
    pub(super) additional_bindings: Vec<Self>,
}

/// A method of HTTP, and the template of its path.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub(super) enum Pattern {
    #[prost(string, tag = "2")]
    Get(String),
    #[prost(string, tag = "3")]
    Put(String),
    #[prost(string, tag = "4")]
    Post(String),
    #[prost(string, tag = "5")]
    Delete(String),
    #[prost(string, tag = "6")]
    Patch(String),
    #[prost(message, tag = "8")]
    Custom(Custom),
}

/// Any other method of HTTP.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Custom {
    /// The method; `*` for all.
    #[prost(string, tag = "1")]
    pub(super) kind: String,
    #[prost(string, tag = "2")]
    pub(super) path: String,
}

impl Pattern {
    /// The method and the path.
    pub(super) fn parts(&self) -> (&str, &str) {
        match self {
            Self::Get(path) => ("GET", path),
            Self::Put(path) => ("PUT", path),
            Self::Post(path) => ("POST", path),
            Self::Delete(path) => ("DELETE", path),
            Self::Patch(path) => ("PATCH", path),
            Self::Custom(custom) => (&custom.kind, &custom.path),
        }
    }
}

/// The rule of a method and its additional bindings, each on its own. Empty where the file says nothing.
pub(super) fn of(method: &MethodDescriptor) -> Vec<HttpRule> {
    let Some(extension) = method.parent_pool().get_extension_by_name(EXTENSION) else { return Vec::new() };
    let options = method.options();
    if !options.has_extension(&extension) {
        return Vec::new();
    }
    let value = options.get_extension(&extension);
    let Value::Message(message) = value.as_ref() else { return Vec::new() };
    let Ok(mut rule) = message.transcode_to::<HttpRule>() else { return Vec::new() };
    let more = std::mem::take(&mut rule.additional_bindings);
    std::iter::once(rule).chain(more).collect()
}
