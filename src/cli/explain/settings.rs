//! What a request meets on its way: each setting that holds for it, and the object that set it.

use super::words;
use crate::{
    cli::files::Files,
    control::ports::{all_ports, is_tcp},
    model::{
        diagnostic::{Kind, ObjectRef},
        rule::Rule,
        target::ServicePort,
        upstream::{Upstream, UpstreamPolicy},
    },
};
use serde::Serialize;
use std::path::PathBuf;

/// One setting.
#[derive(Debug, Serialize)]
pub(super) struct Set {
    /// The field, without `spec.`.
    pub(super) setting: String,
    pub(super) value: String,
    /// Where it was set; absent for a default.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<Source>,
}

/// The place that sets something.
#[derive(Debug, Serialize)]
pub(super) struct Source {
    pub(super) object: String,
    pub(super) field: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<usize>,
}

impl Source {
    pub(super) fn of(files: &Files, object: &ObjectRef, field: &str) -> Self {
        let place = files.place(object, field);
        Self {
            object: object.to_string(),
            field: field.to_owned(),
            file: place.map(|(file, _)| file.to_owned()),
            line: place.map(|(_, line)| line),
        }
    }
}

/// The limits on the requests of a rule's route.
pub(super) fn of_route(files: &Files, rule: &Rule) -> Vec<Set> {
    let object = &rule.origin.object;
    if rule.options.limits.is_none() || object.kind != Kind::GatewayRoute {
        return Vec::new();
    }
    let route = files.cache.routes.get(&object.namespace, &object.name).and_then(|tracked| tracked.serving());
    let limiter = route.and_then(|held| held.object().spec.limiter.as_ref());
    let limits = limiter.and_then(|limiter| limiter.requests.as_deref()).unwrap_or_default();
    let describe = |(index, limit)| {
        let setting = format!("limiter.requests[{index}]");
        let source = Source::of(files, object, &format!("spec.{setting}"));
        Set { setting, value: words::request_limit(limit), source: Some(source) }
    };
    limits.iter().enumerate().map(describe).collect()
}

/// What holds for the requests of a rule to a Service port, by field.
pub(super) fn of_upstream(files: &Files, rule: &Rule, upstream: &Upstream) -> Vec<Set> {
    let asked = Asked { files, rule, port: &upstream.port };
    let mut sets = vec![asked.transport(upstream)];
    sets.extend(of_endpoints(&upstream.policy).map(|(setting, value)| asked.of_port(setting, value)));
    if upstream.transport.as_ref().is_some_and(|transport| transport.tls.is_some()) {
        let time = words::time(upstream.policy.tls_handshake_timeout);
        sets.push(asked.of_port("proxy.tlsHandshakeTimeout", time));
    }
    sets.extend(asked.of_requests(&upstream.policy));
    sets
}

/// What all routes to a port share.
fn of_endpoints(policy: &UpstreamPolicy) -> impl Iterator<Item = (&'static str, String)> {
    let none = || words::NONE.to_owned();
    [
        ("balancing", words::balancing(&policy.balancing)),
        ("limiter.endpoint", policy.limit.map_or_else(none, words::bucket)),
        ("breaker", policy.breaker.as_ref().map_or_else(none, words::breaker)),
        ("outlierEjection", policy.outlier.as_ref().map_or_else(none, words::outlier)),
        ("healthCheck", policy.health_check.as_deref().map_or_else(none, words::health_check)),
        ("proxy.dialTimeout", words::time(policy.dial_timeout)),
    ]
    .into_iter()
}

/// A rule and the port that its requests go to.
struct Asked<'a> {
    files: &'a Files,
    rule: &'a Rule,
    port: &'a ServicePort,
}

impl Asked<'_> {
    /// What the port has, by whoever was first to set it.
    fn of_port(&self, setting: &str, value: String) -> Set {
        let field = format!("spec.{setting}");
        let owner = self.files.translation.policies.owner(self.port, &field);
        let source = owner.map(|owner| Source::of(self.files, owner, &field));
        Set { setting: setting.to_owned(), value, source }
    }

    /// What the route sets for its own requests, else what the port has.
    fn of_request(&self, setting: &str, value: String, is_own: bool) -> Set {
        let set = self.of_port(setting, value);
        let own = || Source::of(self.files, &self.rule.origin.object, &format!("spec.{setting}"));
        Set { source: if is_own { Some(own()) } else { set.source }, ..set }
    }

    fn of_requests(&self, policy: &UpstreamPolicy) -> [Set; 4] {
        let own = &self.rule.options.overrides;
        let replays = own.retry_count.is_some() || policy.retry.replays;
        let retries = words::retries(own.retry_count.unwrap_or(policy.retry.count), replays);
        let statuses = words::statuses(own.retry_statuses.as_deref().unwrap_or(&policy.retry.statuses));
        let try_timeout = words::limit(own.try_timeout.unwrap_or(policy.try_timeout));
        let request_timeout = words::limit(own.request_timeout.unwrap_or(policy.request_timeout));
        [
            self.of_request("proxy.retryCount", retries, own.retry_count.is_some()),
            self.of_request("proxy.retryStatuses", statuses, own.retry_statuses.is_some()),
            self.of_request("proxy.tryTimeout", try_timeout, own.try_timeout.is_some()),
            self.of_request("proxy.requestTimeout", request_timeout, own.request_timeout.is_some()),
        ]
    }

    /// What is spoken to endpoints: as a policy says, else the Service.
    fn transport(&self, upstream: &Upstream) -> Set {
        let owner = |field: &'static str| Some((self.files.translation.policies.owner(self.port, field)?, field));
        let set = owner("spec.proxy.scheme").or_else(|| owner("spec.proxy.tls"));
        let source = set.map(|(object, field)| Source::of(self.files, object, field));
        let value = words::transport(upstream.transport.as_ref());
        Set { setting: "transport".to_owned(), value, source: source.or_else(|| self.app_protocol()) }
    }

    fn app_protocol(&self) -> Option<Source> {
        let service = self.files.cache.services.get(&self.port.namespace, &self.port.service)?;
        let number = i32::from(self.port.port);
        let mut ports = all_ports(service).iter().enumerate();
        let (index, port) = ports.find(|(_, port)| port.port == number && is_tcp(port.protocol.as_deref()))?;
        port.app_protocol.as_ref()?;
        let object = ObjectRef::new(Kind::Service, &self.port.namespace, &self.port.service);
        Some(Source::of(self.files, &object, &format!("spec.ports[{index}].appProtocol")))
    }
}
