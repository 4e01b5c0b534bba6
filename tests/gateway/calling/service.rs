//! A service that answers the next call with what was recorded, and says what it was asked.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use http_body_util::BodyExt as _;
use hyper::{
    HeaderMap, Request, Response,
    body::{Bytes, Frame, Incoming},
};
use paifang::rpc::{codec::Codec, frame, go_api};
use serde_json::Value;

use crate::harness::{Head, Peer, Recorded, Script, Streamed, Wire, frames};

/// What a service speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Mucp,
    Grpc,
}

/// A call, in whichever protocol it was made.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// The name of the service.
    pub(super) service: String,
    /// `Say.Hello`.
    pub(super) method: String,
    /// The encoding of the message as it travelled.
    pub(super) codec: Codec,
    /// The message itself.
    pub(super) message: Bytes,
    /// What travelled along, names in lower case.
    pub(super) headers: Vec<(String, String)>,
}

impl Call {
    fn new(headers: Vec<(String, String)>, (service, method): (&str, &str), body: &Bytes) -> Result<Self, String> {
        let value = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let content_type = value("content-type").unwrap_or_default();
        let codec = Codec::of(content_type).ok_or_else(|| format!("unknown content type {content_type:?}"))?;
        let message = codec.open_request(body).map_err(|error| error.to_string())?;
        Ok(Self { service: service.to_owned(), method: method.to_owned(), codec, message, headers })
    }

    /// A call by mucp.
    pub(super) fn mucp<'f>(
        fields: impl IntoIterator<Item = &'f (String, String)>,
        body: Vec<u8>,
    ) -> Result<Self, String> {
        let headers: Vec<_> = fields.into_iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
        let value = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let names = (value("micro-service").unwrap_or_default(), value("micro-endpoint").unwrap_or_default());
        Self::new(headers, (&names.0, &names.1), &body.into())
    }

    /// A call by gRPC.
    pub(super) fn grpc(headers: Vec<(String, String)>, path: &str, body: &Bytes) -> Result<Self, String> {
        let names = path.trim_start_matches('/').rsplit_once('/').and_then(|(service, method)| {
            let (package, service) = service.rsplit_once('.')?;
            Some((package.to_owned(), format!("{service}.{method}")))
        });
        let (service, method) = names.ok_or_else(|| format!("the path {path:?} names no method"))?;
        Self::new(headers, (&service, &method), body)
    }
}

/// What a service answers.
#[derive(Clone, Debug, Default)]
pub(super) enum Reply {
    /// A message without fields.
    #[default]
    Empty,
    /// Nothing, ever.
    Silence,
    /// This, by mucp.
    Mucp(Recorded),
    /// This, by gRPC: headers, messages and trailers.
    Grpc(Value),
}

#[derive(Clone, Debug, Default)]
struct Stage {
    reply: Arc<Mutex<Reply>>,
    called: Arc<Mutex<Option<Result<Call, String>>>>,
}

impl Stage {
    fn reply(&self) -> Reply {
        self.reply.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, call: Result<Call, String>) {
        self.called.lock().unwrap_or_else(PoisonError::into_inner).replace(call);
    }

    async fn mucp(self, mut wire: Wire) {
        while let Ok(head) = wire.try_head().await {
            let body = wire.body(&head).await;
            let codec = codec_of(&head);
            self.note(Call::mucp(&head.fields, body));
            let bytes = match self.reply() {
                Reply::Mucp(recorded) => encoded(&recorded, codec),
                Reply::Empty => codec.map_or_else(Vec::new, |codec| in_http(codec, &codec.empty())),
                Reply::Silence | Reply::Grpc(_) => return wire.closed().await,
            };
            // Real services send about one segment for each field.
            for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
                wire.send(piece).await;
            }
        }
    }

    async fn grpc(self, request: Request<Incoming>) -> Response<Streamed> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        let call = Call::grpc(headers, head.uri.path(), &body);
        let asked = call.as_ref().ok().map(|call| call.codec);
        self.note(call);
        let recorded = match self.reply() {
            Reply::Grpc(recorded) => recorded,
            Reply::Empty => empty_of_grpc(),
            Reply::Silence | Reply::Mucp(_) => return std::future::pending().await,
        };
        let messages = messages(&recorded).into_iter().map(|message| translated(&recorded, message, asked));
        let mut parts: Vec<_> = messages.map(Frame::data).collect();
        let trailers = fields(&recorded["trailers"]);
        if !trailers.is_empty() {
            parts.push(Frame::trailers(trailers));
        }
        let mut response = Response::new(frames(parts));
        *response.headers_mut() = fields(&recorded["headers"]);
        response
    }
}

/// A running service.
#[derive(Debug)]
pub(super) struct Service {
    stage: Stage,
    server: Server,
}

#[derive(Debug)]
enum Server {
    Mucp(Script),
    Grpc(Peer),
}

impl Service {
    pub(super) async fn start(dialect: Dialect) -> Self {
        let stage = Stage::default();
        let play = stage.clone();
        let server = match dialect {
            Dialect::Mucp => Server::Mucp(Script::start(move |wire, _| play.clone().mucp(wire)).await),
            Dialect::Grpc => Server::Grpc(Peer::start(100, move |request| play.clone().grpc(request)).await),
        };
        Self { stage, server }
    }

    pub(super) const fn address(&self) -> SocketAddr {
        match &self.server {
            Server::Mucp(script) => script.address(),
            Server::Grpc(peer) => peer.address(),
        }
    }

    /// Answers the next call so.
    pub(super) fn play(&self, reply: Reply) {
        *self.stage.reply.lock().unwrap_or_else(PoisonError::into_inner) = reply;
        self.called();
    }

    /// What it was asked since.
    pub(super) fn called(&self) -> Option<Result<Call, String>> {
        self.stage.called.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn codec_of(head: &Head) -> Option<Codec> {
    let content_type = head.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    Codec::of(&content_type?.1)
}

/// The bytes of a recorded reply, in the encoding of this call.
fn encoded(recorded: &Recorded, asked: Option<Codec>) -> Vec<u8> {
    let answered = recorded.value("content-type").and_then(Codec::of);
    let body = Bytes::from(recorded.body.clone().unwrap_or_default());
    let same = recorded.value("micro-error").is_some_and(|error| !error.is_empty()) || answered == asked;
    let (Some(asked), Some(answered), false) = (asked, answered, same) else { return recorded.bytes.clone() };
    let message = answered.open_reply(&body).expect("a recorded reply must be in its encoding").unwrap_or_default();
    let body = if asked.is_json() == answered.is_json() {
        asked.seal("", 0, &message).expect("a message fits all envelopes of its encoding")
    } else {
        let response: go_api::Response =
            go_api::decode(&message, answered).expect("only whole responses are translated");
        go_api::encode(&response, asked)
    };
    in_http(asked, &body)
}

fn in_http(codec: Codec, body: &[u8]) -> Vec<u8> {
    let (content_type, length) = (codec.content_type(), body.len());
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// A message of gRPC in the encoding of the call. Only whole responses come in another one.
fn translated(recorded: &Value, message: Bytes, asked: Option<Codec>) -> Bytes {
    let types = fields(&recorded["headers"]);
    let answered = types.get("content-type").and_then(|value| Codec::of(value.to_str().ok()?));
    match (answered, asked) {
        (Some(answered), Some(asked)) if answered.is_json() != asked.is_json() => {
            let message = answered.open_reply(&message).expect("a message of gRPC has a prefix").unwrap_or_default();
            let response: go_api::Response = go_api::decode(&message, answered).expect("it must be a whole response");
            frame::write(&go_api::encode(&response, asked)).expect("a message fits its prefix")
        }
        _ => message,
    }
}

fn empty_of_grpc() -> Value {
    serde_json::json!({
        "headers": [["content-type", "application/grpc"]], "messages": [{"body_base64": ""}],
        "trailers": [["grpc-status", "0"]],
    })
}

/// Recorded messages with their prefixes.
pub(super) fn messages(recorded: &Value) -> Vec<Bytes> {
    let messages = recorded["messages"].as_array().into_iter().flatten();
    messages.map(|message| frame::write(&super::told::bytes(message)).expect("a message fits its prefix")).collect()
}

/// Recorded fields, without those of HTTP/2 itself.
fn fields(recorded: &Value) -> HeaderMap {
    let pairs = recorded.as_array().into_iter().flatten();
    let pairs = pairs.filter_map(|pair| Some((pair[0].as_str()?.parse().ok()?, pair[1].as_str()?.parse().ok()?)));
    pairs.collect()
}
