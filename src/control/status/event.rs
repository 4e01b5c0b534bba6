//! Kubernetes Events: one for each condition that becomes False, where `kubectl describe` shows it.

use super::merge::clipped;
use crate::{control::report::ConditionReport, model::diagnostic::ObjectRef};
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::api::ApiResource;

/// The longest note of an Event, in bytes.
const MAX_NOTE: usize = 1024;
/// The longest object name that leaves room for the suffix of the Event's own name.
const MAX_NAME: usize = 230;

/// Who tells.
#[derive(Clone, Debug)]
pub(super) struct Reporter {
    /// A domain and a path, such as `paifang.dev/ingress-controller`.
    pub(super) controller: String,
    /// The pod.
    pub(super) instance: String,
}

/// The Event about a condition that does not hold.
pub(super) fn event(
    reporter: &Reporter,
    (resource, object, uid): (&ApiResource, &ObjectRef, &str),
    condition: &ConditionReport,
    now: Timestamp,
) -> Event {
    Event {
        metadata: ObjectMeta {
            namespace: Some(object.namespace.to_string()),
            name: Some(format!("{}.{:016x}", clipped(&object.name, MAX_NAME), fastrand::u64(..))),
            ..ObjectMeta::default()
        },
        action: Some(condition.type_.as_str().to_owned()),
        event_time: Some(MicroTime(now)),
        note: Some(clipped(&condition.message, MAX_NOTE).to_owned()),
        reason: Some(condition.reason.as_str().to_owned()),
        regarding: Some(ObjectReference {
            api_version: Some(resource.api_version.clone()),
            kind: Some(resource.kind.clone()),
            namespace: Some(object.namespace.to_string()),
            name: Some(object.name.to_string()),
            uid: Some(uid.to_owned()),
            ..ObjectReference::default()
        }),
        reporting_controller: Some(reporter.controller.clone()),
        reporting_instance: Some(clipped(&reporter.instance, 128).to_owned()),
        type_: Some("Warning".to_owned()),
        ..Event::default()
    }
}
