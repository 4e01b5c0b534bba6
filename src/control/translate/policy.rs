//! Policy of Service ports: who sets it, and who comes too late.
//!
//! Policy belongs to the port of a Service, because all routes to it share its connections. Each
//! setting is decided by itself: first the objects with `policyFor`, oldest first, then the routes
//! with rules, oldest first. An object with `policyFor` that asks for something else than the
//! winner is not accepted, since that is all it does. A route goes on routing and is only warned.

use super::{
    backends::{self, Part, Wanted},
    build::Build,
    claims::Conflict,
    references::{From, GATEWAY_ROUTE},
    source::Selected,
};
use crate::{
    control::compile::policy::Setting,
    model::{
        condition::{ConditionType, Reason},
        diagnostic::ObjectRef,
        target::{ServicePort, UpstreamId},
    },
    resource::GatewayRoute,
};

/// Lets an object with `policyFor` set the policy of its Service port.
pub(super) fn claim_for_port(build: &mut Build<'_>, route: &Selected<'_, GatewayRoute>) {
    let spec = &route.serving.object().spec;
    let Some(target) = spec.policy_for.as_ref().filter(|_| !route.serving.is_condemned()) else { return };
    let namespace = &*route.object.namespace;
    let from = From { kind: GATEWAY_ROUTE, namespace };
    let wanted = Wanted { from, namespace, service: &target.service, port: target.port.as_ref() };
    let port = match backends::resolve(build.cache, build.context, wanted) {
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
    for conflict in claim(build, port, route) {
        warn(build, &conflict, port, route);
    }
}

/// The most explanations of one resolver: it may find hundreds of Services.
const MOST_EXPLAINED: usize = 5;

/// As [`claim_by_route`], for everything that a resolver may find.
pub(super) fn claim_by_resolver(build: &mut Build<'_>, upstreams: &[UpstreamId], route: &Selected<'_, GatewayRoute>) {
    let settings = &route.serving.compiled().settings;
    if !settings.iter().any(Setting::is_of_endpoints) {
        return;
    }
    let mut explained = 0;
    for id in upstreams {
        let Some(port) = build.port(*id).cloned() else { continue };
        for conflict in claim(build, &port, route) {
            if explained < MOST_EXPLAINED {
                warn(build, &conflict, &port, route);
                explained += 1;
            }
        }
    }
}

fn claim(build: &mut Build<'_>, port: &ServicePort, route: &Selected<'_, GatewayRoute>) -> Vec<Conflict> {
    let settings = route.serving.compiled().settings.iter().filter(|setting| setting.is_of_endpoints());
    build.policies.claim(port, &route.object, settings)
}

fn warn(build: &mut Build<'_>, conflict: &Conflict, port: &ServicePort, route: &Selected<'_, GatewayRoute>) {
    let message = explain(conflict, &route.object, port);
    build.warning(&route.object, conflict.field, ConditionType::Accepted, Reason::Conflicted, message);
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
