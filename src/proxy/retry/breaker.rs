//! The breaker of an endpoint around a try: asked before it, told after it. Each change of its
//! state is counted, and logged as long as there are few.

use super::plan::Plan;
use crate::{
    live::{
        breaker::{BreakerState, Outcome, Transition},
        moment::Moment,
    },
    model::upstream::BreakerPolicy,
    proxy::{
        error::Fault,
        permit::Permit,
        upstream::forward::{Lost, Sent},
    },
};
use std::time::Instant;

/// Whether the breaker lets a try pass, where there is one.
pub(super) fn admits(plan: &Plan<'_>, permit: &mut Permit, now: Moment) -> bool {
    let Some(policy) = &plan.policy().breaker else { return true };
    let admitted = permit.admit(policy, now);
    if admitted.is_some_and(|admitted| admitted.half_opens) {
        tell_half_open(plan, permit, policy, now);
    }
    admitted.is_some()
}

/// Tells the breaker what came of a try.
pub(super) fn settle(plan: &Plan<'_>, permit: &mut Permit, sent: &Sent) {
    let Some(policy) = &plan.policy().breaker else { return };
    if let Some(transition) = permit.settle(policy, outcome(policy, sent)) {
        tell(plan, permit, policy, transition, reason(sent));
    }
}

/// The word for what came of a try.
pub(super) fn reason(sent: &Sent) -> &'static str {
    sent.as_ref().map_or_else(|lost| lost.failure.reason(), |_| "server_error")
}

#[cold]
fn tell_half_open(plan: &Plan<'_>, permit: &Permit, policy: &BreakerPolicy, now: Moment) {
    plan.core.metrics.breaker_turned(BreakerState::HalfOpen);
    if plan.core.may_log(now) {
        let (endpoint, service) = (permit.endpoint().address(), &plan.upstream.port);
        tracing::info!(%endpoint, %service, requests = policy.half_open_max_requests, "breaker half open");
    }
}

#[cold]
fn tell(
    plan: &Plan<'_>,
    permit: &Permit,
    policy: &BreakerPolicy,
    Transition { to, attempts }: Transition,
    reason: &'static str,
) {
    plan.core.metrics.breaker_turned(to);
    if !plan.core.may_log(Moment::of(Instant::now())) {
        return;
    }
    let (endpoint, service) = (permit.endpoint().address(), &plan.upstream.port);
    if to == BreakerState::Open {
        let seconds = policy.open_timeout.as_secs_f64();
        tracing::warn!(%endpoint, %service, reason, failures = attempts, seconds, "breaker open");
    } else {
        tracing::info!(%endpoint, %service, successes = attempts, "breaker closed");
    }
}

/// What the breaker is told.
fn outcome(policy: &BreakerPolicy, sent: &Sent) -> Outcome {
    match sent {
        Ok(answer) if policy.count_server_errors && answer.status().is_server_error() => Outcome::Failure,
        Ok(_) => Outcome::Success,
        Err(Lost { failure, .. }) => match failure.fault() {
            Some(Fault::Unreached | Fault::Broken) => Outcome::Failure,
            Some(Fault::Silent) if policy.count_timeouts => Outcome::Failure,
            Some(Fault::Silent) | None => Outcome::Unknown,
        },
    }
}
