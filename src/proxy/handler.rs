//! Handlers: what is done with a request once its rule is known. A closed enum of kinds.

pub(crate) mod http;
mod mirror;
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
    installed::Installed,
    request_body::RequestBody,
    retry::Plan,
};
use crate::model::rule::{BackendTarget, Handler, Rule};
use ::http::{Request, Response, Uri};
use std::rc::Rc;

/// A request whose rule is known, on its way to a handler.
pub(crate) struct Routed<'r> {
    pub(crate) core: &'r Rc<Core>,
    pub(crate) table: &'r Installed,
    pub(crate) rule: &'r Rule,
    pub(crate) context: &'r RequestContext,
    /// The path and query that the endpoint is asked for, where it is not the target as it came.
    pub(crate) target: Option<Uri>,
}

/// Handles a request by the kind of its rule.
pub(crate) async fn handle(
    routed: &Routed<'_>,
    request: &mut Request<RequestBody>,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Failure> {
    match (routed.rule.options.handler, &routed.context.upgrade) {
        // A success would be a tunnel to nowhere.
        (Handler::Http, Some(_)) if extended::is_asked(request) => Err(Failure::ConnectRefused),
        // Boxed, since few requests need it and all would carry its size.
        (Handler::Web, Some(protocol)) => Box::pin(web::upgrade(routed, protocol, request, exchange)).await,
        (Handler::Http | Handler::Web, _) => http::proxy(routed, request, exchange).await,
    }
}

impl Routed<'_> {
    /// Picks the backend for this request, and plans how it gets there.
    pub(crate) fn plan(&self, request: &Request<RequestBody>) -> Result<Plan<'_>, Failure> {
        let backend = pick_backend(&self.rule.backends, &mut self.core.random.borrow_mut());
        // Nobody is meant to serve: that is how the rule is written (Gateway API), not a state.
        let BackendTarget::Upstream(id) = backend.ok_or(Failure::Misconfigured)?.target else {
            return Err(Failure::Misconfigured);
        };
        let (upstream, cell) = self.table.upstream(id);
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
