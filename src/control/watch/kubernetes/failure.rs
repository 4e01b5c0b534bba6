//! What went wrong with a request to the API server, in words that name the mend.

use super::kinds::resource_name;
use crate::{control::change::Scope, model::diagnostic::Kind};
use kube::{core::Status, runtime::watcher};
use std::{error::Error, fmt::Write as _};

/// A failed list or watch: its words and the HTTP code, if the API server answered.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) code: Option<u16>,
    pub(super) message: String,
}

impl Failure {
    /// The failure of a watch of a scope.
    pub(super) fn of_watch(scope: &Scope, error: &watcher::Error) -> Self {
        match error {
            watcher::Error::InitialListFailed(cause) => Self::of_request(scope, "list", cause),
            watcher::Error::WatchStartFailed(cause) | watcher::Error::WatchFailed(cause) => {
                Self::of_request(scope, "watch", cause)
            }
            watcher::Error::WatchError(status) => Self::of_status(scope, "watch", status),
            watcher::Error::NoResourceVersion => {
                Self { code: None, message: format!("watch {}: the API server sent no resourceVersion", place(scope)) }
            }
        }
    }

    /// The failure of a request about a scope.
    pub(super) fn of_request(scope: &Scope, verb: &str, error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::of_status(scope, verb, status),
            other => Self { code: None, message: format!("{verb} {}: {}", place(scope), reason_text(other)) },
        }
    }

    fn of_status(scope: &Scope, verb: &str, status: &Status) -> Self {
        let mut message = format!("{verb} {}: ", place(scope));
        let _ = match status.code {
            403 => write!(message, "forbidden by RBAC; {}", mend_rights(scope, verb)),
            404 => write!(message, "the API server does not serve this kind; {}", mend_absence(scope)),
            401 => write!(
                message,
                "the API server does not accept our credentials; check the ServiceAccount token or the kubeconfig"
            ),
            code => write!(message, "the API server answered {code} {}: {}", status.reason, status.message),
        };
        Self { code: Some(status.code), message }
    }
}

fn place(scope: &Scope) -> String {
    match &scope.namespace {
        Some(namespace) => format!("{} in namespace {namespace}", resource_name(scope.kind)),
        None => format!("{} in all namespaces", resource_name(scope.kind)),
    }
}

/// How to get a right that is missing.
pub(crate) fn mend_rights(scope: &Scope, verb: &str) -> String {
    let resource = resource_name(scope.kind);
    match (scope.kind, &scope.namespace) {
        (Kind::Secret, Some(namespace)) => {
            format!("add {namespace} to the chart value tls.namespaces, or grant {verb} on secrets there with a Role")
        }
        (Kind::Secret, None) => {
            format!("set the chart value tls.clusterWide=true, or grant {verb} on secrets with a ClusterRole")
        }
        (Kind::Pod, namespace) => mend_pods(verb, namespace.is_some(), "podWeights", "--pod-weights"),
        (Kind::PodRegistration, namespace) => {
            mend_pods(verb, namespace.is_some(), "podRegistrations", "--pod-registrations")
        }
        (_, Some(namespace)) => format!(
            "add {namespace} to the chart value watchNamespaces (with rbac.scope=namespace), or grant {verb} on \
             {resource} there with a Role"
        ),
        (_, None) => format!(
            "set the chart values rbac.create=true and rbac.scope=cluster, or grant {verb} on {resource} with a \
             ClusterRole; where only some namespaces may be read, set --watch-namespaces"
        ),
    }
}

fn mend_pods(verb: &str, is_namespaced: bool, value: &str, flag: &str) -> String {
    let role = if is_namespaced { "Role" } else { "ClusterRole" };
    format!("set the chart value {value}.enabled=true, or grant {verb} on pods with a {role}; or leave {flag} out")
}

fn mend_absence(scope: &Scope) -> &'static str {
    match scope.kind {
        Kind::GatewayRoute => {
            "install the CRDs: chart value crds.install=true, or `paifang crds | kubectl apply --server-side -f -`"
        }
        _ => "it looks for it again",
    }
}

/// The words of an error and of its innermost cause, which is the one that tells something.
pub(crate) fn reason_text(error: &(dyn Error + 'static)) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    let (outer, inner) = (error.to_string(), inner.to_string());
    if outer.contains(&inner) { outer } else { format!("{outer}: {inner}") }
}
