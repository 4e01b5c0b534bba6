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
    model::{
        condition::{ConditionType, Reason},
        diagnostic::ObjectRef,
        target::ServicePort,
        upstream::{Strategy, UpstreamPolicy},
    },
    resource::{BalancingStrategy, GatewayRoute, GatewayRouteSpec},
};
use std::{collections::HashMap, time::Duration};

/// The limit on a response head where nobody sets one.
pub(super) const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Stands for no limit of ours on connecting: systems give up sooner.
const NO_DIAL_TIMEOUT: Duration = Duration::from_secs(300);

/// Who sets the policy of which Service port.
#[derive(Debug, Default)]
pub(super) struct Policies {
    claims: HashMap<ServicePort, Claims>,
}

#[derive(Debug, Default)]
struct Claims {
    strategy: Option<Claim<Strategy>>,
    dial_timeout: Option<Claim<Duration>>,
    request_timeout: Option<Claim<Option<Duration>>>,
}

#[derive(Debug)]
struct Claim<V> {
    value: V,
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
        let default = UpstreamPolicy::default();
        let Some(claims) = self.claims.get(port) else { return default };
        UpstreamPolicy {
            strategy: claims.strategy.as_ref().map_or(default.strategy, |claim| claim.value),
            dial_timeout: claims.dial_timeout.as_ref().map_or(default.dial_timeout, |claim| claim.value),
        }
    }

    /// The limit on response heads that a port's policy sets: the outer `None` where it sets
    /// none, the inner one where it turns the limit off.
    pub(super) fn request_timeout(&self, port: &ServicePort) -> Option<Option<Duration>> {
        self.claims.get(port)?.request_timeout.as_ref().map(|claim| claim.value)
    }

    fn claim(&mut self, port: &ServicePort, owner: &ObjectRef, spec: &GatewayRouteSpec) -> Vec<Conflict> {
        let strategy = spec.balancing.as_ref().map(|balancing| strategy(balancing.strategy));
        let dial = spec.proxy.as_ref().and_then(|proxy| proxy.dial_timeout).map(|timeout| dial_timeout(timeout.0));
        if strategy.is_none() && dial.is_none() {
            return Vec::new();
        }
        let claims = self.claims.entry(port.clone()).or_default();
        let mut conflicts = Vec::new();
        settle(&mut claims.strategy, strategy, owner, "spec.balancing.strategy", &mut conflicts);
        settle(&mut claims.dial_timeout, dial, owner, "spec.proxy.dialTimeout", &mut conflicts);
        conflicts
    }

    fn claim_request_timeout(
        &mut self,
        port: &ServicePort,
        owner: &ObjectRef,
        spec: &GatewayRouteSpec,
    ) -> Vec<Conflict> {
        let timeout = spec.proxy.as_ref().and_then(|proxy| proxy.request_timeout);
        let mut conflicts = Vec::new();
        if let Some(timeout) = timeout {
            let claims = self.claims.entry(port.clone()).or_default();
            let value = Some(limit(timeout.0));
            settle(&mut claims.request_timeout, value, owner, "spec.proxy.requestTimeout", &mut conflicts);
        }
        conflicts
    }
}

fn settle<V: PartialEq>(
    claim: &mut Option<Claim<V>>,
    value: Option<V>,
    owner: &ObjectRef,
    field: &'static str,
    conflicts: &mut Vec<Conflict>,
) {
    match (claim, value) {
        (_, None) => {}
        (claim @ None, Some(value)) => *claim = Some(Claim { value, owner: owner.clone() }),
        (Some(winner), Some(value)) if winner.value != value => {
            conflicts.push(Conflict { field, owner: winner.owner.clone() });
        }
        (Some(_), Some(_)) => {}
    }
}

const fn strategy(strategy: BalancingStrategy) -> Strategy {
    match strategy {
        BalancingStrategy::RoundRobin => Strategy::RoundRobin,
        BalancingStrategy::Random => Strategy::Random,
    }
}

const fn dial_timeout(timeout: Duration) -> Duration {
    if timeout.is_zero() { NO_DIAL_TIMEOUT } else { timeout }
}

/// A limit as users write it: zero turns it off.
pub(super) const fn limit(timeout: Duration) -> Option<Duration> {
    if timeout.is_zero() { None } else { Some(timeout) }
}

/// Lets an object with `policyFor` set the policy of its Service port.
pub(super) fn claim_for_port(build: &mut Build<'_>, route: &Selected<'_, GatewayRoute>) {
    let spec = &route.serving.object().spec;
    let Some(target) = &spec.policy_for else { return };
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
    let mut conflicts = build.policies.claim(&port, &route.object, spec);
    conflicts.append(&mut build.policies.claim_request_timeout(&port, &route.object, spec));
    for conflict in conflicts {
        let message = explain(&conflict, &route.object, &port);
        build.error(&route.object, conflict.field, ConditionType::Accepted, Reason::Conflicted, message);
    }
}

/// Lets a route with rules set the policy of a Service port that it uses.
pub(super) fn claim_by_route(build: &mut Build<'_>, port: &ServicePort, object: &ObjectRef, spec: &GatewayRouteSpec) {
    for conflict in build.policies.claim(port, object, spec) {
        let message = explain(&conflict, object, port);
        build.warning(object, conflict.field, ConditionType::Accepted, Reason::Conflicted, message);
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
