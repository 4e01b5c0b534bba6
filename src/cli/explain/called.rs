//! What a request calls: the service that it names, and its method.

use super::request::Asked;
use crate::{
    model::{
        call::{Calls, Resolution},
        rule::{BackendTarget, Handler, Rule, Targets},
        snapshot::Snapshot,
        target::{ServicePort, UpstreamId},
    },
    rpc::resolver::{Resolved, Unresolved, Wanted, method_of},
};
use http::header::HOST;
use serde::Serialize;

/// How a rule finds the service of a request.
#[derive(Debug, Serialize)]
pub(super) struct Finder {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) namespace: String,
}

/// What a request calls.
#[derive(Debug, Default, Serialize)]
pub(super) struct Called {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resolver: Option<Finder>,
    /// Its name as services are called by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) method: Option<String>,
    /// What is spoken, where a method is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dialect: Option<&'static str>,
    /// The namespace whose services are listed, where the gateway answers so itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lists: Option<String>,
    /// Where the request goes, where a resolver found it.
    #[serde(skip)]
    pub(super) found: Option<UpstreamId>,
    /// Why there is nothing to call.
    #[serde(skip)]
    pub(super) problem: Option<String>,
}

impl Called {
    /// What a request calls by its rule, with the path that the rule passes on.
    pub(super) fn of(snapshot: &Snapshot, rule: &Rule, asked: &Asked, path: &str) -> Self {
        let calls = match &rule.options.handler {
            Handler::Http | Handler::Web | Handler::Registry => None,
            Handler::Rpc(calls) | Handler::Api(calls) => Some(calls),
        };
        let called = match &rule.targets {
            Targets::Resolved(resolution) => Self::resolve(resolution, calls, asked, path),
            Targets::Backends(_) => calls.map(|calls| Self::written(snapshot, rule, calls, path)).unwrap_or_default(),
        };
        let upstream = called.found.or_else(|| first(rule)).and_then(|id| snapshot.upstreams.get(id.index()));
        let dialect = calls.and(upstream).map(|upstream| upstream.dialect.as_str());
        let nameless = called.method.is_none() && matches!(rule.options.handler, Handler::Api(_));
        let problem = called.problem.or_else(|| nameless.then(|| Unresolved::NoMethod.to_string()));
        let is_list = rule.options.handler == Handler::Registry;
        let lists = is_list.then(|| rule.origin.object.namespace.to_string());
        Self { dialect, problem, lists, ..called }
    }

    fn resolve(resolution: &Resolution, calls: Option<&Calls>, asked: &Asked, path: &str) -> Self {
        let resolver = &resolution.resolver;
        let fixed = calls.and_then(|calls| calls.method.as_deref());
        let host = asked.sent.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let finder = Finder { kind: format!("{:?}", resolver.kind()), namespace: resolver.namespace().to_owned() };
        let resolve = |wanted| resolver.resolve(host, path, wanted);
        let resolved = match resolve(if calls.is_some() { Wanted::Method } else { Wanted::Service }) {
            // It may be written, or be named by the message.
            Err(Unresolved::NoMethod) => resolve(Wanted::Service),
            resolved => resolved,
        };
        let resolver = Some(finder);
        match resolved {
            Err(reason) => Self { resolver, problem: Some(reason.to_string()), ..Self::default() },
            Ok(Resolved { service, method }) => {
                let found = resolution.services.get(service.as_str()).copied();
                let problem = found.is_none().then(|| format!("there is no service {service}"));
                let method = Some(fixed.map_or(method, str::to_owned)).filter(|method| !method.is_empty());
                Self { resolver, service: Some(service), method, found, problem, ..Self::default() }
            }
        }
    }

    fn written(snapshot: &Snapshot, rule: &Rule, calls: &Calls, path: &str) -> Self {
        let port = first(rule).and_then(|id| Some(&snapshot.upstreams.get(id.index())?.port));
        let service = calls.service.as_deref().or_else(|| port.map(|port| &*port.service));
        let method = calls.method.as_deref().map_or_else(|| method_of(path), |method| Some(method.to_owned()));
        Self { service: service.map(str::to_owned), method, ..Self::default() }
    }
}

/// The first backend that can be used.
fn first(rule: &Rule) -> Option<UpstreamId> {
    rule.targets.backends().iter().find_map(|backend| match backend.target {
        BackendTarget::Upstream(id) => Some(id),
        BackendTarget::Invalid(_) => None,
    })
}

/// The port of a Service, as a client of the cluster knows it; none where a service registered itself.
pub(super) fn port_of(port: &ServicePort) -> Option<u16> {
    (!port.is_registered()).then_some(port.port)
}
