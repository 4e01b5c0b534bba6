//! Changes: what a source reports, in a closed set of words.

use super::registration::{Addresses, Registration};
use crate::model::diagnostic::{Kind, ObjectRef};
use gateway_api::apis::standard::referencegrants::ReferenceGrant;
use k8s_openapi::api::{
    core::v1::{Namespace, Pod, Secret, Service},
    discovery::v1::EndpointSlice,
    networking::v1::{Ingress, IngressClass},
};
use kube::{Resource, core::PartialObjectMeta};
use std::sync::Arc;

use crate::resource::GatewayRoute;

/// A Pod, of which only metadata is read.
pub type PodMeta = PartialObjectMeta<Pod>;

/// An object as its source gave it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant is the kind that it names")]
pub enum Object {
    GatewayRoute(Arc<GatewayRoute>),
    Service(Arc<Service>),
    EndpointSlice(Arc<EndpointSlice>),
    Secret(Arc<Secret>),
    Namespace(Arc<Namespace>),
    Ingress(Arc<Ingress>),
    IngressClass(Arc<IngressClass>),
    ReferenceGrant(Arc<ReferenceGrant>),
    Pod(Arc<PodMeta>),
    PodRegistration(Arc<Registration>),
}

impl Object {
    /// Which object it is.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        match self {
            Self::GatewayRoute(object) => refer(Kind::GatewayRoute, &**object),
            Self::Service(object) => refer(Kind::Service, &**object),
            Self::EndpointSlice(object) => refer(Kind::EndpointSlice, &**object),
            Self::Secret(object) => refer(Kind::Secret, &**object),
            Self::Namespace(object) => refer(Kind::Namespace, &**object),
            Self::Ingress(object) => refer(Kind::Ingress, &**object),
            Self::IngressClass(object) => refer(Kind::IngressClass, &**object),
            Self::ReferenceGrant(object) => refer(Kind::ReferenceGrant, &**object),
            Self::Pod(object) => refer(Kind::Pod, &**object),
            Self::PodRegistration(object) => ObjectRef::new(Kind::PodRegistration, &object.namespace, &object.name),
        }
    }
}

fn refer<K: Resource>(kind: Kind, object: &K) -> ObjectRef {
    let meta = object.meta();
    ObjectRef::new(kind, meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
}

/// What one watch covers: a kind, in one namespace or in all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The kind watched.
    pub kind: Kind,
    /// The namespace, or all of them.
    pub namespace: Option<Arc<str>>,
}

/// What a source reports.
#[derive(Clone, Debug)]
pub enum Change {
    /// An object is new or has changed.
    Upsert(Object),
    /// An object is gone.
    Delete(ObjectRef),
    /// An object is there but cannot be read. Its last good version goes on serving.
    Unreadable {
        /// The object.
        object: ObjectRef,
        /// Its generation, where that much could be read.
        generation: Option<i64>,
        /// Why, for status and logs.
        message: String,
    },
    /// The whole content of a scope, complete: what is not in it is gone. `unreadable` ones stay.
    Replace {
        /// What the content covers.
        scope: Scope,
        /// Every object that could be read.
        objects: Vec<Object>,
        /// Those that are there but cannot be read, with the reason.
        unreadable: Vec<(ObjectRef, String)>,
    },
}

/// The changes of a source that reads whole Pods, with what the Pods register.
#[must_use]
pub fn with_registrations(changes: Vec<Change>) -> Vec<Change> {
    let mut all = Vec::with_capacity(changes.len());
    for change in changes {
        let registers = match &change {
            Change::Upsert(Object::Pod(pod)) => {
                let registration = Registration::of_pod(&pod.metadata, Addresses::Any);
                Some(Change::Upsert(Object::PodRegistration(Arc::new(registration))))
            }
            Change::Delete(ObjectRef { kind: Kind::Pod, namespace, name }) => {
                let (namespace, name) = (Arc::clone(namespace), Arc::clone(name));
                Some(Change::Delete(ObjectRef { kind: Kind::PodRegistration, namespace, name }))
            }
            _ => None,
        };
        all.push(change);
        all.extend(registers);
    }
    all
}
