//! JSON-RPC 2.0: each request of the body is a call of a method of the service, one after the other.

use super::{super::target::Target, Calling, Ended, message};
use crate::{
    proxy::{body::Body, exchange::Exchange, reply},
    rpc::{
        codec::Codec,
        json_rpc::{self, Call, Failure, Id, Requests},
        payload::Media,
    },
};
use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header::CONTENT_TYPE};
use serde::de::IgnoredAny;

/// Whether a body is JSON-RPC 2.0. Version 1.0 is an encoding of messages: it has no batches, and does not name itself.
pub(super) fn is_asked(method: &Method, media: Media, body: &[u8]) -> bool {
    // Most bodies are neither, and need not be read for it.
    let names_itself = || body.windows(9).any(|window| window == b"\"jsonrpc\"");
    let is_json = || serde_json::from_slice::<IgnoredAny>(body).is_ok();
    match media {
        _ if *method != Method::POST => false,
        Media::Json(Codec::JsonRpc) if body.trim_ascii_start().starts_with(b"[") => true,
        Media::Json(_) => names_itself() && (json_rpc::is_version_two(body) || !is_json()),
        Media::Protobuf(_) | Media::Form => false,
    }
}

/// Answers all requests of a body: 200, or 204 where nobody waits for a reply.
pub(super) async fn answer(
    calling: &Calling<'_>,
    target: &Target,
    body: &Bytes,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Ended> {
    let (is_batch, requests) = match json_rpc::read(body) {
        Requests::One(request) => (false, vec![request]),
        Requests::Batch(requests) => (true, requests),
    };
    let mut replies = Vec::with_capacity(requests.len());
    for request in requests {
        let replied = match request {
            Ok(call) => one(calling, target, &call, exchange).await,
            Err((id, failure)) => Some(json_rpc::failure(&id, &failure)),
        };
        replies.extend(replied);
    }
    Ok(response(json_rpc::answer(is_batch, &replies)))
}

/// The reply to one request. A notification is called and gets none.
async fn one(calling: &Calling<'_>, target: &Target, call: &Call, exchange: &mut Exchange) -> Option<Bytes> {
    let result = result(calling, target, call, exchange).await;
    let reply = |id: &Id| match &result {
        Ok(result) => json_rpc::success(id, if result.is_empty() { b"null" } else { result }),
        Err(failure) => json_rpc::failure(id, failure),
    };
    call.id.as_ref().map(reply)
}

async fn result(
    calling: &Calling<'_>,
    target: &Target,
    call: &Call,
    exchange: &mut Exchange,
) -> Result<Bytes, Failure> {
    // The path leads to one method alone where the route says so.
    if target.is_fixed && target.method().is_ok_and(|fixed| fixed != call.method) {
        return Err(Failure::method_not_found());
    }
    let params = call.message()?;
    let message = message(calling, Media::Json(Codec::Json), &params)
        .map_err(|_| Failure::invalid_params("They cannot be merged with the fields of path and query."))?;
    let called = calling.call(&call.method, Codec::Json, &message, exchange).await;
    called.map_err(|ended| match ended {
        Ended::Failed(crate::proxy::error::Failure::NoMethod) => Failure::method_not_found(),
        Ended::Failed(failure) => Failure::server(&reply::fault(&failure)),
        Ended::Fault(fault) if fault.is_unknown_method() => Failure::method_not_found(),
        Ended::Fault(fault) => Failure::server(&Ended::told(fault)),
    })
}

fn response(body: Option<Bytes>) -> Response<Body> {
    let Some(body) = body else {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        return response;
    };
    let mut response = Response::new(Body::full(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
