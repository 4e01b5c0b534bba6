//! Values to typed objects, checked as the API server would check them.

use crate::{
    control::change::Object,
    model::diagnostic::Kind,
    resource::schema::{self, Violation},
};
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::Resource;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;

/// The namespace of objects that name none.
const DEFAULT_NAMESPACE: &str = "default";

/// The kinds that are read, with the versions of each.
const KINDS: [(Kind, &[&str]); 9] = [
    (Kind::GatewayRoute, &["paifang.dev/v1alpha1"]),
    (Kind::Service, &["v1"]),
    (Kind::EndpointSlice, &["discovery.k8s.io/v1"]),
    (Kind::Secret, &["v1"]),
    (Kind::Namespace, &["v1"]),
    (Kind::Ingress, &["networking.k8s.io/v1"]),
    (Kind::IngressClass, &["networking.k8s.io/v1"]),
    (Kind::ReferenceGrant, &["gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1"]),
    (Kind::Pod, &["v1"]),
];

/// What kind of object a value says that it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Recognised {
    /// One that is read.
    Known(Kind),
    /// A list of objects.
    List,
    /// One that means nothing here.
    Foreign,
    /// One that would be read in another version.
    WrongVersion(&'static str),
}

/// Recognises a value by its `apiVersion` and `kind`.
pub(super) fn recognise(value: &Value) -> Recognised {
    let kind = value["kind"].as_str().unwrap_or_default();
    let version = value["apiVersion"].as_str().unwrap_or_default();
    if kind.ends_with("List") && value["items"].is_array() {
        return Recognised::List;
    }
    let group = |version: &str| version.split_once('/').map(|(group, _)| group.to_owned()).unwrap_or_default();
    match KINDS.iter().find(|(known, _)| known.as_str() == kind) {
        Some((kind, versions)) if versions.contains(&version) => Recognised::Known(*kind),
        Some((_, [wanted, ..])) if version.is_empty() || group(wanted) == group(version) => {
            Recognised::WrongVersion(wanted)
        }
        _ => Recognised::Foreign,
    }
}

/// Fills in what the API server fills in: the namespace, and what a Secret's `stringData` means.
pub(super) fn complete(kind: Kind, value: &mut Value) {
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    if matches!(kind, Kind::Namespace | Kind::IngressClass) {
        metadata.remove("namespace");
    } else if metadata.get("namespace").is_none_or(|namespace| namespace.is_null() || namespace == "") {
        metadata.insert("namespace".to_owned(), json!(DEFAULT_NAMESPACE));
    }
}

/// Reads a complete value.
pub(super) fn read(kind: Kind, value: &Value) -> Result<Object, Vec<Violation>> {
    check_name(value)?;
    if kind == Kind::GatewayRoute {
        let violations = schema::check_gateway_route(value);
        if !violations.is_empty() {
            return Err(violations);
        }
    }
    let value = schema::without_nulls(value);
    Ok(match kind {
        Kind::GatewayRoute => Object::GatewayRoute(typed(value)?),
        Kind::Service => Object::Service(typed(value)?),
        Kind::EndpointSlice => Object::EndpointSlice(typed(value)?),
        Kind::Secret => Object::Secret(merge_string_data(typed(value)?)),
        Kind::Namespace => Object::Namespace(typed(value)?),
        Kind::Ingress => Object::Ingress(typed(value)?),
        Kind::IngressClass => Object::IngressClass(typed(value)?),
        Kind::ReferenceGrant => Object::ReferenceGrant(typed(value)?),
        // Made of a Pod once it is read.
        Kind::Pod | Kind::PodRegistration => Object::Pod(typed(value)?),
    })
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<Arc<T>, Vec<Violation>> {
    serde_path_to_error::deserialize(value).map(Arc::new).map_err(|error| {
        let field = error.path().to_string();
        let field = if field == "." { String::new() } else { field };
        vec![Violation { field, message: error.into_inner().to_string() }]
    })
}

fn check_name(value: &Value) -> Result<(), Vec<Violation>> {
    let refuse =
        |message: &str| Err(vec![Violation { field: "metadata.name".to_owned(), message: message.to_owned() }]);
    match value["metadata"]["name"].as_str() {
        None | Some("") => refuse("is required"),
        Some(name) if !is_subdomain(name) => {
            refuse("must have at most 253 lower-case letters, digits, dashes and dots, such as my-route")
        }
        Some(_) => Ok(()),
    }
}

fn is_subdomain(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let label =
        |label: &str| !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-');
    name.len() <= 253 && name.split('.').all(label)
}

fn merge_string_data(mut secret: Arc<Secret>) -> Arc<Secret> {
    if let Some(texts) = Arc::make_mut(&mut secret).string_data.take() {
        let data = Arc::make_mut(&mut secret).data.get_or_insert_default();
        data.extend(texts.into_iter().map(|(key, text)| (key, ByteString(text.into_bytes()))));
    }
    secret
}

/// The metadata of an object, to be changed, where it has its own.
pub(super) fn metadata(object: &mut Object) -> Option<&mut ObjectMeta> {
    Some(match object {
        Object::GatewayRoute(object) => Arc::make_mut(object).meta_mut(),
        Object::Service(object) => Arc::make_mut(object).meta_mut(),
        Object::EndpointSlice(object) => Arc::make_mut(object).meta_mut(),
        Object::Secret(object) => Arc::make_mut(object).meta_mut(),
        Object::Namespace(object) => Arc::make_mut(object).meta_mut(),
        Object::Ingress(object) => Arc::make_mut(object).meta_mut(),
        Object::IngressClass(object) => Arc::make_mut(object).meta_mut(),
        Object::ReferenceGrant(object) => Arc::make_mut(object).meta_mut(),
        Object::Pod(object) => Arc::make_mut(object).meta_mut(),
        Object::PodRegistration(_) => return None,
    })
}
