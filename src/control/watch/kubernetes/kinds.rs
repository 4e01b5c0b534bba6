//! The kinds that are watched: how each becomes an `Object`, and what is asked of the API server.

use crate::{
    control::{
        cache::WEIGHT,
        change::{Object, PodMeta},
        registration::{Addresses, Registration},
    },
    model::diagnostic::Kind,
    resource::GatewayRoute,
    rpc::registry::ANNOTATION_PREFIX,
};
use gateway_api::apis::standard::referencegrants::ReferenceGrant;
use k8s_openapi::api::{
    core::v1::{Namespace, Secret, Service},
    discovery::v1::EndpointSlice,
    networking::v1::{Ingress, IngressClass},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::{borrow::Cow, fmt::Debug, sync::Arc};

/// A kind that is watched.
pub(super) trait Watched:
    Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + Sync + 'static
{
    /// Its word.
    const KIND: Kind;
    /// Whether only metadata is asked for.
    const METADATA_ONLY: bool = false;
    /// Narrows down on the server what is sent.
    const FIELD_SELECTOR: Option<&'static str> = None;
    /// Narrows down on the server what is sent.
    const LABEL_SELECTOR: Option<&'static str> = None;

    /// As an object of the closed set.
    fn wrap(object: Arc<Self>) -> Object;

    /// Drops from the raw object what nobody reads.
    fn trim(_object: &mut Map<String, Value>) {}
}

macro_rules! watched {
    ($($kind:ident),*) => {$(
        impl Watched for $kind {
            const KIND: Kind = Kind::$kind;

            fn wrap(object: Arc<Self>) -> Object {
                Object::$kind(object)
            }
        }
    )*};
}

watched!(GatewayRoute, Service, EndpointSlice, Ingress, IngressClass, ReferenceGrant);

impl Watched for Namespace {
    const KIND: Kind = Kind::Namespace;
    const METADATA_ONLY: bool = true;

    fn wrap(object: Arc<Self>) -> Object {
        Object::Namespace(object)
    }
}

/// Of all Pods of a cluster only those that ask for a weight.
impl Watched for PodMeta {
    const KIND: Kind = Kind::Pod;
    const METADATA_ONLY: bool = true;
    const LABEL_SELECTOR: Option<&'static str> = Some(WEIGHT);

    fn wrap(object: Arc<Self>) -> Object {
        Object::Pod(object)
    }

    fn trim(object: &mut Map<String, Value>) {
        let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
        let is_read = |key: &str| matches!(key, "name" | "namespace" | "uid" | "resourceVersion" | "labels");
        metadata.retain(|key, _| is_read(key));
        if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
            labels.retain(|key, _| key == WEIGHT);
        }
    }
}

/// A Pod that registered services, as go-micro's Kubernetes registry labels it.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct RegisteredPod(PodMeta);

impl Watched for RegisteredPod {
    const KIND: Kind = Kind::PodRegistration;
    const METADATA_ONLY: bool = true;
    /// A Pod that has ended keeps its annotations.
    const FIELD_SELECTOR: Option<&'static str> = Some("status.phase=Running");
    const LABEL_SELECTOR: Option<&'static str> = Some("micro.mu/type=service");

    fn wrap(object: Arc<Self>) -> Object {
        Object::PodRegistration(Arc::new(Registration::of_pod(&object.0.metadata, Addresses::OfPods)))
    }

    fn trim(object: &mut Map<String, Value>) {
        let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
        let own = ["name", "namespace", "uid", "resourceVersion", "deletionTimestamp"];
        metadata.retain(|key, _| own.contains(&key.as_str()) || matches!(key.as_str(), "labels" | "annotations"));
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|key, _| key.starts_with(ANNOTATION_PREFIX));
        }
    }
}

impl Resource for RegisteredPod {
    type DynamicType = ();
    type Scope = <PodMeta as Resource>::Scope;

    fn kind(of: &()) -> Cow<'_, str> {
        PodMeta::kind(of)
    }

    fn group(of: &()) -> Cow<'_, str> {
        PodMeta::group(of)
    }

    fn version(of: &()) -> Cow<'_, str> {
        PodMeta::version(of)
    }

    fn plural(of: &()) -> Cow<'_, str> {
        PodMeta::plural(of)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.meta()
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.meta_mut()
    }
}

impl Watched for Secret {
    const KIND: Kind = Kind::Secret;
    const FIELD_SELECTOR: Option<&'static str> = Some("type=kubernetes.io/tls");

    fn wrap(object: Arc<Self>) -> Object {
        Object::Secret(object)
    }

    /// Other keys of a TLS Secret are none of our business.
    fn trim(object: &mut Map<String, Value>) {
        if let Some(data) = object.get_mut("data").and_then(Value::as_object_mut) {
            data.retain(|key, _| matches!(key.as_str(), "ca.crt" | "tls.crt" | "tls.key"));
        }
    }
}

/// The plural name of a kind with its API group, as RBAC and people write it.
pub(crate) const fn resource_name(kind: Kind) -> &'static str {
    match kind {
        Kind::GatewayRoute => "gatewayroutes.paifang.dev",
        Kind::Service => "services",
        Kind::EndpointSlice => "endpointslices.discovery.k8s.io",
        Kind::Secret => "secrets",
        Kind::Namespace => "namespaces",
        Kind::Ingress => "ingresses.networking.k8s.io",
        Kind::IngressClass => "ingressclasses.networking.k8s.io",
        Kind::Pod | Kind::PodRegistration => "pods",
        Kind::ReferenceGrant => "referencegrants.gateway.networking.k8s.io",
    }
}
