//! Requests of plain HTTP: a message of JSON in, one message or a stream of them out.

use super::{
    super::{body_of, target::Target},
    host_of, learn,
    sending::Described,
};
use crate::{
    proxy::{
        body::Body, error::Failure, exchange::Exchange, handler::Routed, outgoing::Outgoing, reply::bad_argument,
        request_body::RequestBody,
    },
    rpc::transcode::{BadRequest, Binding, Services},
    table::{Outcome, RequestView, path::normalise},
};
use bytes::Bytes;
use http::{Request, Response};
use std::sync::Arc;

pub(super) async fn answer(
    routed: &Routed<'_>,
    target: &Target,
    request: &mut Outgoing,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Failure> {
    let began = routed.core.clock.now();
    let services = learn::services(routed, target.upstream, host_of(routed, target)).await?;
    let (body, watch) = body_of(routed, request).await?;
    let (binding, messages) = match message(routed, &services, request, &body)? {
        Ok(found) => found,
        Err(bad) => {
            exchange.failed(&Failure::BadRequest("a message could not be made"), None);
            return Ok(bad_argument(&bad.to_string(), part(&bad)));
        }
    };
    let call = Described { routed, target, services, binding, began };
    let response = call.send(request, messages, watch, exchange).await?;
    if call.binding.is_server_streaming() {
        call.stream(request, response).await
    } else {
        call.one(request, response).await
    }
}

type Message = (Arc<Binding>, Vec<Bytes>);

/// The method that a request calls, and its messages.
fn message(
    routed: &Routed<'_>,
    services: &Services,
    request: &Request<RequestBody>,
    body: &Bytes,
) -> Result<Result<Message, BadRequest>, Failure> {
    let path = normalise(routed.path(request)).path;
    let (method, headers, query) = (request.method(), request.headers(), request.uri().query());
    let found = match services.find(&RequestView { host: "", path: &path, method, headers, query }) {
        Outcome::Found(found) => found,
        Outcome::MethodNotAllowed(methods) => return Err(Failure::MethodNotAllowed(methods)),
        Outcome::NotFound => return Err(Failure::NoMethod),
    };
    let (binding, captures) = (found.payload, found.captures(&path));
    let messages = if binding.is_client_streaming() {
        lines(body).map(|line| binding.message_of_json(line)).collect()
    } else {
        binding.message(captures.iter(), query, body).map(|message| vec![message])
    };
    Ok(messages.map(|messages| (Arc::clone(binding), messages)))
}

/// The messages of a body with one in each line.
fn lines(body: &Bytes) -> impl Iterator<Item = &[u8]> {
    body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}

const fn part(bad: &BadRequest) -> &'static str {
    match bad {
        BadRequest::Body(_) | BadRequest::NoBody => "body",
        BadRequest::Query(_) | BadRequest::TooMany => "query",
        BadRequest::Path(_) => "path",
    }
}
