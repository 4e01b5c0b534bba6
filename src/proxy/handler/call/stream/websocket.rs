//! The opening of a WebSocket that ends here (RFC 6455, and RFC 8441 over HTTP/2).

use super::{
    super::{Ended, calling::Calling},
    check, head,
    session::Session,
};
use crate::{
    proxy::{
        body::Body,
        error::Failure,
        extended::{WEBSOCKET, accept, is_asked},
        fields::list,
        outgoing::Outgoing,
        request_body::RequestBody,
    },
    rpc::codec::Codec,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{
        CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use hyper::upgrade::OnUpgrade;
use std::rc::Rc;

/// The only version that there is.
const VERSION: &str = "13";
/// The sub-protocol of clients that want frames of bytes.
const BINARY: &str = "binary";

/// A WebSocket that a client asks for.
#[derive(Debug)]
pub(in super::super) struct Wanted {
    client: OnUpgrade,
    /// The proof for HTTP/1.1.
    proof: Option<HeaderValue>,
    /// The first one that was offered.
    protocol: Option<HeaderValue>,
}

impl Wanted {
    /// The WebSocket that a request asks for, `None` where it asks for none. One that is asked for in a way that is none
    /// is answered at once.
    pub(in super::super) fn of(
        request: &mut Outgoing,
        upgrade: Option<&HeaderValue>,
    ) -> Option<Result<Self, Response<Body>>> {
        upgrade.filter(|asked| asked.as_bytes().eq_ignore_ascii_case(WEBSOCKET.as_bytes()))?;
        Some(Self::opened(request))
    }

    fn opened(request: &mut Request<RequestBody>) -> Result<Self, Response<Body>> {
        let headers = request.headers();
        if headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version != VERSION) {
            let mut response = refused(StatusCode::UPGRADE_REQUIRED);
            response.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
            return Err(response);
        }
        let proof = if is_asked(request) {
            None
        } else {
            Some(proof(request).ok_or_else(|| refused(StatusCode::BAD_REQUEST))?)
        };
        let protocol = list(headers, SEC_WEBSOCKET_PROTOCOL).next().and_then(|first| HeaderValue::from_str(first).ok());
        Ok(Self { client: hyper::upgrade::on(request), proof, protocol })
    }

    fn is_text(&self, codec: Codec) -> bool {
        codec.is_json() && self.protocol.as_ref().is_none_or(|protocol| protocol != BINARY)
    }

    fn answer(&self, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.extend(self.protocol.clone().map(|protocol| (SEC_WEBSOCKET_PROTOCOL, protocol)));
        if let Some(proof) = &self.proof {
            headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(SEC_WEBSOCKET_ACCEPT, proof.clone());
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        }
        response
    }
}

/// What proves that the key was read. A key is 16 bytes in Base64.
fn proof(request: &Request<RequestBody>) -> Option<HeaderValue> {
    let key = request.headers().get(SEC_WEBSOCKET_KEY)?.as_bytes();
    let is_key = BASE64_STANDARD.decode(key).is_ok_and(|key| key.len() == 16);
    is_key.then(|| HeaderValue::from_str(&accept(key)).ok()).flatten()
}

fn refused(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Opens the WebSocket, and calls the method with what comes over it. `first` is the message that the request itself
/// makes, if there is one.
pub(in super::super) fn open(
    calling: &Calling<'_>,
    method: &str,
    (codec, first): (Codec, Option<Bytes>),
    wanted: Wanted,
) -> Result<Response<Body>, Ended> {
    let upstream = calling.upstream().ok_or(Failure::NoStreams)?;
    let plan = calling.plan()?;
    check(plan.upstream.dialect)?;
    let (messages, body) = RequestBody::piped();
    let request = calling.addressed(head(calling, method, codec)?.map(|()| body));
    let (body, held) = Body::tunnel();
    let (is_text, response) = (wanted.is_text(codec), wanted.answer(body));
    let session = Session {
        core: Rc::clone(calling.routed.core),
        generation: calling.routed.table.generation_held(),
        upstream,
        hash: plan.hash,
        request: Outgoing::new(request),
        messages,
        first,
        codec,
        is_text,
        held,
    };
    tokio::task::spawn_local(session.run(wanted.client));
    Ok(response)
}
