//! The greeter by gRPC: its method, and server reflection, which tells whoever asks what it is.

use super::{MOST_BYTES, greeter};
use crate::rpc::{
    codec::Codec,
    fault::Fault,
    frame::{self, Decoder},
    reflection::{PATHS, Server},
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, Full, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use std::convert::Infallible;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Answers a call.
pub(super) async fn answer(request: Request<Incoming>) -> Response<Body> {
    let type_ = request.headers().get(CONTENT_TYPE).cloned();
    let type_ = type_.unwrap_or_else(|| HeaderValue::from_static("application/grpc"));
    let body = if PATHS.contains(&request.uri().path()) {
        Ok(told(request.into_body()))
    } else {
        let codec = type_.to_str().ok().and_then(Codec::of).unwrap_or(Codec::Grpc);
        let message = call(codec, request).await;
        message.map(|message| Full::new(message).with_trailers(async { Some(Ok(success())) }).boxed_unsync())
    };
    let mut response = body.map_or_else(|fault| failed(&fault), Response::new);
    response.headers_mut().insert(CONTENT_TYPE, type_);
    response
}

async fn call(codec: Codec, request: Request<Incoming>) -> Result<Bytes, Fault> {
    let bad = |error: String| Fault::new(greeter::NAME, StatusCode::BAD_REQUEST, error);
    let path = request.uri().path().to_owned();
    let prefix = format!("/{}.", greeter::NAME);
    let method = path.strip_prefix(&prefix).unwrap_or(&path).replace('/', ".");
    let body = Limited::new(request.into_body(), MOST_BYTES).collect().await.map_err(|error| bad(error.to_string()))?;
    let message = frame::only(&body.to_bytes()).map_err(|error| bad(error.to_string()))?;
    let reply = greeter::call(&method, codec, &message.bytes)?;
    frame::write(&reply).ok_or_else(|| bad("the reply is too long".to_owned()))
}

fn success() -> HeaderMap {
    HeaderMap::from_iter([(STATUS, HeaderValue::from_static("0"))])
}

/// A call that failed has a head alone.
fn failed(fault: &Fault) -> Response<Body> {
    let (status, message, _) = fault.to_grpc();
    let mut response = Response::new(Full::default().boxed_unsync());
    response.headers_mut().insert(STATUS, HeaderValue::from(status));
    if let Ok(message) = HeaderValue::try_from(message) {
        response.headers_mut().insert(MESSAGE, message);
    }
    response
}

/// The answers of server reflection, one for each question as it comes.
fn told(questions: Incoming) -> Body {
    let decoder = Decoder::new(MOST_BYTES);
    let server = Server::new(greeter::described());
    let answers = stream::unfold(Some((questions, decoder, server)), async |state| {
        let (mut questions, mut decoder, server) = state?;
        let answer = async {
            let question = next(&mut questions, &mut decoder).await?;
            frame::write(&server.answer(&question)?)
        };
        Some(match answer.await {
            Some(answer) => (Ok::<_, Infallible>(Frame::data(answer)), Some((questions, decoder, server))),
            None => (Ok(Frame::trailers(success())), None),
        })
    });
    StreamBody::new(answers).boxed_unsync()
}

async fn next(questions: &mut Incoming, decoder: &mut Decoder) -> Option<Bytes> {
    loop {
        if let Some(question) = decoder.next_message().ok()? {
            return Some(question.bytes);
        }
        if let Ok(data) = questions.frame().await?.ok()?.into_data() {
            decoder.push(&data);
        }
    }
}
