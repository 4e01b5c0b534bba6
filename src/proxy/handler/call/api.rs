//! The Api handler: the whole request is the message of the call, and the reply is the whole response.

use super::{Ended, body_of, calling::Calling, dialect::bad, node::Place, target::find, unless_called};
use crate::{
    model::call::Calls,
    proxy::{body::Body, error::Failure, exchange::Exchange, handler::Routed, request_body::RequestBody},
    rpc::{
        codec::Codec,
        fault::{CLIENT_ID, Fault},
        go_api::{self, Incoming},
        registry::Dialect,
    },
};
use bytes::Bytes;
use http::{
    Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, HOST},
};

/// What is called, in the order of an `Allow` field. Any other method is called too, but OPTIONS and TRACE.
const METHODS: [Method; 6] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

pub(super) async fn answer(
    routed: &Routed<'_>,
    calls: &Calls,
    request: &mut Request<RequestBody>,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Ended> {
    if matches!(*request.method(), Method::OPTIONS | Method::TRACE)
        && let Some(response) = unless_called(request.method(), &METHODS)?
    {
        return Ok(response);
    }
    let target = find(routed, calls, request)?;
    let (body, watch) = body_of(routed, request).await?;
    if routed.context.length {
        request.headers_mut().insert(CONTENT_LENGTH, body.len().into());
    }
    let codec = encoding(routed.table.upstream(target.upstream).0.dialect);
    let message = go_api::encode(&message(routed, request, &body)?, codec);
    let calling = Calling::new(routed, request, (Place::Known(target.upstream), &target.service), watch);
    let reply = calling.call(target.method()?, codec, &message, exchange).await?;
    response(&reply, codec)
}

/// Services that speak mucp answer every error in JSON, and services that speak gRPC all know protobuf.
const fn encoding(dialect: Dialect) -> Codec {
    match dialect {
        Dialect::Grpc => Codec::Protobuf,
        Dialect::Mucp | Dialect::MucpEnvelope | Dialect::Other => Codec::Json,
    }
}

fn message(routed: &Routed<'_>, request: &Request<RequestBody>, body: &Bytes) -> Result<go_api::Request, Failure> {
    let target = routed.target.as_ref().unwrap_or(request.uri());
    let headers = request.headers();
    let incoming = Incoming {
        method: request.method(),
        path: target.path(),
        query: target.query(),
        host: headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default(),
        headers,
    };
    go_api::Request::of_http(&incoming, body).map_err(|_| Failure::NotText)
}

fn response(reply: &[u8], codec: Codec) -> Result<Response<Body>, Ended> {
    let bad = |text: String| bad(Fault::new(CLIENT_ID, StatusCode::BAD_GATEWAY, text));
    let reply: go_api::Response = go_api::decode(reply, codec).map_err(|error| bad(error.to_string()))?;
    let response = reply.into_http().map_err(|error| bad(error.to_string()))?;
    Ok(response.map(Body::full))
}
