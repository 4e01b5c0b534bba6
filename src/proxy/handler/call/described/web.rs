//! Calls of gRPC-Web: the frames pass, in Base64 where the client wants text, and the trailers are one frame more.

use super::{
    super::{body_of, target::Target},
    replies::is_grpc,
};
use crate::{
    proxy::{
        body::Body,
        error::{BodyError, Failure},
        exchange::Exchange,
        fields::clean_response,
        grpc,
        handler::Routed,
        outgoing::Outgoing,
        request_body::RequestBody,
        retry,
    },
    rpc::{
        codec::Codec,
        grpc::Call,
        grpc_web::{TextDecoder, Web, trailer_frame},
        metadata::of_headers,
    },
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Response,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HOST},
};
use http_body::{Body as HttpBody, Frame};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

pub(super) async fn answer(
    routed: &Routed<'_>,
    target: &Target,
    web: Web,
    request: &mut Outgoing,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Failure> {
    if request.method() != Method::POST {
        return Err(Failure::MethodNotAllowed(vec![Method::POST]));
    }
    let (body, watch) = body_of(routed, request).await?;
    let body = if web.is_text { text(&body)? } else { body };
    let mut plan = routed.plan(target.upstream, request)?;
    plan.deadline = grpc::deadline(request.headers());
    let (metadata, codec) = (of_headers(request.headers()), if web.is_json { Codec::Json } else { Codec::Protobuf });
    let path = routed.path(request);
    let call = Call { service: "", method: path, codec, timeout: plan.deadline, metadata: &metadata };
    let mut called = call.open().map_err(|_| Failure::NoMethod)?;
    if let Some(host) = request.headers().get(HOST) {
        called.headers_mut().insert(HOST, host.clone());
    }
    called.headers_mut().insert(CONTENT_LENGTH, body.len().into());
    let mut called = Outgoing::new(called.map(|()| RequestBody::whole(body)));
    let response = retry::send(&plan, &mut called, watch, exchange).await?;
    reply(web, response)
}

fn text(body: &Bytes) -> Result<Bytes, Failure> {
    let mut decoder = TextDecoder::default();
    let bytes = decoder.decode(body).and_then(|bytes| decoder.finish().map(|()| bytes));
    bytes.map_err(|_| Failure::BadRequest("The body is not Base64, as application/grpc-web-text has it."))
}

fn reply(web: Web, response: Response<Body>) -> Result<Response<Body>, Failure> {
    if !is_grpc(&response) {
        return Err(Failure::UpstreamBroken);
    }
    let (mut head, body) = response.into_parts();
    clean_response(&mut head.headers)?;
    head.headers.remove(CONTENT_LENGTH);
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static(web.content_type()));
    // A reply that is a head alone says its outcome there, and clients read it there.
    let mut response = Response::new(Body::made(WebBody { body, web, is_over: false }));
    *response.headers_mut() = head.headers;
    Ok(response)
}

/// A reply on its way.
#[derive(Debug)]
struct WebBody {
    body: Body,
    web: Web,
    is_over: bool,
}

impl WebBody {
    fn end(&mut self, trailers: &HeaderMap) -> Bytes {
        self.is_over = true;
        self.web.encode(&trailer_frame(trailers))
    }
}

impl HttpBody for WebBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let frame = match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => {
                self.is_over = true;
                return Poll::Ready(None);
            }
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
            Poll::Ready(Some(Ok(frame))) => frame,
        };
        let bytes = match frame.into_data() {
            Ok(bytes) => self.web.encode(&bytes),
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                self.end(&trailers)
            }
        };
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }
}
