//! WebSockets of the Rpc handler against recordings of go-micro's: the same frames of the client, a service that says the
//! recorded messages when it has the recorded ones, and in between this gateway.
//!
//! What differs by design, on every row: the end of a stream and its errors are close frames (1000, 1011), where go-micro
//! closes the connection without a word.

use std::{
    collections::VecDeque,
    io::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::BodyExt as _;
use hyper::{
    HeaderMap, Request, Response,
    body::{Bytes, Frame, Incoming},
};
use paifang::rpc::frame;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use super::{
    streaming::{Socket, next, open},
    told::{bytes, readable, values},
};
use crate::harness::{Folder, Gateway, Peer, Streamed, piped, within};

const ROUTES: &str = "{rules: [
    {matches: [{path: {type: Exact, value: /stream/items}}], handler: {type: Rpc, rpc: {service: S, method: Say.Stream, stream: true}}, backends: [{service: chat}]},
    {matches: [{path: {type: Template, value: '/stream/of/{key}/{n}'}}], handler: {type: Rpc, rpc: {service: S, method: Say.Stream, stream: true}}, backends: [{service: chat}]},
    {matches: [{path: {type: Exact, value: /stream/nope}}], handler: {type: Rpc, rpc: {service: S, method: Say.Nope, stream: true}}, backends: [{service: chat}]},
    {matches: [{path: {type: Exact, value: /stream/unary}}], handler: {type: Rpc, rpc: {service: S, method: Say.Echo, stream: true}}, backends: [{service: chat}]},
    {matches: [{path: {type: Exact, value: /stream/chat}}], handler: {type: Rpc, rpc: {service: S, method: Say.Bidi, stream: true}}, backends: [{service: chat}]}]}";

/// What the service does next.
#[derive(Clone, Debug)]
enum Step {
    Take(Vec<u8>),
    Say(Vec<u8>),
}

/// The row at hand: its name, what the service does, how it ends, and what was wrong.
type Script = Arc<Mutex<(String, VecDeque<Step>, HeaderMap, Vec<String>)>>;

/// The field that tells of which row a call is: one of an earlier row may come late.
const ROW: &str = "x-row";

/// Rows whose frames are of something else than one stream between one client and one service.
fn unfit(row: &Value) -> Option<&'static str> {
    if row["dialect"] != "grpc" {
        return Some("mucp carries no streams here");
    }
    if row["http"]["response"]["start"] != "HTTP/1.1 101 Switching Protocols" {
        return Some("no WebSocket was opened: what is refused has tests of its own");
    }
    let asked = values(&row["request"]["messages"]);
    if asked.count() == 0 {
        return Some("go-micro gave up before it called");
    }
    if values(&row["request"]["headers"]).any(|pair| pair[0] == "content-type" && pair[1] == "application/grpc+proto") {
        return Some("go-micro sends an empty message of protobuf first");
    }
    let is_plain = |frame: &Value| frame["op"] != "cont" && frame["fin"] != false && frame.get("sha256").is_none();
    if !values(&row["http"]["ws_frames"]).all(is_plain) {
        return Some("frames in parts, or of which the hash alone is there");
    }
    None
}

fn steps(row: &Value) -> VecDeque<Step> {
    let mut asked: VecDeque<_> = values(&row["request"]["messages"]).map(bytes).collect();
    let mut said: VecDeque<_> = values(&row["response"]["messages"]).map(bytes).collect();
    let from_client =
        values(&row["http"]["ws_frames"]).filter(|frame| frame["dir"] == "c2s" && is_message(frame)).count();
    let mut steps = VecDeque::new();
    // What the query made comes first.
    for _ in from_client..asked.len() {
        steps.extend(asked.pop_front().map(Step::Take));
    }
    for frame in values(&row["http"]["ws_frames"]).filter(|frame| is_message(frame)) {
        if frame["dir"] == "c2s" {
            steps.extend(asked.pop_front().map(Step::Take));
        } else {
            steps.extend(said.pop_front().map(Step::Say));
        }
    }
    steps.extend(said.into_iter().map(Step::Say));
    steps
}

fn is_message(frame: &Value) -> bool {
    matches!(frame["op"].as_str(), Some("text" | "binary"))
}

async fn play(request: Request<Incoming>, script: Script) -> Response<Streamed> {
    let (sender, body) = piped();
    let (row, mut steps, trailers, _) = script.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if request.headers().get(ROW).is_none_or(|value| value != row.as_str()) {
        steps.clear();
    }
    tokio::spawn(async move {
        let (mut incoming, mut decoder) = (request.into_body(), frame::Decoder::new(1 << 20));
        for step in steps {
            match step {
                Step::Say(message) => {
                    let framed = frame::write(&message).expect("it fits");
                    if sender.send(Frame::data(framed)).await.is_err() {
                        return;
                    }
                }
                Step::Take(message) => loop {
                    if let Ok(Some(taken)) = decoder.next_message() {
                        let (ours, theirs) = (readable(&taken.bytes), readable(&message));
                        // Nothing is a message without fields in JSON too.
                        let theirs = if theirs.is_empty() { "{}".to_owned() } else { theirs };
                        if ours != theirs {
                            let wrong = format!("the service got {ours}, recorded {theirs}");
                            script.lock().unwrap_or_else(PoisonError::into_inner).3.push(wrong);
                        }
                        break;
                    }
                    let Some(Ok(part)) = incoming.frame().await else { return };
                    decoder.push(part.data_ref().map_or(&[], |data: &Bytes| data));
                },
            }
        }
        if trailers.is_empty() {
            // The client ends it.
            while let Some(Ok(_)) = incoming.frame().await {}
        } else {
            let _ = sender.send(Frame::trailers(trailers)).await;
        }
    });
    Response::builder().header("content-type", "application/grpc+json").body(body).expect("the answer must be valid")
}

fn trailers(row: &Value) -> HeaderMap {
    let response = &row["response"];
    let list = if response["headers_only"] == true { &response["headers"] } else { &response["trailers"] };
    let pairs =
        values(list).filter_map(|pair| Some((pair[0].as_str()?.parse().ok()?, pair[1].as_str()?.parse().ok()?)));
    let all: HeaderMap = pairs.collect();
    if all.contains_key("grpc-status") { all } else { HeaderMap::new() }
}

async fn replay(name: &str, row: &Value, gateway: &Gateway, script: &Script) -> Vec<String> {
    *script.lock().unwrap_or_else(PoisonError::into_inner) = (name.to_owned(), steps(row), trailers(row), Vec::new());
    let asked = &row["http"]["request"];
    let target = asked["start"].as_str().and_then(|start| start.split(' ').nth(1)).expect("a request line");
    const OF_THE_OPENING: [&str; 6] =
        ["host", "connection", "upgrade", "sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions"];
    let fields = values(&asked["headers"])
        .map(|pair| (pair[0].as_str().unwrap_or_default(), pair[1].as_str().unwrap_or_default()));
    let mut fields: Vec<_> = fields.filter(|(name, _)| !OF_THE_OPENING.contains(&&*name.to_lowercase())).collect();
    fields.push((ROW, name));
    let mut socket = match open(gateway, target, &fields).await {
        Ok((socket, _)) => socket,
        Err(error) => return vec![format!("no WebSocket: {error}")],
    };
    let mut differences = frames(row, &mut socket).await;
    differences.append(&mut script.lock().unwrap_or_else(PoisonError::into_inner).3);
    differences
}

async fn frames(row: &Value, socket: &mut Socket) -> Vec<String> {
    let mut differences = Vec::new();
    for frame in values(&row["http"]["ws_frames"]) {
        let payload = payload(frame);
        match (frame["dir"].as_str(), frame["op"].as_str()) {
            (Some("c2s"), Some("text")) => {
                drop(socket.send(Message::text(String::from_utf8_lossy(&payload).into_owned())).await);
            }
            (Some("c2s"), Some("binary")) => drop(socket.send(Message::binary(payload)).await),
            (Some("c2s"), Some("close")) => {
                drop(socket.close(None).await);
                return differences;
            }
            (Some("s2c"), Some("text" | "binary")) => {
                let message = next(socket).await;
                let (ours, theirs) = (readable(&message.clone().into_data()), readable(&payload));
                if ours != theirs {
                    differences.push(format!("a frame: {ours} ({message:?}), recorded {theirs}"));
                }
            }
            _ => {}
        }
    }
    let status = trailers(row).get("grpc-status").map(|status| status.to_str().unwrap_or_default() == "0");
    if let Some(is_good) = status {
        let code = match within("the end", socket.next()).await {
            Some(Ok(Message::Close(Some(close)))) => u16::from(close.code),
            other => return vec![format!("no close frame: {other:?}")],
        };
        if code != if is_good { 1000 } else { 1011 } {
            differences.push(format!("closed with {code}"));
        }
    }
    differences
}

fn payload(frame: &Value) -> Vec<u8> {
    match frame["text"].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => super::told::decoded(&frame["base64"]),
    }
}

async fn replay_all(file: &str) {
    let script = Script::default();
    let played = Arc::clone(&script);
    let peer = Peer::start(100, move |request| play(request, Arc::clone(&played))).await;
    let folder = Folder::new();
    folder.service_speaking("chat", "grpc", &[peer.address()]);
    folder.route("calls", &ROUTES.replace("service: S,", "service: go.micro.api.greeter,"));
    let gateway = Gateway::start(folder).await;
    let (mut ran, mut left, mut wrong) = (0, Vec::new(), Vec::new());
    for row in super::told::rows(file) {
        match unfit(row.value()) {
            Some(why) => left.push(format!("{} ({why})", row.name())),
            None => {
                ran += 1;
                let differences = replay(row.name(), row.value(), &gateway, &script).await;
                wrong.extend(differences.into_iter().map(|difference| format!("{}: {difference}", row.name())));
            }
        }
    }
    let told = format!("recorded {file}: {ran} ran; {} not: {}\n", left.len(), left.join(", "));
    let _ = std::io::stdout().lock().write_all(told.as_bytes());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_websockets_of_go_micro_2_are_matched() {
    replay_all("rpcws-v2.9.jsonl").await;
}

#[tokio::test]
async fn the_websockets_of_go_micro_4_are_matched() {
    replay_all("rpcws-v4.10.jsonl").await;
}
