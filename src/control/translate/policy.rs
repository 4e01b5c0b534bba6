//! Policy of Service ports: who sets it, and who comes too late.
//!
//! Policy belongs to the port of a Service, because all routes to it share its connections. Each
//! setting is decided by itself: first the objects with `policyFor`, oldest first, then the routes
//! with rules, oldest first. An object with `policyFor` that asks for something else than the
//! winner is not accepted, since that is all it does. A route goes on routing and is only warned.

use super::{
    backends::{self, Part, Wanted},
    build::Build,
    references::{From, GATEWAY_ROUTE},
    source::Selected,
};
use crate::{
    control::compile::policy::Setting,
    model::{
        condition::{ConditionType, Reason},
        diagnostic::ObjectRef,
        target::ServicePort,
        upstream::UpstreamPolicy,
    },
    resource::GatewayRoute,
};
use std::{collections::HashMap, mem::discriminant};

/// Who sets the policy of which Service port.
#[derive(Debug, Default)]
pub(super) struct Policies {
    claims: HashMap<ServicePort, Vec<Claim>>,
}

#[derive(Debug)]
struct Claim {
    setting: Setting,
    owner: ObjectRef,
}

/// A setting that an older object sets to something else.
struct Conflict {
    field: &'static str,
    owner: ObjectRef,
}

impl Policies {
    /// The policy of a port.
    pub(super) fn of(&self, port: &ServicePort) -> UpstreamPolicy {
        let mut policy = UpstreamPolicy::default();
        self.claims.get(port).into_iter().flatten().for_each(|claim| claim.setting.apply(&mut policy));
        policy
    }

    /// Sets what nobody has set yet. A setting that somebody has set to the same is no conflict.
    fn claim<'s>(
        &mut self,
        port: &ServicePort,
        owner: &ObjectRef,
        settings: impl Iterator<Item = &'s Setting>,
    ) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        for setting in settings {
            let claims = self.claims.entry(port.clone()).or_default();
            match claims.iter().find(|claim| discriminant(&claim.setting) == discriminant(setting)) {
                None => claims.push(Claim { setting: setting.clone(), owner: owner.clone() }),
                Some(winner) if winner.setting != *setting => {
                    conflicts.push(Conflict { field: setting.field(), owner: winner.owner.clone() });
                }
                Some(_) => {}
            }
        }
        conflicts
    }
}

/// Lets an object with `policyFor` set the policy of its Service port.
pub(super) fn claim_for_port(build: &mut Build<'_>, route: &Selected<'_, GatewayRoute>) {
    let spec = &route.serving.object().spec;
    let Some(target) = spec.policy_for.as_ref().filter(|_| !route.serving.is_condemned()) else { return };
    let namespace = &*route.object.namespace;
    let from = From { kind: GATEWAY_ROUTE, namespace };
    let wanted = Wanted { from, namespace, service: &target.service, port: target.port.as_ref() };
    let port = match backends::resolve(build, wanted) {
        Ok(port) => port,
        Err(refusal) => {
            let field = if refusal.part == Part::Port { "spec.policyFor.port" } else { "spec.policyFor.service" };
            build.error(&route.object, field, ConditionType::ResolvedRefs, refusal.reason, refusal.message);
            let message = "there is no Service port to set the policy of";
            build.error(&route.object, "", ConditionType::Programmed, Reason::Invalid, message);
            return;
        }
    };
    let settings = &route.serving.compiled().settings;
    for conflict in build.policies.claim(&port, &route.object, settings.iter()) {
        let message = explain(&conflict, &route.object, &port);
        build.error(&route.object, conflict.field, ConditionType::Accepted, Reason::Conflicted, message);
    }
}

/// Lets a route with rules set the policy of a Service port that it uses: what all its endpoints
/// share. The rest holds for the route's own requests.
pub(super) fn claim_by_route(build: &mut Build<'_>, port: &ServicePort, route: &Selected<'_, GatewayRoute>) {
    let settings = route.serving.compiled().settings.iter().filter(|setting| setting.is_of_endpoints());
    for conflict in build.policies.claim(port, &route.object, settings) {
        let message = explain(&conflict, &route.object, port);
        build.warning(&route.object, conflict.field, ConditionType::Accepted, Reason::Conflicted, message);
    }
}

/// The winner is named only where the loser's owner can see it.
fn explain(conflict: &Conflict, loser: &ObjectRef, port: &ServicePort) -> String {
    let winner = if conflict.owner.namespace == loser.namespace {
        conflict.owner.to_string()
    } else {
        "an object of another namespace".to_owned()
    };
    format!("{winner} already sets this for {port} and comes first: the setting has no effect there")
}
