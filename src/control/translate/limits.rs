//! The limits of a route, as this gateway can count them.

use super::{build::Build, source::Selected};
use crate::{
    model::{
        condition::{ConditionType, Reason},
        limit::{LimitScope, RequestLimit, RequestLimits},
    },
    resource::GatewayRoute,
};
use std::sync::Arc;

/// The limits of a route. Where replicas share no store, each counts for itself, and the route is
/// warned.
pub(super) fn of_route(build: &mut Build<'_>, route: &Selected<'_, GatewayRoute>) -> Option<Arc<RequestLimits>> {
    let limits = route.serving.compiled().limits.as_ref()?;
    if !build.context.counts_alone || !limits.are_shared() {
        return Some(Arc::clone(limits));
    }
    for (index, _) in limits.limits.iter().enumerate().filter(|(_, limit)| limit.scope == LimitScope::Cluster) {
        let field = format!("spec.limiter.requests[{index}].scope");
        let message = "the gateway has no store that its replicas share, so each counts for itself: set --redis";
        build.warning(&route.object, field, ConditionType::Accepted, Reason::UnsupportedValue, message);
    }
    let alone = |limit: &RequestLimit| RequestLimit { scope: LimitScope::Replica, ..limit.clone() };
    let alone = limits.limits.iter().map(alone).collect();
    Some(Arc::new(RequestLimits { limits: alone, policy: limits.policy.clone() }))
}
