//! How many endpoints are in which state, counted when somebody scrapes.

use crate::{
    control::publish::Published,
    live::{
        breaker::BreakerState,
        cell::{EndpointCell, EndpointSet},
        endpoint::Endpoint,
        moment::Moment,
    },
    metrics::{ControlMetrics, Reading},
    model::upstream::{Upstream, UpstreamPolicy},
};
use std::{sync::Arc, time::Instant};
use tokio::sync::watch;

/// Connects the gauges of endpoints and Service ports to what is published.
pub fn connect(published: &watch::Receiver<Option<Published>>, metrics: &ControlMetrics) {
    let endpoints = |label, is: fn(&Endpoint, &UpstreamPolicy, Moment) -> bool| {
        let published = published.clone();
        let count = move |upstream: &Upstream, set: &EndpointSet, now| {
            set.eligible.iter().filter(|endpoint| is(endpoint, &upstream.policy, now)).count()
        };
        Reading::new(label, move || sum(&published, count))
    };
    metrics.endpoints.read(vec![
        endpoints("eligible", |_, _, _| true),
        endpoints("unhealthy", |endpoint, policy, _| policy.health_check.is_some() && endpoint.is_unhealthy()),
        endpoints("ejected", |endpoint, policy, now| policy.outlier.is_some() && endpoint.ejection().is_out(now)),
        endpoints("breaker_open", |endpoint, policy, now| {
            policy.breaker.is_some() && endpoint.breaker().state(now) == BreakerState::Open
        }),
    ]);
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
