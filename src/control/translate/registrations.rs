//! What is to be said of registrations: of annotations that cannot be read, of endpoints whose metadata routes nothing, and
//! of nodes that get no requests.

use super::build::Build;
use crate::{
    control::{
        cache::Known,
        registration::{Registered, Registration},
    },
    model::{
        condition::{ConditionType, Reason},
        diagnostic::{Diagnostic, Kind, ObjectRef, Severity},
    },
    rpc::registry::Dialect,
};
use std::sync::Arc;

/// The most that is said of one matter: a bad annotation is often that of many Pods.
const MOST: usize = 100;

/// Explains what of registrations is not used.
pub(super) fn explain(build: &mut Build<'_>) {
    let registrations = &build.cache.registrations;
    let unread = registrations.problems().map(|(kind, object, problem)| {
        diagnostic(kind, object, &problem.field, Severity::Error, problem.message.clone())
    });
    let unread: Vec<_> = unread.take(MOST).collect();
    let unused = registrations.iter().flat_map(|(namespace, name, known)| unrouted(build, namespace, name, known));
    let unused: Vec<_> = unused.take(MOST).collect();
    let mixed = registrations.iter().filter(|(.., known)| known.others() > 0);
    let silent = mixed.flat_map(|(namespace, name, known)| left_out(build, namespace, name, known));
    let silent: Vec<_> = silent.take(MOST).collect();
    unread.into_iter().chain(unused).chain(silent).for_each(|diagnostic| build.note(diagnostic));
}

/// What all Pods of a version say is told of the first one.
fn unrouted(build: &Build<'_>, namespace: &str, name: &Arc<str>, known: &Known) -> Vec<Diagnostic> {
    let mut told = Vec::new();
    for description in known.descriptions().filter(|description| !description.problems().is_empty()) {
        let mut objects = build.cache.registrations.objects(namespace, name);
        let first = objects.find(|(.., registered)| Arc::ptr_eq(&registered.description, description));
        let Some((kind, object, Registered { field, .. })) = first else { continue };
        let problems = description.problems().iter().take(MOST);
        told.extend(problems.map(|problem| diagnostic(kind, object, field, Severity::Warning, problem.clone())));
    }
    told
}

fn left_out(build: &Build<'_>, namespace: &str, name: &Arc<str>, known: &Known) -> Vec<Diagnostic> {
    let Some(spoken) = known.dialect() else { return Vec::new() };
    let nodes = build.cache.registrations.nodes(namespace, name).filter(|(.., node)| node.dialect != spoken);
    let told = nodes.map(|(object, registered, node)| {
        let (own, most) = (word(node.dialect), word(spoken));
        let message = format!("node {} speaks {own}, and most nodes of {name} {most}: it gets no requests", node.id);
        diagnostic(Kind::Pod, object, &registered.field, Severity::Warning, message)
    });
    told.take(MOST).collect()
}

const fn word(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Other => "something else",
        spoken => spoken.as_str(),
    }
}

fn diagnostic(kind: Kind, object: &Registration, field: &str, severity: Severity, message: String) -> Diagnostic {
    Diagnostic {
        object: ObjectRef { kind, namespace: Arc::clone(&object.namespace), name: Arc::clone(&object.name) },
        field: field.to_owned(),
        severity,
        condition: ConditionType::Accepted,
        reason: Reason::UnsupportedValue,
        message,
    }
}
