//! The Web handler: as Http, and an upgrade to WebSocket or any other protocol becomes a tunnel.
//!
//! Bytes pass only after both sides agreed (101). A refused upgrade is an ordinary answer, and the
//! next request on the connection is routed as any other.

use super::{
    Routed,
    http::{cleaned, pass},
    tunnel::carry,
};
use crate::proxy::{
    body::Body, core::Core, error::Failure, exchange::Exchange, fields::name_upgrade, permit::Permit,
    request_body::RequestBody,
};
use ::http::{HeaderValue, Request, Response, StatusCode, header::UPGRADE};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::rc::Rc;

/// Passes an upgrade on and, when the endpoint agrees, joins the two connections.
pub(crate) async fn upgrade(
    routed: &Routed<'_>,
    protocol: &HeaderValue,
    request: &mut Request<RequestBody>,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Failure> {
    let client = hyper::upgrade::on(&mut *request);
    name_upgrade(request.headers_mut());
    request.headers_mut().insert(UPGRADE, protocol.clone());
    let mut response = pass(routed, request, exchange).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return cleaned(response);
    }
    let agreed = response.headers().get(UPGRADE).cloned().unwrap_or_else(|| protocol.clone());
    let endpoint = hyper::upgrade::on(&mut response);
    let mut response = cleaned(response)?;
    name_upgrade(response.headers_mut());
    response.headers_mut().insert(UPGRADE, agreed);
    let permit = std::mem::replace(response.body_mut(), Body::empty()).close();
    tokio::task::spawn_local(tunnel(Rc::clone(routed.core), client, endpoint, permit));
    Ok(response)
}

/// Carries bytes both ways once both sides are there. Counts as a connection of the core, so that
/// draining waits for it.
async fn tunnel(core: Rc<Core>, client: OnUpgrade, endpoint: OnUpgrade, permit: Option<Permit>) {
    let place = core.register(false);
    if let (Ok(client), Ok(endpoint)) = (client.await, endpoint.await) {
        carry(&core, &place, TokioIo::new(client), TokioIo::new(endpoint)).await;
    }
    drop((place, permit));
}
