//! What a try tells of its endpoint's health: one that fails too often in a row is ejected.

use super::plan::Plan;
use crate::{
    live::{breaker::Outcome, moment::Moment},
    model::health::OutlierPolicy,
    proxy::{error::Failure, permit::Permit, upstream::forward::Lost},
};
use http::Response;
use hyper::body::Incoming;
use std::time::Instant;

type Sent<S> = Result<(Response<Incoming>, S), Lost>;

/// Counts what came of a try, and ejects its endpoint when there were too many errors in a row.
pub(super) fn judge<S>(plan: &Plan<'_>, permit: &Permit, sent: &Sent<S>) {
    let Some(policy) = &plan.policy().outlier else { return };
    let (endpoint, now) = (permit.endpoint(), Moment::of(Instant::now()));
    let Some(time) = plan.cell.judge(endpoint, outcome(policy, sent), policy, now) else { return };
    if plan.core.may_log(now) {
        let reason = sent.as_ref().map_or_else(|lost| lost.failure.reason(), |_| "server_error");
        let (address, port) = (endpoint.address(), &plan.upstream.port);
        tracing::warn!(endpoint = %address, service = %port, reason, seconds = time.as_secs(), "endpoint ejected");
    }
}

fn outcome<S>(policy: &OutlierPolicy, sent: &Sent<S>) -> Outcome {
    let is_error = match sent {
        Ok((response, _)) if response.status().is_server_error() => policy.count_server_errors,
        Ok(_) => false,
        Err(lost) => match lost.failure {
            Failure::ConnectFailed
            | Failure::ConnectTimeout
            | Failure::UpstreamTlsFailed
            | Failure::UpstreamTlsTimeout
            | Failure::UpstreamBroken => policy.count_connect_failures,
            Failure::UpstreamTimeout => policy.count_timeouts,
            _ => return Outcome::Unknown,
        },
    };
    match (is_error, sent) {
        (true, _) => Outcome::Failure,
        // An error that does not count is no success either.
        (false, Err(_)) => Outcome::Unknown,
        (false, Ok(_)) => Outcome::Success,
    }
}
