//! Backends: they answer as cheaply as they can, because they share a core with the load.

use crate::{ENDPOINTS, Endpoints, Failure, accept, described};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Either, Full};
use hyper::{
    Request, Response,
    body::{Body, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    rt::Executor,
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use std::rc::Rc;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::spawn_local,
};

/// A body of 65 bytes.
const SMALL: &str = r#"{"id":"0123456789","name":"a small answer of sixty-five bytes.."}"#;
/// The bytes of a large body.
const LARGE: usize = 64 * 1024;
/// To the key that the idle client sends.
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// What a backend of this kind answers, head and body.
pub(crate) fn answer(kind: &str) -> Result<Vec<u8>, Failure> {
    let body = match kind {
        "small" | "websocket" => SMALL.to_owned(),
        "large" => "x".repeat(LARGE),
        _ => return Err(format!("no backend answers {kind}").into()),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    Ok((head + &body).into())
}

/// Answers on all addresses of the backend.
pub(crate) async fn serve(port: u16, kind: &str) -> Result<(), Failure> {
    let kind = match kind {
        "grpc" => Kind::Grpc,
        "mucp" => Kind::Mucp,
        _ => Kind::Http1 { answer: answer(kind)?.into(), upgrades: kind == "websocket" },
    };
    let endpoints = Endpoints::new(port);
    for _ in 1..ENDPOINTS {
        spawn_local(answer_all(TcpListener::bind(endpoints.next()).await?, kind.clone()));
    }
    answer_all(TcpListener::bind(endpoints.next()).await?, kind).await;
    Ok(())
}

#[derive(Clone)]
enum Kind {
    Http1 { answer: Rc<[u8]>, upgrades: bool },
    Grpc,
    Mucp,
}

async fn answer_all(listener: TcpListener, kind: Kind) {
    while let Ok(stream) = accept(&listener).await {
        match kind.clone() {
            Kind::Http1 { answer, upgrades } => spawn_local(answer_one(stream, answer, upgrades)),
            Kind::Grpc => spawn_local(call_back(stream)),
            Kind::Mucp => spawn_local(answer_calls(stream)),
        };
    }
}

/// Answers requests without bodies until the peer leaves.
async fn answer_one(mut stream: TcpStream, answer: Rc<[u8]>, upgrades: bool) {
    let mut head = Vec::with_capacity(4096);
    while let Ok(1..) = stream.read_buf(&mut head).await {
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let switch = upgrades && head.to_ascii_lowercase().windows(9).any(|word| word == b"websocket");
        head.clear();
        if stream.write_all(if switch { SWITCH.as_bytes() } else { &answer }).await.is_err() {
            return;
        }
    }
}

/// Answers calls of mucp with the same message until the peer leaves. A reply has the encoding of its call.
async fn answer_calls(mut stream: TcpStream) {
    let mut call = Vec::with_capacity(8192);
    while let Ok(1..) = stream.read_buf(&mut call).await {
        let Some(message) = message_of(&call) else { continue };
        let length = message.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
        let reply = [head.as_bytes(), message].concat();
        call.clear();
        if stream.write_all(&reply).await.is_err() {
            return;
        }
    }
}

/// The body of a request of HTTP/1.1, once it is whole. The gateway frames what it sends by length.
fn message_of(call: &[u8]) -> Option<&[u8]> {
    let end = call.windows(4).position(|end| end == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&call[..end]).ok()?.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"))?;
    call[end + 4..].get(..length.trim().parse().ok()?)
}

/// Answers gRPC calls of one message each with the same message, over HTTP/2 without TLS.
async fn call_back(stream: TcpStream) {
    // A client that went away is no matter of the measurement.
    let _ = http2::Builder::new(Local).serve_connection(TokioIo::new(stream), service_fn(echo)).await;
}

async fn echo(request: Request<Incoming>) -> Result<Response<impl Body<Data = Bytes, Error = Failure>>, Failure> {
    let body = if described::is_asked(request.uri().path()) {
        Either::Left(described::answers(request.into_body()))
    } else {
        let message = request.into_body().collect().await?.to_bytes();
        Either::Right(Full::new(message).map_err(Failure::from).with_trailers(async { Some(Ok(described::success())) }))
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    Ok(response)
}

/// Runs the streams of a connection on its thread.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future + 'static> Executor<F> for Local {
    fn execute(&self, future: F) {
        spawn_local(async move { drop(future.await) });
    }
}
