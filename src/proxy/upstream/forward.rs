//! One request over one connection to its endpoint.

use super::{connect::connect, pool::Lease};
use crate::{
    model::upstream::UpstreamPolicy,
    proxy::{
        clock::race,
        core::Core,
        error::{BodyError, Failure},
        permit::Permit,
        request_body::{BodyWatch, RequestBody},
    },
};
use http::{Request, Response};
use hyper::body::Incoming;
use std::{rc::Rc, time::Duration};

/// A request ready for its endpoint.
pub(crate) struct Outgoing {
    pub(crate) request: Request<RequestBody>,
    /// The view on the body, if there is one.
    pub(crate) body: Option<Rc<BodyWatch>>,
    /// How long the response head may take.
    pub(crate) timeout: Option<Duration>,
}

/// Sends a request and waits for the response head, within the request's time-out.
pub(crate) async fn forward(
    core: &Rc<Core>,
    policy: &UpstreamPolicy,
    permit: Permit,
    outgoing: Outgoing,
) -> Result<(Response<Incoming>, Lease), Failure> {
    let Outgoing { request, body, timeout } = outgoing;
    // Pinned first: the race then moves a pointer, not the whole future.
    let sending = std::pin::pin!(send(core, policy, permit, request, body.as_deref()));
    let Some(timeout) = timeout else { return sending.await };
    let alarm = core.clock.alarm();
    core.clock.set(&alarm, timeout);
    let sent = race(&core.clock, &alarm, sending).await;
    core.clock.put_back(alarm);
    sent.unwrap_or(Err(Failure::UpstreamTimeout))
}

async fn send(
    core: &Rc<Core>,
    policy: &UpstreamPolicy,
    permit: Permit,
    mut request: Request<RequestBody>,
    body: Option<&BodyWatch>,
) -> Result<(Response<Incoming>, Lease), Failure> {
    loop {
        let pooled = core.pools.take(permit.endpoint());
        let reused = pooled.is_some();
        let mut sender = match pooled {
            Some(sender) => sender,
            None => connect(core, permit.endpoint(), policy).await?,
        };
        match sender.try_send_request(request).await {
            Ok(response) => return Ok((response, Lease::new(Rc::clone(&core.pools), permit, sender))),
            Err(mut error) => match error.take_message() {
                // The connection died before it took a byte: another one may carry the request,
                // whatever its method.
                Some(unsent) if reused => {
                    core.metrics.resends.add(1);
                    request = unsent;
                }
                _ => return Err(explain(body)),
            },
        }
    }
}

fn explain(body: Option<&BodyWatch>) -> Failure {
    match body.and_then(BodyWatch::fate) {
        Some(BodyError::TooLarge) => Failure::BodyTooLarge,
        Some(BodyError::ClientStalled) => Failure::BodyStalled,
        Some(BodyError::ClientGone) => Failure::BodyBroken,
        Some(BodyError::EndpointBroken) | None => Failure::UpstreamBroken,
    }
}
