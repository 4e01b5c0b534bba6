//! Registrations: the services that go-micro's Kubernetes registry wrote into the annotations of Pods, and those that
//! somebody wrote into the annotations of a Service.
//!
//! Read once, where an object arrives. A bad annotation costs the service that it holds, and nothing else.

mod address;
mod description;
#[cfg(test)]
mod tests;

pub use address::Addresses;
pub use description::{Description, EndpointRule, MOST_EXPRESSIONS};

use crate::rpc::registry::{self, ANNOTATION_PREFIX, Dialect, Metadata, TYPE_LABEL, TYPE_SERVICE, of_annotations};
use k8s_openapi::{api::core::v1::Service, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use std::{net::SocketAddr, sync::Arc};

/// The longest name of a service.
pub const LONGEST_NAME: usize = 253;

const LEFT_OUT: &str = "the service in it is left out";

/// What one object registers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Registration {
    /// The namespace of the object.
    pub namespace: Arc<str>,
    /// The name of the object.
    pub name: Arc<str>,
    /// Its UID, empty where the source has none.
    pub uid: Arc<str>,
    /// Whether the object is being deleted.
    pub is_leaving: bool,
    /// The services.
    pub services: Vec<Registered>,
    /// What is wrong, by field.
    pub problems: Vec<Problem>,
}

/// One version of a service, as one object registers it.
#[derive(Clone, Debug, PartialEq)]
pub struct Registered {
    /// The field that says so.
    pub field: Arc<str>,
    /// What is said of the service.
    pub description: Arc<Description>,
    /// Where it runs. None of a Service, whose endpoints are its own.
    pub nodes: Arc<[Node]>,
}

/// One process of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The identity.
    pub id: Arc<str>,
    /// Where it listens.
    pub address: SocketAddr,
    /// What it understands.
    pub dialect: Dialect,
    /// What else is said of it.
    pub metadata: Arc<Metadata>,
}

/// A part of a registration that is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field of the object.
    pub field: String,
    /// What is wrong, and how to mend it.
    pub message: String,
}

impl Registration {
    /// What a Pod registers: nothing without the label of go-micro's registry.
    #[must_use]
    pub fn of_pod(pod: &ObjectMeta, addresses: Addresses) -> Self {
        let label = pod.labels.as_ref().and_then(|labels| labels.get(TYPE_LABEL));
        let mut registration = Self::named(pod);
        if label.is_some_and(|value| value == TYPE_SERVICE) {
            registration.read(pod, |registration, field, service| {
                address::nodes(&service.nodes, addresses, |message| {
                    registration.problems.push(Problem { field: field.to_owned(), message });
                })
            });
        }
        registration
    }

    /// What somebody wrote of a Service. The nodes are its endpoints.
    #[must_use]
    pub fn of_service(service: &Service) -> Self {
        let mut registration = Self::named(&service.metadata);
        registration.read(&service.metadata, |_, _, _| Arc::default());
        registration
    }

    fn named(meta: &ObjectMeta) -> Self {
        let text = |text: &Option<String>| text.as_deref().unwrap_or_default().into();
        Self {
            namespace: text(&meta.namespace),
            name: text(&meta.name),
            uid: text(&meta.uid),
            is_leaving: meta.deletion_timestamp.is_some(),
            ..Self::default()
        }
    }

    fn read(&mut self, meta: &ObjectMeta, nodes: impl Fn(&mut Self, &str, &registry::Service) -> Arc<[Node]>) {
        for (key, value) in meta.annotations.iter().flatten().filter(|(key, _)| key.starts_with(ANNOTATION_PREFIX)) {
            let field = format!("metadata.annotations.{key}");
            let (services, errors) = of_annotations([(key.as_str(), value.as_str())]);
            for error in errors {
                let at = if error.error.field == "." { String::new() } else { format!("{}: ", error.error.field) };
                let message = format!("{at}{}: {LEFT_OUT}", error.error.problem);
                self.problems.push(Problem { field: field.clone(), message });
            }
            for service in services {
                if !is_name(&service.name) {
                    let message = format!(
                        "name: it must have at most {LONGEST_NAME} bytes and no control characters: {LEFT_OUT}"
                    );
                    self.problems.push(Problem { field: field.clone(), message });
                    continue;
                }
                let nodes = nodes(self, &field, &service);
                let description = Arc::new(Description::of(service));
                self.services.push(Registered { field: field.as_str().into(), description, nodes });
            }
        }
    }

    /// Whether nothing is registered, and nothing is wrong.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.services.is_empty() && self.problems.is_empty()
    }

    /// The names of the services.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.services.iter().map(|registered| registered.description.name())
    }
}

/// Names stand in logs and in header fields of calls.
fn is_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME && !name.chars().any(char::is_control)
}
