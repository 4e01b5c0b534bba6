//! Objects for the unit tests of the control path.

use super::{
    cache::Cache,
    change::{Change, Object, with_registrations},
};
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, sync::Arc};

/// A self-signed certificate for some names, and its key, both as PEM.
pub(crate) fn certificate(names: &[&str]) -> (String, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// A Secret of type kubernetes.io/tls.
pub(crate) fn secret(namespace: &str, name: &str, certificate: &str, key: &str) -> Secret {
    Secret {
        metadata: ObjectMeta {
            namespace: Some(namespace.to_owned()),
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        type_: Some("kubernetes.io/tls".to_owned()),
        data: Some(BTreeMap::from([
            ("tls.crt".to_owned(), ByteString(certificate.into())),
            ("tls.key".to_owned(), ByteString(key.into())),
        ])),
        ..Secret::default()
    }
}

/// Panics in the middle of the translation of an object that has the annotation `test/panic`.
pub(crate) fn trip(meta: &ObjectMeta) {
    let tripped = meta.annotations.as_ref().is_some_and(|annotations| annotations.contains_key("test/panic"));
    assert!(!tripped, "as the test wants it");
}

/// An object from YAML.
pub(crate) fn yaml<T: DeserializeOwned>(text: &str) -> T {
    serde_saphyr::from_str(text).unwrap()
}

/// The object of a YAML document, by its kind.
pub(crate) fn object(text: &str) -> Object {
    let value: serde_json::Value = yaml(text);
    let kind = value["kind"].as_str().unwrap().to_owned();
    fn read<T: DeserializeOwned>(value: serde_json::Value) -> Arc<T> {
        Arc::new(serde_json::from_value(value).unwrap())
    }
    match kind.as_str() {
        "GatewayRoute" => Object::GatewayRoute(read(value)),
        "Service" => Object::Service(read(value)),
        "EndpointSlice" => Object::EndpointSlice(read(value)),
        "Secret" => Object::Secret(read(value)),
        "Namespace" => Object::Namespace(read(value)),
        "Ingress" => Object::Ingress(read(value)),
        "IngressClass" => Object::IngressClass(read(value)),
        "ReferenceGrant" => Object::ReferenceGrant(read(value)),
        "Pod" => Object::Pod(read(value)),
        kind => panic!("{kind}"),
    }
}

/// A cache that holds the objects of a multi-document YAML text.
pub(crate) fn cache(text: &str) -> Cache {
    let mut cache = Cache::default();
    for document in text.split("\n---\n").filter(|document| !document.trim().is_empty()) {
        for change in with_registrations(vec![Change::Upsert(object(document))]) {
            cache.apply(change);
        }
    }
    cache
}
