//! Methods that take and give streams of messages, by gRPC: over a WebSocket, or as a text that is written while the
//! service answers.

mod replies;
mod session;
mod websocket;

use super::{
    Ended,
    calling::Calling,
    dialect::{bad, grpc_ended},
};
use crate::{
    proxy::{body::Body, error::Failure, exchange::Exchange, outgoing::Outgoing, request_body::RequestBody, retry},
    rpc::{
        codec::Codec,
        fault::{Codes, Fault},
        grpc,
        registry::Dialect,
        stream_text::Form,
    },
};
use bytes::Bytes;
use http::{
    HeaderValue, Request, Response,
    header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body::Frame;
use http_body_util::StreamBody;
use replies::Replies;

pub(super) use websocket::{Wanted, open};

/// The head of a call whose messages follow.
fn head(calling: &Calling<'_>, method: &str, codec: Codec) -> Result<Request<()>, Failure> {
    let call = grpc::Call { service: calling.service(), method, codec, timeout: None, metadata: calling.metadata() };
    call.open().map_err(|_| Failure::NoMethod)
}

/// Only gRPC carries streams here.
fn check(dialect: Dialect) -> Result<(), Failure> {
    if dialect == Dialect::Grpc { Ok(()) } else { Err(Failure::NoStreams) }
}

/// One message in, and the stream of replies as text: by lines, or as events where the client wants those.
pub(super) async fn text(
    calling: &Calling<'_>,
    method: &str,
    message: &Bytes,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Ended> {
    let plan = calling.plan()?;
    check(plan.upstream.dialect)?;
    let framed = framed(Codec::Json, message).ok_or(Failure::BodyTooLarge)?;
    let length = framed.len().into();
    let request = calling.addressed(head(calling, method, Codec::Json)?.map(|()| RequestBody::whole(framed)));
    let mut request = Outgoing::new(request);
    request.headers_mut().insert(CONTENT_LENGTH, length);
    let response = retry::send(&plan, &mut request, calling.watch(), exchange).await?;
    let (head, body) = response.into_parts();
    grpc::read_head(head.status, &head.headers, Codes::Micro).map_err(grpc_ended)?;
    let accept = calling.request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let form = Form::accepted(accept).unwrap_or(Form::Lines);
    let mut response = Response::new(written(form, Replies::new(head.headers, body)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    Ok(response)
}

fn written(form: Form, replies: Replies) -> Body {
    let pieces = futures_util::stream::unfold(Some(replies), move |replies| async move {
        let mut replies = replies?;
        let (text, rest) = match replies.next().await {
            Some(Ok(message)) => (form.message(&message), Some(replies)),
            Some(Err(fault)) => (form.error(&fault), None),
            None => (form.end(), None),
        };
        Some((Ok(Frame::data(text)), rest))
    });
    Body::made(StreamBody::new(pieces))
}

/// A message with its prefix. Nothing at all is a message without fields.
fn framed(codec: Codec, message: &Bytes) -> Option<Bytes> {
    let empty = codec.empty();
    crate::rpc::frame::write(if message.is_empty() { &empty } else { message })
}

/// What a client is told of a stream that did not end as it should.
fn told(ended: Ended) -> Fault {
    match ended {
        Ended::Failed(failure) => crate::proxy::reply::fault(&failure),
        Ended::Fault(fault) => Ended::told(fault),
    }
}

fn broken(words: &str) -> Fault {
    told(bad(Fault::new(crate::rpc::fault::CLIENT_ID, http::StatusCode::BAD_GATEWAY, words)))
}
