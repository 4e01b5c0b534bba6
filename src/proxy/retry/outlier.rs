//! What a try tells of its endpoint's health: one that fails too often in a row is ejected.

use super::{breaker, plan::Plan};
use crate::{
    live::{breaker::Outcome, health::Judged, moment::Moment},
    model::health::OutlierPolicy,
    proxy::{error::Fault, permit::Permit, upstream::forward::Sent},
};
use std::time::Instant;

/// Counts what came of a try, and ejects its endpoint when there were too many errors in a row.
/// That is counted, and logged as long as there are few such lines.
pub(super) fn judge(plan: &Plan<'_>, permit: &Permit, sent: &Sent) {
    let Some(policy) = &plan.policy().outlier else { return };
    let (endpoint, now) = (permit.endpoint(), Moment::of(Instant::now()));
    if let Some(judged) = plan.cell.judge(endpoint, outcome(policy, sent), policy, now) {
        tell(plan, permit, policy, judged, breaker::reason(sent));
    }
}

#[cold]
fn tell(plan: &Plan<'_>, permit: &Permit, policy: &OutlierPolicy, judged: Judged, reason: &'static str) {
    if matches!(judged, Judged::Ejected(_)) {
        plan.core.metrics.ejections.add(1);
    }
    if !plan.core.may_log(Moment::of(Instant::now())) {
        return;
    }
    let (endpoint, service) = (permit.endpoint().address(), &plan.upstream.port);
    match judged {
        Judged::Ejected(time) => {
            let (errors, seconds) = (policy.consecutive_errors, time.as_secs_f64());
            tracing::warn!(%endpoint, %service, reason, errors, seconds, "endpoint ejected");
        }
        Judged::Back => tracing::info!(%endpoint, %service, "endpoint back after its ejection"),
    }
}

fn outcome(policy: &OutlierPolicy, sent: &Sent) -> Outcome {
    let is_error = match sent {
        Ok(answer) if answer.status().is_server_error() => policy.count_server_errors,
        Ok(_) => false,
        Err(lost) => match lost.failure.fault() {
            Some(Fault::Unreached | Fault::Broken) => policy.count_connect_failures,
            Some(Fault::Silent) => policy.count_timeouts,
            None => return Outcome::Unknown,
        },
    };
    match (is_error, sent) {
        (true, _) => Outcome::Failure,
        // An error that does not count is no success either.
        (false, Err(_)) => Outcome::Unknown,
        (false, Ok(_)) => Outcome::Success,
    }
}
