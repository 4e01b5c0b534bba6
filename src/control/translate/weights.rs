//! What is to be said of the weights that Pods ask for. They are used past the table, by the
//! endpoints.

use super::build::Build;
use crate::{
    control::cache::{BadWeight, MOST_WEIGHT, WEIGHT},
    model::{
        condition::{ConditionType, Reason},
        diagnostic::{Kind, ObjectRef},
    },
};

/// The most Pods that are told of: a label is often set on many at once.
const MOST: usize = 100;

/// Explains the weights that are not used.
pub(super) fn explain(build: &mut Build<'_>) {
    for (namespace, name, bad) in build.cache.pods.bad().take(MOST) {
        let object = ObjectRef::new(Kind::Pod, namespace, name);
        let (place, message) = match bad {
            BadWeight::Value(value) => (
                "labels",
                format!("the weight `{value}` is not used: write a number from 0 to {MOST_WEIGHT}, or drop the label"),
            ),
            BadWeight::Annotation => (
                "annotations",
                format!("the weight of a Pod is a label, so that this is not used: set the label {WEIGHT}"),
            ),
        };
        let field = format!("metadata.{place}.{WEIGHT}");
        build.error(&object, field, ConditionType::Accepted, Reason::UnsupportedValue, message);
    }
}
