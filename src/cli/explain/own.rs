//! What the gateway answers by itself, where it does not ask a backend.

use super::{called::Called, request::Asked};
use crate::{
    model::{
        rule::{BackendTarget, Handler, Rule, Targets},
        snapshot::RuleId,
    },
    proxy::{admission, reply},
    settings::Limits,
    table::Outcome,
};

/// An answer of the gateway's own.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) status: u16,
    pub(super) reason: String,
    /// The methods of a 405.
    pub(super) allow: Vec<String>,
}

impl Own {
    fn new(status: u16, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), allow: Vec::new() }
    }
}

/// What is refused before any rule is looked at, with the default limits.
pub(super) fn unadmitted(asked: &Asked) -> Option<Own> {
    let scan = admission::scan(asked.sent.headers(), false);
    let admitted = admission::admit(&asked.sent, &scan, &Limits::default());
    let failure = admitted.and_then(|()| admission::host(&asked.sent)).err()?;
    let (status, message) = reply::summary(&failure);
    Some(Own::new(status.as_u16(), message))
}

/// What is answered where no rule takes the request.
pub(super) fn unrouted(outcome: &Outcome<'_, RuleId>) -> Own {
    match outcome {
        Outcome::MethodNotAllowed(methods) => Own {
            allow: methods.iter().map(ToString::to_string).collect(),
            ..Own::new(405, "no rule takes this method")
        },
        Outcome::NotFound | Outcome::Found(_) => Own::new(404, "no rule takes this request"),
    }
}

/// What is answered for a rule that takes the request, where it reaches no backend.
pub(super) fn ruled(rule: &Rule, asked: &Asked) -> Option<Own> {
    if let Some(ambiguity) = asked.ambiguity.filter(|ambiguity| !rule.options.path_safety.permits(*ambiguity)) {
        return Some(Own::new(400, format!("{ambiguity}, which pathSafety {:?} refuses", rule.options.path_safety)));
    }
    if rule.options.redirect_to_https && asked.scheme == "http" {
        return Some(if asked.host.is_empty() {
            Own::new(400, "plain HTTP is redirected to HTTPS, but the request names no host")
        } else {
            Own::new(308, "plain HTTP is redirected to HTTPS")
        });
    }
    if let Some(reason) = rule.broken {
        return Some(Own::new(500, format!("the rule cannot serve: {reason}")));
    }
    unbacked(rule)
}

/// What is answered where the request names nothing that can be called.
pub(super) fn uncalled(called: &Called) -> Option<Own> {
    called.problem.as_ref().map(|problem| Own::new(404, problem.as_str()))
}

/// Endpoints are not looked at: the files seldom hold those that will be there.
fn unbacked(rule: &Rule) -> Option<Own> {
    let Targets::Backends(backends) = &rule.targets else { return None };
    if rule.options.handler == Handler::Registry {
        return None;
    }
    let mut taking = backends.iter().filter(|backend| backend.weight > 0);
    let Some(first) = taking.next() else { return Some(Own::new(500, "all weights are 0")) };
    let BackendTarget::Invalid(reason) = first.target else { return None };
    let none = taking.all(|backend| matches!(backend.target, BackendTarget::Invalid(_)));
    none.then(|| Own::new(500, format!("no backend can be used: {reason}")))
}
