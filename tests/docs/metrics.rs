//! The reference of metrics, from what the registry exposes.

use http::{Method, StatusCode};
use paifang::{
    health::census,
    live::route_stats::RouteStats,
    metrics::{Metrics, Reading, outages::Outage},
    model::diagnostic::{Kind, ObjectRef},
};
use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};
use tokio::sync::watch;

const HEAD: &str = "\
# Metrics

Every metric at `/metrics` of the admin listener. Generated from the registry; do not edit.

Labels come from configuration and from closed lists, never from a request: a client cannot make new series. Requests
that no rule took have the empty `route`. Beyond 1000 series of `paifang_http_requests_total` the rest is counted under
the route `_other`. Methods beyond RFC 9110's share `_OTHER`. Of each route a core
counts 24 pairs of method and code apart; later pairs are counted by class (code `5xx`, method `_OTHER`), so that
the pattern `5..` finds every failure. Sums of all series are right in either case.

| name | type | labels | meaning |
| --- | --- | --- | --- |
";

/// A metric as it is exposed.
#[derive(Debug, Default)]
pub(crate) struct Family {
    /// The name.
    pub(crate) name: String,
    /// counter, gauge or histogram.
    pub(crate) kind: String,
    help: String,
    /// Names and the values seen.
    labels: BTreeMap<String, Vec<String>>,
}

/// Labels whose values are a closed list that the registry shows by itself.
const CLOSED: [&str; 6] = ["cause", "grpc_status", "rule", "result", "state", "to"];

/// The page.
pub(crate) fn page() -> String {
    let mut page = HEAD.to_owned();
    for family in families() {
        let Family { name, kind, help, labels } = family;
        let labels: Vec<_> = labels.iter().map(|(label, values)| describe(label, values)).collect();
        let _ = writeln!(page, "| `{name}` | {kind} | {} | {} |", labels.join(", "), help.replace('|', "\\|"));
    }
    page
}

fn describe(label: &str, values: &[String]) -> String {
    if CLOSED.contains(&label) { format!("`{label}` ({})", values.join(", ")) } else { format!("`{label}`") }
}

/// Every metric, each with a sample.
pub(crate) fn families() -> Vec<Family> {
    let metrics = Metrics::new(1, 10).expect("the names must differ");
    let _held = touch(&metrics);
    parse(&String::from_utf8_lossy(&metrics.text()))
}

/// Gives a sample to the metrics that have none before something happened. That of a route lasts
/// as long as what is returned.
fn touch(metrics: &Metrics) -> Vec<Arc<RouteStats>> {
    let route = ObjectRef::new(Kind::GatewayRoute, "default", "route");
    let held = metrics.routes.of([&route]);
    held[0].count(0, &Method::GET, StatusCode::OK);
    for state in ["accepted", "rejected"] {
        metrics.control.objects.with_label_values(&["GatewayRoute", state]).set(0);
    }
    metrics.control.certificate_expiry.with_label_values(&["default", "secret"]).set(0);
    metrics.control.watch_errors.read(vec![Reading::new("GatewayRoute", || 0)]);
    let results = ["written", "failed", "skipped"].map(|result| Reading::new(result, || 0));
    metrics.control.status_writes.read(results.into());
    let results = ["passed", "failed", "delayed"].map(|result| Reading::new(result, || 0));
    metrics.control.health_checks.read(results.into());
    let results = ["healthy", "unhealthy"].map(|to| Reading::new(to, || 0));
    metrics.control.health_transitions.read(results.into());
    let outage = |cause| Outage {
        namespace: "default".into(),
        service: "web".into(),
        port: 80,
        endpoint: "192.0.2.1:80".to_owned(),
        cause,
    };
    metrics.control.outages.read(move || census::causes().map(outage).collect());
    census::connect(&watch::channel(None).1, &metrics.control);
    held
}

fn parse(text: &str) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap_or((rest, ""));
            families.push(Family { name: name.to_owned(), help: help.to_owned(), ..Family::default() });
        } else if let (Some(rest), Some(family)) = (line.strip_prefix("# TYPE "), families.last_mut()) {
            rest.rsplit(' ').next().unwrap_or_default().clone_into(&mut family.kind);
        } else if let Some(family) = families.last_mut() {
            add_labels(family, line);
        }
    }
    families
}

fn add_labels(family: &mut Family, sample: &str) {
    let Some((_, rest)) = sample.split_once('{') else { return };
    let pairs = rest.split('}').next().unwrap_or_default().split(',');
    for (name, value) in pairs.filter_map(|pair| pair.split_once('=')).filter(|(name, _)| *name != "le") {
        let values = family.labels.entry(name.to_owned()).or_default();
        let value = value.trim_matches('"').to_owned();
        if !values.contains(&value) {
            values.push(value);
        }
    }
}
