//! The labels and annotations in which go-micro's Kubernetes registry keeps services, on their own pods.

use super::{Service, ServiceError, parse};

/// The label of every pod that registered a service; its value is [`TYPE_SERVICE`].
pub const TYPE_LABEL: &str = "micro.mu/type";

/// The value of [`TYPE_LABEL`] and of the labels that start with [`SELECTOR_PREFIX`].
pub const TYPE_SERVICE: &str = "service";

/// What the label starts with that says which service a pod registered.
pub const SELECTOR_PREFIX: &str = "micro.mu/selector-";

/// What the annotation starts with that holds a service.
pub const ANNOTATION_PREFIX: &str = "micro.mu/service-";

/// An annotation that holds no service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("annotation {annotation}: {error}")]
pub struct AnnotationError {
    /// The key.
    pub annotation: String,
    /// What is wrong with its value.
    pub error: ServiceError,
}

/// The key of the annotation of a service.
#[must_use]
pub fn annotation_key(service: &str) -> String {
    key(ANNOTATION_PREFIX, service)
}

/// The key of the label that selects the pods of a service.
#[must_use]
pub fn selector_label(service: &str) -> String {
    key(SELECTOR_PREFIX, service)
}

/// Every byte that Kubernetes does not allow in a key is an underscore, so two services may have the same key.
fn key(prefix: &str, service: &str) -> String {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let name = service.bytes().map(|byte| if allowed(byte) { char::from(byte) } else { '_' });
    prefix.chars().chain(name).collect()
}

/// The services in the annotations of one pod, and what is wrong with the others.
pub fn of_annotations<'a>(
    annotations: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> (Vec<Service>, Vec<AnnotationError>) {
    let (mut services, mut errors) = (Vec::new(), Vec::new());
    for (key, value) in annotations.into_iter().filter(|(key, _)| key.starts_with(ANNOTATION_PREFIX)) {
        match parse(value) {
            Ok(service) => services.push(service),
            Err(error) => errors.push(AnnotationError { annotation: key.to_owned(), error }),
        }
    }
    (services, errors)
}
