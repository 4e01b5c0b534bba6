//! Settings in the words of their fields.

use crate::{
    model::{
        health::{CheckRequest, HealthCheck, OutlierPolicy},
        transport::{Protocol, Transport, Trust},
        upstream::{Balancing, BreakerPolicy, HashOn, Strategy, TimeLimit, TokenBucket},
    },
    resource::{LimitKeyType, RequestLimit},
};
use rustls::pki_types::ServerName;
use std::time::Duration;

/// What stands for something that is not set.
pub(super) const NONE: &str = "none";

/// A time as users write it.
pub(super) fn time(time: Duration) -> String {
    format!("{time:?}")
}

/// A limit in time.
pub(super) fn limit(TimeLimit(limit): TimeLimit) -> String {
    limit.map_or_else(|| NONE.to_owned(), time)
}

/// How an endpoint is picked.
pub(super) fn balancing(balancing: &Balancing) -> String {
    let strategy = match &balancing.strategy {
        Strategy::Hash(on) => format!("Hash on {}", hash_on(on)),
        other => format!("{other:?}"),
    };
    let bound = balancing.hash_balance_factor.map(|percent| format!(", hashBalanceFactor {percent}"));
    let slow_start = balancing.slow_start.map(|window| format!(", slowStart {}", time(window)));
    let more = bound.into_iter().chain(slow_start).collect::<String>();
    format!("{strategy}{more}, panicThreshold {}", balancing.panic_threshold)
}

fn hash_on(on: &HashOn) -> String {
    match on {
        HashOn::ClientAddress => "ClientAddress".to_owned(),
        HashOn::Header(name) => format!("Header {name}"),
        HashOn::Cookie(name) => format!("Cookie {name}"),
        HashOn::QueryParam(name) => format!("QueryParam {name}"),
    }
}

/// The rate of an endpoint.
pub(super) fn bucket(bucket: TokenBucket) -> String {
    format!("rate {}, peak {}", bucket.rate, bucket.peak)
}

/// When a breaker opens and closes.
pub(super) fn breaker(policy: &BreakerPolicy) -> String {
    let interval = policy.interval.map_or_else(|| NONE.to_owned(), time);
    let counted =
        [(true, "ConnectFailure"), (policy.count_server_errors, "ServerError"), (policy.count_timeouts, "Timeout")];
    format!(
        "maxFailures {}, openTimeout {}, halfOpenMaxRequests {}, interval {interval}, failOn {}",
        policy.max_failures,
        time(policy.open_timeout),
        policy.half_open_max_requests,
        chosen(counted)
    )
}

/// When an endpoint is ejected.
pub(super) fn outlier(policy: &OutlierPolicy) -> String {
    let counted = [
        (policy.count_connect_failures, "ConnectFailure"),
        (policy.count_server_errors, "ServerError"),
        (policy.count_timeouts, "Timeout"),
    ];
    format!(
        "consecutiveErrors {}, ejectionTime {}, maxEjectionPercent {}, failOn {}",
        policy.consecutive_errors,
        time(policy.ejection_time),
        policy.max_ejection_percent,
        chosen(counted)
    )
}

fn chosen(words: [(bool, &str); 3]) -> String {
    words.into_iter().filter(|(is_chosen, _)| *is_chosen).map(|(_, word)| word).collect::<Vec<_>>().join(" ")
}

/// How endpoints are checked.
pub(super) fn health_check(check: &HealthCheck) -> String {
    let asked = match &check.request {
        None => "connects".to_owned(),
        Some(CheckRequest::Get(get)) => format!("path {}", get.path),
        Some(CheckRequest::Grpc(service)) if service.is_empty() => "grpc".to_owned(),
        Some(CheckRequest::Grpc(service)) => format!("grpc {service}"),
    };
    let port = check.port.map(|port| format!(", port {port}")).unwrap_or_default();
    format!(
        "{asked}{port}, interval {}, timeout {}, unhealthyThreshold {}, healthyThreshold {}",
        time(check.interval),
        time(check.timeout),
        check.unhealthy_threshold,
        check.healthy_threshold
    )
}

/// How often something is tried again, and what.
pub(super) fn retries(count: u8, replays: bool) -> String {
    match (count, replays) {
        (0, _) => "0".to_owned(),
        (_, true) => format!("{count}, what was sent too where it may be replayed"),
        (_, false) => format!("{count}, only what was not sent"),
    }
}

/// The statuses after which something is tried again.
pub(super) fn statuses(statuses: &[u16]) -> String {
    if statuses.is_empty() {
        return NONE.to_owned();
    }
    statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" ")
}

/// What is spoken to endpoints.
pub(super) fn transport(transport: Option<&Transport>) -> String {
    let Some(Transport { protocol, tls }) = transport else { return "cannot be used, requests get 500".to_owned() };
    let protocol = match protocol {
        Protocol::Http1 => "HTTP/1.1",
        Protocol::Http2 => "HTTP/2",
    };
    let Some(tls) = tls else { return protocol.to_owned() };
    let names: Vec<_> = tls.server_names.iter().map(ServerName::to_str).collect();
    let whom = match tls.trust {
        Trust::Authorities(_) => format!("endpoints prove to be {}", names.join(" or ")),
        Trust::Anyone => "any certificate is taken".to_owned(),
    };
    let own = if tls.certificate.is_some() { ", with a client certificate" } else { "" };
    format!("{protocol} over TLS, {whom}{own}")
}

/// How many requests of a route pass.
pub(super) fn request_limit(limit: &RequestLimit) -> String {
    let name = limit.name.as_ref().map(|name| format!("{name}, ")).unwrap_or_default();
    let key = limit.key.as_ref().map_or_else(
        || "the route".to_owned(),
        |key| match (key.type_, &key.name) {
            (LimitKeyType::ClientAddress, _) | (_, None) => "each ClientAddress".to_owned(),
            (kind, Some(name)) => format!("each {kind:?} {name}"),
        },
    );
    let burst = limit.burst.unwrap_or(limit.rate);
    format!("{name}rate {} per {:?}, burst {burst}, for {key}, scope {:?}", limit.rate, limit.per, limit.scope)
}
