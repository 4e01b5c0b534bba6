//! The Web handler: as Http, and an upgrade to WebSocket or any other protocol becomes a tunnel.
//!
//! A client that speaks HTTP/2 asks for a WebSocket in its own way, and is told of a 101 by a 200 (RFC 8441).
//!
//! Bytes pass only after both sides agreed (101). A refused upgrade is an ordinary answer, and the
//! next request on the connection is routed as any other.

use super::{
    Routed,
    http::{cleaned, prepare},
    tunnel::carry,
};
use crate::proxy::{
    body::{Body, Held},
    core::Core,
    error::Failure,
    exchange::Exchange,
    extended::Handshake,
    fields::name_upgrade,
    outgoing::Outgoing,
    permit::Permit,
    retry,
};
use ::http::{HeaderValue, Response, StatusCode, header::UPGRADE};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::rc::Rc;

/// Passes an upgrade on and, when the endpoint agrees, joins the two connections.
pub(crate) async fn upgrade(
    routed: &Routed<'_>,
    protocol: &HeaderValue,
    request: &mut Outgoing,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Failure> {
    let client = hyper::upgrade::on(&mut **request);
    let handshake = Handshake::begin(request, routed.core.random.borrow_mut().u128(..));
    name_upgrade(request.headers_mut());
    request.headers_mut().insert(UPGRADE, protocol.clone());
    let (plan, watch) = prepare(routed, request)?;
    let mut response = retry::send(&plan, request, watch, exchange).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        if handshake.is_some() && response.status().is_success() {
            // To the client that would be a tunnel.
            return Err(Failure::UpstreamBroken);
        }
        return cleaned(response);
    }
    let agreed = response.headers().get(UPGRADE).cloned().unwrap_or_else(|| protocol.clone());
    let endpoint = hyper::upgrade::on(&mut response);
    let over_http2 = handshake.map(|handshake| handshake.finish(&mut response)).transpose()?.is_some();
    let mut response = cleaned(response)?;
    if !over_http2 {
        name_upgrade(response.headers_mut());
        response.headers_mut().insert(UPGRADE, agreed);
    }
    let (body, held) = Body::tunnel();
    let permit = std::mem::replace(response.body_mut(), body).close();
    let ends = Ends { client, endpoint, permit, held };
    tokio::task::spawn_local(ends.join(Rc::clone(routed.core)));
    Ok(response)
}

/// Two connections that become one.
struct Ends {
    client: OnUpgrade,
    endpoint: OnUpgrade,
    permit: Option<Permit>,
    /// A connection of HTTP/2 that carries a tunnel is not idle.
    held: Held,
}

impl Ends {
    /// Carries bytes both ways once both sides are there. Counts as a connection of the core, so that
    /// draining waits for it.
    async fn join(self, core: Rc<Core>) {
        let place = core.register(false);
        if let (Ok(client), Ok(endpoint)) = (self.client.await, self.endpoint.await) {
            carry(&core, &place, TokioIo::new(client), TokioIo::new(endpoint)).await;
        }
        drop((place, self.permit, self.held));
    }
}
