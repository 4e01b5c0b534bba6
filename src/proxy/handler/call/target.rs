//! What a request calls: a method of a service, and where that service runs.

use crate::{
    model::{
        call::{Calls, Resolution},
        rule::Targets,
        target::UpstreamId,
    },
    proxy::{error::Failure, handler::Routed, request_body::RequestBody},
    rpc::resolver::{Resolved, Unresolved, Wanted, method_of},
};
use http::{Request, header::HOST};
use std::sync::Arc;

/// What a request calls.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) upstream: UpstreamId,
    /// As the service calls itself.
    pub(super) service: Arc<str>,
    /// `Say.Hello`; `None` where neither route nor path names one.
    method: Option<Arc<str>>,
    /// Whether the route fixes the method.
    pub(super) is_fixed: bool,
}

impl Target {
    pub(super) fn method(&self) -> Result<&str, Failure> {
        self.method.as_deref().ok_or(Failure::NoMethod)
    }
}

/// What a request calls: the route says, and else the request.
pub(super) fn find(routed: &Routed<'_>, calls: &Calls, request: &Request<RequestBody>) -> Result<Target, Failure> {
    let is_fixed = calls.method.is_some();
    match &routed.rule.targets {
        Targets::Backends(_) => {
            let upstream = routed.pick(request)?;
            let (known, _) = routed.table.upstream(upstream);
            let service = calls.service.as_ref().unwrap_or(&known.port.service);
            let named = || method_of(routed.path(request)).map(Arc::from);
            let method = calls.method.clone().or_else(named);
            Ok(Target { upstream, service: Arc::clone(service), method, is_fixed })
        }
        Targets::Resolved(resolution) => {
            let Resolved { service, method } = resolve(routed, resolution, request)?;
            let service = calls.service.clone().unwrap_or_else(|| service.into());
            let upstream = resolution.services.get(&service).copied().ok_or(Failure::NoService)?;
            let named = || (!method.is_empty()).then(|| method.into());
            let method = calls.method.clone().or_else(named);
            Ok(Target { upstream, service, method, is_fixed })
        }
    }
}

/// The service that a request names, and the method where it names one.
fn resolve(routed: &Routed<'_>, resolution: &Resolution, request: &Request<RequestBody>) -> Result<Resolved, Failure> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let resolve = |wanted| resolution.resolver.resolve(host, routed.path(request), wanted);
    let resolved = match resolve(Wanted::Method) {
        Err(Unresolved::NoMethod) => resolve(Wanted::Service),
        resolved => resolved,
    };
    resolved.map_err(|_| Failure::NoService)
}
