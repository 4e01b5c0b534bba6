//! The Http handler: a reverse proxy. Method, query, body, cookies and Host pass unchanged.

use super::{Routed, mirror};
use crate::proxy::{
    body::Body,
    error::Failure,
    exchange::Exchange,
    fields::clean_response,
    outgoing::Outgoing,
    request_body::{BodyWatch, RequestBody},
    retry::{self, Plan},
};
use http::{Request, Response, StatusCode, Version, header::CONTENT_LENGTH};
use http_body::Body as _;
use std::rc::Rc;

/// Passes a request on and streams the answer back.
pub(crate) async fn proxy(
    routed: &Routed<'_>,
    request: &mut Outgoing,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Failure> {
    let (plan, watch) = prepare(routed, request)?;
    let response = retry::send(&plan, request, watch, exchange).await?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        // Nobody asked for that.
        response.into_body().close();
        return Err(Failure::UpstreamBroken);
    }
    cleaned(response)
}

/// The answer in the form in which it passes. Who gave one that cannot pass is asked no more over the
/// same connection.
pub(super) fn cleaned(mut response: Response<Body>) -> Result<Response<Body>, Failure> {
    if let Err(failure) = clean_response(response.headers_mut()) {
        response.into_body().close();
        return Err(failure);
    }
    *response.version_mut() = Version::HTTP_11;
    Ok(response)
}

/// Makes a request ready to be sent: how it gets there, and the view on its body, if there is one.
pub(super) fn prepare<'r>(
    routed: &'r Routed<'_>,
    request: &mut Request<RequestBody>,
) -> Result<(Plan<'r>, Option<Rc<BodyWatch>>), Failure> {
    let core = routed.core;
    let plan = routed.plan(routed.pick(request)?, request)?;
    if let Some(target) = &routed.target {
        *request.uri_mut() = target.clone();
    }
    if routed.context.length {
        frame(request);
    }
    let watch = request.body_mut().guard(&core.clock, core.limits());
    if let Some(asked) = &routed.rule.mirror {
        mirror::copy(routed, asked, request);
    }
    Ok((plan, watch))
}

/// Frames the request anew: the length that was understood, not the text that told it.
fn frame(request: &mut Request<RequestBody>) {
    let length = request.body().size_hint().exact();
    let headers = request.headers_mut();
    match length {
        Some(length) => headers.insert(CONTENT_LENGTH, length.into()),
        None => headers.remove(CONTENT_LENGTH),
    };
}
