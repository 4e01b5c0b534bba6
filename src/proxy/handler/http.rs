//! The Http handler: a reverse proxy. Method, query, body, cookies and Host pass unchanged.

use super::{Routed, mirror};
use crate::proxy::{
    body::Body, error::Failure, exchange::Exchange, fields::clean_response, request_body::RequestBody, retry,
    upstream::pool::Lease,
};
use http::{Request, Response, StatusCode, Version, header::CONTENT_LENGTH};
use http_body::Body as _;
use hyper::body::Incoming;

/// Passes a request on and streams the answer back.
pub(crate) async fn proxy(
    routed: &Routed<'_>,
    request: &mut Request<RequestBody>,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Failure> {
    let (mut response, lease) = pass(routed, request, exchange).await?;
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
    request: &mut Request<RequestBody>,
    exchange: &mut Exchange,
) -> Result<(Response<Incoming>, Lease), Failure> {
    let core = routed.core;
    let plan = routed.plan(request)?;
    if let Some(target) = &routed.target {
        *request.uri_mut() = target.clone();
    }
    frame(request);
    let watch = request.body_mut().guard(&core.clock, core.limits());
    if let Some(asked) = &routed.rule.mirror {
        mirror::copy(routed, asked, request);
    }
    retry::send(&plan, request, watch, exchange).await
}

/// Frames the request anew: the length that was understood, not the text that told it.
fn frame(request: &mut Request<RequestBody>) {
    if !request.headers().contains_key(CONTENT_LENGTH) {
        return;
    }
    let length = request.body().size_hint().exact();
    let headers = request.headers_mut();
    match length {
        Some(length) => headers.insert(CONTENT_LENGTH, length.into()),
        None => headers.remove(CONTENT_LENGTH),
    };
}
