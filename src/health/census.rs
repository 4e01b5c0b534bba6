//! How many endpoints are in which state, and which are out, found when somebody scrapes.

use crate::{
    control::publish::Published,
    live::{
        breaker::BreakerState,
        cell::{EndpointCell, EndpointSet},
        endpoint::Endpoint,
        moment::Moment,
    },
    metrics::{
        ControlMetrics, Reading,
        outages::{MOST, Outage},
    },
    model::upstream::{Upstream, UpstreamPolicy},
};
use std::{sync::Arc, time::Instant};
use tokio::sync::watch;

/// Whether something keeps requests from an endpoint.
type IsOut = fn(&Endpoint, &UpstreamPolicy, Moment) -> bool;

/// What keeps requests from an endpoint, by its word in metrics.
const CAUSES: [(&str, IsOut); 4] = [
    ("unhealthy", |endpoint, policy, _| policy.health_check.is_some() && endpoint.is_unhealthy()),
    ("ejected", |endpoint, policy, now| policy.outlier.is_some() && endpoint.ejection().is_out(now)),
    ("breaker_open", |endpoint, policy, now| breaker_is(BreakerState::Open, endpoint, policy, now)),
    ("breaker_half_open", |endpoint, policy, now| breaker_is(BreakerState::HalfOpen, endpoint, policy, now)),
];

/// The words for what keeps requests from an endpoint.
pub fn causes() -> impl Iterator<Item = &'static str> {
    CAUSES.into_iter().map(|(cause, _)| cause)
}

fn breaker_is(state: BreakerState, endpoint: &Endpoint, policy: &UpstreamPolicy, now: Moment) -> bool {
    policy.breaker.is_some() && endpoint.breaker().state(now) == state
}

/// Connects the gauges of endpoints and Service ports to what is published.
pub fn connect(published: &watch::Receiver<Option<Published>>, metrics: &ControlMetrics) {
    let endpoints = |(label, is): (&'static str, IsOut)| {
        let published = published.clone();
        let count = move |upstream: &Upstream, set: &EndpointSet, now| {
            set.eligible.iter().filter(|endpoint| is(endpoint, &upstream.policy, now)).count()
        };
        Reading::new(label, move || sum(&published, count))
    };
    let eligible: (&str, IsOut) = ("eligible", |_, _, _| true);
    metrics.endpoints.read([eligible].into_iter().chain(CAUSES).map(endpoints).collect());
    let ports = |label, is: fn(&EndpointSet, &UpstreamPolicy, Moment) -> bool| {
        let published = published.clone();
        let count = move |upstream: &Upstream, set: &EndpointSet, now| usize::from(is(set, &upstream.policy, now));
        Reading::new(label, move || sum(&published, count))
    };
    metrics.service_ports.read(vec![
        ports("used", |_, _, _| true),
        ports("empty", |set, _, _| set.eligible.is_empty()),
        ports("panicking", EndpointSet::panics),
    ]);
    let published = published.clone();
    metrics.outages.read(move || outages(&published));
}

fn sum(
    published: &watch::Receiver<Option<Published>>,
    count: impl Fn(&Upstream, &EndpointSet, Moment) -> usize,
) -> u64 {
    let Some(newest) = published.borrow().clone() else { return 0 };
    let now = Moment::of(Instant::now());
    let generation = &newest.generation.value;
    let upstreams = generation.snapshot.upstreams.iter().zip(&generation.cells);
    let each = upstreams.map(|(upstream, cell): (&Upstream, &Arc<EndpointCell>)| count(upstream, &cell.load(), now));
    each.sum::<usize>() as u64
}

/// The endpoints that are out, by Service port and cause.
fn outages(published: &watch::Receiver<Option<Published>>) -> Vec<Outage> {
    let Some(newest) = published.borrow().clone() else { return Vec::new() };
    let now = Moment::of(Instant::now());
    let generation = &newest.generation.value;
    let mut outages = Vec::new();
    for (upstream, cell) in generation.snapshot.upstreams.iter().zip(&generation.cells) {
        for endpoint in &cell.load().eligible {
            let causes = CAUSES.iter().filter(|(_, is)| is(endpoint, &upstream.policy, now));
            outages.extend(causes.map(|(cause, _)| outage(upstream, endpoint, cause)));
        }
        if outages.len() >= MOST {
            break;
        }
    }
    outages.truncate(MOST);
    outages
}

fn outage(upstream: &Upstream, endpoint: &Endpoint, cause: &'static str) -> Outage {
    Outage {
        namespace: Arc::clone(&upstream.port.namespace),
        service: Arc::clone(&upstream.port.service),
        port: upstream.port.port,
        endpoint: endpoint.address().to_string(),
        cause,
    }
}
