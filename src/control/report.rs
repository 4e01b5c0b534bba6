//! Reports: what became of each object, written to its status once the data plane runs it.

use crate::model::{
    condition::{ConditionType, Reason},
    diagnostic::ObjectRef,
};

/// One condition of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionReport {
    /// Which condition.
    pub type_: ConditionType,
    /// Whether it holds.
    pub holds: bool,
    /// The reason word.
    pub reason: Reason,
    /// For people: what is wrong and how to mend it, or what works.
    pub message: String,
}

/// What became of one GatewayRoute or Ingress that belongs to this gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectReport {
    /// The object.
    pub object: ObjectRef,
    /// Its UID, empty where the source has none: a status is never written to a successor.
    pub uid: String,
    /// The generation that was translated.
    pub generation: i64,
    /// Accepted, ResolvedRefs and Programmed, in this order.
    pub conditions: Vec<ConditionReport>,
    /// Ready and all endpoints behind the object, each counted once.
    pub endpoints: (usize, usize),
}
