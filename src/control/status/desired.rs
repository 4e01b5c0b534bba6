//! What the status of an object shall say, without times: the part that is compared.

use super::publish::PublishAddress;
use crate::{
    control::report::{ConditionReport, ObjectReport},
    model::diagnostic::Kind,
};
use std::sync::Arc;

/// The content of a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Desired {
    /// The generation that was translated.
    pub(super) generation: i64,
    pub(super) conditions: Vec<ConditionReport>,
    /// Ready and all; none for an Ingress, whose status has no place for it.
    pub(super) endpoints: Option<(usize, usize)>,
    /// For an Ingress; `None`: leave what is there.
    pub(super) addresses: Option<Arc<[PublishAddress]>>,
}

/// How two contents differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    None,
    /// Only in endpoint counts, which change often and may wait.
    Endpoints,
    Content,
}

impl Desired {
    /// What a report asks for.
    pub(super) fn of_report(report: &ObjectReport, addresses: Option<&Arc<[PublishAddress]>>) -> Self {
        let is_ingress = report.object.kind == Kind::Ingress;
        Self {
            generation: report.generation,
            conditions: report.conditions.clone(),
            endpoints: (!is_ingress).then_some(report.endpoints),
            addresses: addresses.filter(|_| is_ingress).cloned(),
        }
    }

    pub(super) fn difference(&self, other: &Self) -> Difference {
        if self == other {
            Difference::None
        } else if (Self { endpoints: other.endpoints, ..self.clone() }) == *other {
            Difference::Endpoints
        } else {
            Difference::Content
        }
    }
}
