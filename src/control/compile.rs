//! Compilation: what can be understood of one object alone, done once per version of it.
//!
//! Patterns and keys are parsed here, so that a translation of thousands of objects only copies
//! pointers. Whatever depends on other objects belongs to `translate`.

pub mod authorities;
pub mod calls;
pub mod certificate;
mod conditions;
mod hosts;
pub mod ingress;
mod limits;
mod paths;
pub mod policy;
pub mod route;

use crate::model::{condition::Reason, diagnostic::Severity};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// An object of which something can be understood without looking at others.
pub trait Compile {
    /// What is understood.
    type Output: std::fmt::Debug;

    /// Understands it. Total: what is wrong becomes a part of the output.
    fn compile(&self) -> Self::Output;

    /// What stands for a version that made [`Self::compile`] panic: nothing, and not good.
    fn failed() -> Self::Output;

    /// Whether the output can serve as it is. Else the last good version does.
    fn is_good(output: &Self::Output) -> bool;

    /// Whether two versions are of the same object, not of one that came after it under its name.
    fn same_object(old: &Self, new: &Self) -> bool;

    /// Whether nothing that translation reads differs between two versions.
    fn same_meaning(old: &Self, new: &Self) -> bool;
}

/// Something wrong with one object, found by looking at it alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The field, as in `spec.rules[0].matches[1].path.value`.
    pub field: String,
    /// An error makes the object fall back to its last good version.
    pub severity: Severity,
    /// The reason word.
    pub reason: Reason,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl Finding {
    /// A field whose value cannot be used.
    pub(crate) fn error(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            severity: Severity::Error,
            reason: Reason::UnsupportedValue,
            message: message.into(),
        }
    }

    /// The finding of a version that made the compilation panic.
    pub(crate) fn bug() -> Self {
        Self { reason: Reason::Invalid, ..Self::error("", BUG) }
    }

    /// A field that works, but not as the author may think.
    pub(crate) fn warning(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(field, message) }
    }
}

/// What is said of a version that makes the gateway panic.
pub(crate) const BUG: &str = "this version breaks the gateway, which is a bug of the gateway: please report it";

fn no_errors(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.severity < Severity::Error)
}

fn same_version(old: &ObjectMeta, new: &ObjectMeta) -> bool {
    old.uid == new.uid
        && old.generation == new.generation
        && old.creation_timestamp == new.creation_timestamp
        && old.name == new.name
}
