//! What is to be said of the weights that Pods and EndpointSlices ask for. They are used past the
//! table, by the endpoints.

use super::build::Build;
use crate::{
    control::cache::{BadAsk, BadWeight, MOST_WEIGHT, WEIGHT},
    model::{
        condition::{ConditionType, Reason},
        diagnostic::{Kind, ObjectRef},
    },
};

/// The most Pods, and the most slices, that are told of: a label is often set on many at once.
const MOST: usize = 100;

/// Explains the weights that are not used.
pub(super) fn explain(build: &mut Build<'_>) {
    for (namespace, name, bad) in build.cache.pods.bad().take(MOST) {
        let object = ObjectRef::new(Kind::Pod, namespace, name);
        let (place, message) = match bad {
            BadWeight::Value(value) => ("labels", out_of_range(value, "label")),
            BadWeight::Annotation => (
                "annotations",
                format!("the weight of a Pod is a label, so that this is not used: set the label {WEIGHT}"),
            ),
        };
        let field = format!("metadata.{place}.{WEIGHT}");
        build.error(&object, field, ConditionType::Accepted, Reason::UnsupportedValue, message);
    }
    for (namespace, name, BadAsk { place, value }) in build.cache.slices.bad().take(MOST) {
        let object = ObjectRef::new(Kind::EndpointSlice, namespace, name);
        let (field, message) = (format!("metadata.{place}.{WEIGHT}"), out_of_range(value, place.trim_end_matches('s')));
        build.error(&object, field, ConditionType::Accepted, Reason::UnsupportedValue, message);
    }
}

fn out_of_range(value: &str, place: &str) -> String {
    format!("the weight `{value}` is not used: write a number from 0 to {MOST_WEIGHT}, or drop the {place}")
}
