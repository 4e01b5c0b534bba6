//! Explanations: what is wrong with a resource, at which field, and how to mend it.

use super::condition::{ConditionType, Reason};
use std::{fmt, sync::Arc};

/// The kinds of object that the gateway reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `paifang.dev` GatewayRoute.
    GatewayRoute,
    /// Core Service.
    Service,
    /// `discovery.k8s.io` EndpointSlice.
    EndpointSlice,
    /// Core Secret.
    Secret,
    /// Core Namespace.
    Namespace,
    /// `networking.k8s.io` Ingress.
    Ingress,
    /// `networking.k8s.io` IngressClass.
    IngressClass,
    /// `gateway.networking.k8s.io` ReferenceGrant.
    ReferenceGrant,
    /// Core Pod, of which only metadata is read.
    Pod,
    /// What a Pod registers by its annotations.
    PodRegistration,
}

impl Kind {
    /// Every kind, in the order of this enum.
    pub const ALL: [Self; 10] = [
        Self::GatewayRoute,
        Self::Service,
        Self::EndpointSlice,
        Self::Secret,
        Self::Namespace,
        Self::Ingress,
        Self::IngressClass,
        Self::ReferenceGrant,
        Self::Pod,
        Self::PodRegistration,
    ];

    /// The kind's name, as in YAML.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GatewayRoute => "GatewayRoute",
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
            Self::Secret => "Secret",
            Self::Namespace => "Namespace",
            Self::Ingress => "Ingress",
            Self::IngressClass => "IngressClass",
            Self::ReferenceGrant => "ReferenceGrant",
            Self::Pod => "Pod",
            Self::PodRegistration => "PodRegistration",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An object by kind, namespace and name. Cluster-scoped kinds have an empty namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// The kind.
    pub kind: Kind,
    /// The namespace, empty for cluster-scoped kinds.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl ObjectRef {
    /// An object of a kind.
    #[must_use]
    pub fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        Self { kind, namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.namespace {
            "" => write!(f, "{} {}", self.kind, self.name),
            namespace => write!(f, "{} {namespace}/{}", self.kind, self.name),
        }
    }
}

/// How grave a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Works, but not as the author may think.
    Warning,
    /// A part of the object, or all of it, does not work; its condition is False.
    Error,
}

/// One explanation, tied to a field of a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// The object.
    pub object: ObjectRef,
    /// The field, as in `spec.rules[0].backends[1].port`; empty for the whole object.
    pub field: String,
    /// How grave it is.
    pub severity: Severity,
    /// The condition that it makes False, if it is an error.
    pub condition: ConditionType,
    /// The reason word.
    pub reason: Reason,
    /// What is wrong and how to mend it, in one sentence or two. It never tells whether an object
    /// that the author may not refer to exists.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.object)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        write!(f, "{} ({})", self.message, self.reason)
    }
}
