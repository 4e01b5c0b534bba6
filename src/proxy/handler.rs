//! Handlers: what is done with a request once its rule is known. A closed enum of kinds.

mod call;
pub(crate) mod http;
mod mirror;
mod registry;
mod tunnel;
pub(crate) mod web;

use super::{
    balancer::{hash_of, pick_backend},
    body::Body,
    context::RequestContext,
    core::Core,
    error::Failure,
    exchange::Exchange,
    extended,
    found::Found,
    installed::Installed,
    outgoing::Outgoing,
    request_body::RequestBody,
    retry::Plan,
};
use crate::{
    model::{
        call::Resolution,
        rule::{BackendTarget, Handler, Rule, Targets},
        target::UpstreamId,
    },
    rpc::resolver::Wanted,
};
use ::http::{Request, Response, Uri, header::HOST};
use std::rc::Rc;

/// A request whose rule is known, on its way to a handler.
pub(crate) struct Routed<'r> {
    pub(crate) core: &'r Rc<Core>,
    pub(crate) table: &'r Installed,
    pub(crate) rule: &'r Rule,
    pub(crate) context: &'r RequestContext,
    /// The path and query that the endpoint is asked for, where it is not the target as it came.
    pub(crate) target: Option<Uri>,
    /// The row that takes the request.
    pub(crate) found: &'r Found<'r>,
}

/// Handles a request by the kind of its rule.
pub(crate) async fn handle(
    routed: &Routed<'_>,
    request: &mut Outgoing,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Failure> {
    match (&routed.rule.options.handler, &routed.context.upgrade) {
        // A success would be a tunnel to nowhere.
        (Handler::Http | Handler::Api(_), Some(_)) if extended::is_asked(request) => Err(Failure::ConnectRefused),
        // Boxed, since few requests need it and all would carry its size.
        (Handler::Web, Some(protocol)) => Box::pin(web::upgrade(routed, protocol, request, exchange)).await,
        (Handler::Http | Handler::Web, _) => http::proxy(routed, request, exchange).await,
        // Boxed for the same reason.
        (Handler::Rpc(calls), _) => Ok(Box::pin(call::rpc(routed, calls, request, exchange)).await),
        (Handler::Api(calls), _) => Ok(Box::pin(call::api(routed, calls, request, exchange)).await),
        (Handler::Registry, _) => Ok(registry::answer(routed, request, exchange)),
    }
}

impl Routed<'_> {
    /// Picks the backend for this request.
    pub(crate) fn pick(&self, request: &Request<RequestBody>) -> Result<UpstreamId, Failure> {
        let backends = match &self.rule.targets {
            Targets::Backends(backends) => backends,
            Targets::Resolved(resolution) => return self.named(resolution, request),
        };
        // Nobody is meant to serve: that is how the rule is written (Gateway API), not a state.
        let backend = pick_backend(backends, &mut self.core.random.borrow_mut()).ok_or(Failure::Misconfigured)?;
        match backend.target {
            BackendTarget::Upstream(id) => Ok(id),
            BackendTarget::Invalid(_) => Err(Failure::Misconfigured),
        }
    }

    /// The service that the request names.
    fn named(&self, resolution: &Resolution, request: &Request<RequestBody>) -> Result<UpstreamId, Failure> {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let resolved = resolution.resolver.resolve(host, self.path(request), Wanted::Service);
        let name = resolved.map_err(|_| Failure::NoRoute)?.service;
        resolution.services.get(name.as_str()).copied().ok_or(Failure::NoRoute)
    }

    /// The path that names a service and its method: without the prefix, where that is cut.
    pub(crate) fn path<'a>(&'a self, request: &'a Request<RequestBody>) -> &'a str {
        self.target.as_ref().unwrap_or(request.uri()).path()
    }

    /// Plans how the request gets to an endpoint of this upstream.
    pub(crate) fn plan(&self, to: UpstreamId, request: &Request<RequestBody>) -> Result<Plan<'_>, Failure> {
        let (upstream, cell) = self.table.upstream(to);
        let transport = upstream.transport.as_ref().ok_or(Failure::Misconfigured)?;
        let hash = hash_of(&upstream.policy.balancing.strategy, self.context.client, request.headers(), request.uri());
        Ok(Plan {
            core: self.core,
            upstream,
            transport,
            cell,
            overrides: &self.rule.options.overrides,
            hash,
            deadline: self.context.deadline,
        })
    }
}
