//! The Rpc handler: fields of the request are the message of the call, and the message of the reply is the body
//! of the response.

mod json_rpc;

use super::{
    Ended, body_of,
    calling::Calling,
    described,
    node::Place,
    stream::{self, Wanted},
    target::find,
    unless_called,
};
use crate::{
    model::call::Calls,
    proxy::{body::Body, error::Failure, exchange::Exchange, extended, handler::Routed, outgoing::Outgoing},
    rpc::payload::{self, Media, Parts},
};
use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header::CONTENT_TYPE};

/// What is called.
const METHODS: [Method; 6] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

pub(super) async fn answer(
    routed: &Routed<'_>,
    calls: &Calls,
    request: &mut Outgoing,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Ended> {
    if let Some(response) = unless_called(request.method(), &METHODS)? {
        return Ok(response);
    }
    let target = find(routed, calls, request)?;
    let is_described = described::is_meant(routed, calls, &target);
    if extended::is_asked(request) && (is_described || !calls.stream) {
        // A success would be a tunnel to nowhere.
        return Err(Failure::ConnectRefused.into());
    }
    if is_described {
        return Ok(described::answer(routed, &target, request, exchange).await);
    }
    let wanted = match Wanted::of(request, routed.context.upgrade.as_ref().filter(|_| calls.stream)) {
        Some(Err(refused)) => return Ok(refused),
        wanted => wanted.and_then(Result::ok),
    };
    let (body, watch) = body_of(routed, request).await?;
    let calling = Calling::new(routed, request, (Place::Known(target.upstream), &target.service), watch).with_method();
    let requested = request.headers().get(CONTENT_TYPE);
    let media = Media::of(requested.and_then(|value| value.to_str().ok()));
    if json_rpc::is_asked(request.method(), media, &body) {
        return json_rpc::answer(&calling, &target, &body, exchange).await;
    }
    let message = message(&calling, media, &body)?;
    if let Some(wanted) = wanted {
        let first = (!message.is_empty() && *message != *b"{}").then_some(message);
        return stream::open(&calling, target.method()?, (media.codec(), first), wanted);
    }
    if calls.stream && media.codec().is_json() {
        return stream::text(&calling, target.method()?, &message, exchange).await;
    }
    let reply = calling.call(target.method()?, media.codec(), &message, exchange).await?;
    Ok(response(media, requested, &reply))
}

/// The message: query, body and captures of the path.
fn message(calling: &Calling<'_>, media: Media, body: &Bytes) -> Result<Bytes, Failure> {
    let Calling { routed, request, .. } = calling;
    let parts = Parts { method: request.method(), media, query: request.uri().query(), body };
    let captures = routed.found.matched.captures(routed.found.path(request.uri()));
    payload::message(&parts, captures.iter()).map_err(Failure::BadMessage)
}

/// An empty message has no content to be of a type.
fn response(media: Media, requested: Option<&HeaderValue>, reply: &Bytes) -> Response<Body> {
    if reply.is_empty() {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        return response;
    }
    // Services end JSON with a line break.
    let end = if media.codec().is_json() { reply.trim_ascii_end().len() } else { reply.len() };
    let mut response = Response::new(Body::full(reply.slice(..end)));
    response.headers_mut().insert(CONTENT_TYPE, media.reply_type(requested));
    response
}
