//! The Http handler: a reverse proxy. Method, query, body, cookies and Host pass unchanged.

use super::{Routed, mirror};
use crate::proxy::{
    body::Body,
    error::Failure,
    exchange::Exchange,
    fields::clean_response,
    request_body::RequestBody,
    retry::{self, Outgoing},
    upstream::pool::Lease,
};
use http::{HeaderMap, Request, Response, StatusCode, Version, header::CONTENT_LENGTH, request::Parts};
use http_body::Body as _;
use hyper::body::Incoming;

/// Passes a request on and streams the answer back.
pub(crate) async fn proxy(
    routed: &Routed<'_>,
    request: Request<Incoming>,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Failure> {
    let (parts, incoming) = request.into_parts();
    let (mut response, lease) = pass(routed, parts, incoming, exchange).await?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        // Nobody asked for that.
        return Err(Failure::UpstreamBroken);
    }
    clean_response(response.headers_mut())?;
    *response.version_mut() = Version::HTTP_11;
    let (parts, incoming) = response.into_parts();
    Ok(Response::from_parts(parts, Body::upstream(incoming, lease)))
}

/// Passes a request on and returns the response head as the endpoint gave it.
pub(crate) async fn pass(
    routed: &Routed<'_>,
    mut parts: Parts,
    incoming: Incoming,
    exchange: &mut Exchange,
) -> Result<(Response<Incoming>, Lease), Failure> {
    let core = routed.core;
    let plan = routed.plan(&parts)?;
    if let Some(target) = &routed.target {
        parts.uri = target.clone();
    }
    frame(&mut parts.headers, &incoming);
    let (mut body, watch) = RequestBody::new(incoming, &core.clock, core.limits());
    if let Some(asked) = &routed.rule.mirror {
        mirror::copy(routed, asked, &parts, &mut body);
    }
    let outgoing = Outgoing { request: Request::from_parts(parts, body), body: watch };
    retry::send(&plan, outgoing, exchange).await
}

/// Frames the request anew: the length that was understood, not the text that told it.
fn frame(headers: &mut HeaderMap, body: &Incoming) {
    if !headers.contains_key(CONTENT_LENGTH) {
        return;
    }
    match body.size_hint().exact() {
        Some(length) => headers.insert(CONTENT_LENGTH, length.into()),
        None => headers.remove(CONTENT_LENGTH),
    };
}
