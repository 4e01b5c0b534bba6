//! Methods with streams of messages: over WebSockets, and as lines and events, from a service that speaks gRPC as those of
//! go-micro do.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::BodyExt as _;
use hyper::{
    HeaderMap, Request, Response,
    body::{Bytes, Frame, Incoming},
    ext::Protocol,
};
use hyper_util::rt::TokioIo;
use paifang::rpc::frame;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message,
        client::IntoClientRequest as _,
        protocol::{CloseFrame, Role},
    },
};

use crate::harness::{
    Backend, DEADLINE, Folder, Gateway, Http2, Peer, Streamed, eventually, piped, request, whole, within,
};

const ROUTES: &str = "{rules: [
    {matches: [{path: {value: /stream}}], handler: {type: Rpc, rpc: {service: go.micro.api.greeter, stream: true}}, backends: [{service: chat}]},
    {matches: [{path: {value: /plain}}], handler: {type: Rpc, rpc: {service: go.micro.api.greeter, method: Stream.Echo}}, backends: [{service: chat}]},
    {matches: [{path: {value: /mucp}}], handler: {type: Rpc, rpc: {stream: true}}, backends: [{service: mucp}]}]}";

type Sender = tokio::sync::mpsc::Sender<Frame<Bytes>>;

async fn say(sender: &Sender, message: &[u8]) -> bool {
    sender.send(Frame::data(frame::write(message).expect("it fits"))).await.is_ok()
}

async fn end(sender: &Sender, status: &str, message: &str) {
    let fields = [("grpc-status", status), ("grpc-message", message)];
    let fields = fields.map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")));
    let _ = sender.send(Frame::trailers(HeaderMap::from_iter(fields))).await;
}

const REFUSED: &str = r#"{"id":"greeter","code":409,"detail":"refused","status":"Conflict"}"#;

/// Echoes message by message, `bye` ends it and `fail` refuses; `Stream.Items` gives as many items as it is asked for.
async fn serve(request: Request<Incoming>, open: Arc<AtomicUsize>) -> Response<Streamed> {
    let is_items = request.uri().path().ends_with("/Items");
    let is_unary = request.uri().path().ends_with("/Echo");
    let (sender, body) = piped();
    tokio::spawn(async move {
        open.fetch_add(1, Ordering::Relaxed);
        let (mut incoming, mut decoder) = (request.into_body(), frame::Decoder::new(1 << 20));
        'talk: while let Some(Ok(part)) = incoming.frame().await {
            decoder.push(part.data_ref().map_or(&[], |data| data));
            while let Ok(Some(message)) = decoder.next_message() {
                let json: Value = serde_json::from_slice(&message.bytes).unwrap_or_default();
                if is_items {
                    for item in 0..json["n"].as_u64().unwrap_or_default() {
                        say(
                            &sender,
                            json!({"key": format!("{}-{item}", json["key"].as_str().unwrap_or_default())})
                                .to_string()
                                .as_bytes(),
                        )
                        .await;
                    }
                    end(
                        &sender,
                        if json["key"] == "fail" { "6" } else { "0" },
                        if json["key"] == "fail" { REFUSED } else { "" },
                    )
                    .await;
                    break 'talk;
                }
                match json["key"].as_str() {
                    Some("bye") => end(&sender, "0", "").await,
                    Some("fail") => end(&sender, "6", REFUSED).await,
                    _ if say(&sender, &message.bytes).await && !is_unary => continue,
                    _ => end(&sender, "0", "").await,
                }
                break 'talk;
            }
        }
        open.fetch_sub(1, Ordering::Relaxed);
    });
    Response::builder().header("content-type", "application/grpc+json").body(body).expect("the answer must be valid")
}

struct Scene {
    gateway: Gateway,
    peer: Peer,
    open: Arc<AtomicUsize>,
    _mucp: Backend,
}

async fn scene() -> Scene {
    let open = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&open);
    let peer = Peer::start(100, move |request| serve(request, Arc::clone(&counted))).await;
    let mucp = Backend::echo("mucp").await;
    let folder = Folder::new();
    folder
        .service_speaking("chat", "grpc", &[peer.address()])
        .service("mucp", &[mucp.address()])
        .route("calls", ROUTES);
    Scene { gateway: Gateway::start(folder).await, peer, open, _mucp: mucp }
}

pub(super) type Socket = WebSocketStream<TcpStream>;

/// Opens a WebSocket.
pub(super) async fn open(
    gateway: &Gateway,
    path: &str,
    fields: &[(&str, &str)],
) -> Result<(Socket, tungstenite::handshake::client::Response), tungstenite::Error> {
    let mut asked = format!("ws://a.example{path}").into_client_request().expect("a request");
    for (name, value) in fields {
        asked
            .headers_mut()
            .append(name.parse::<hyper::header::HeaderName>().expect("a name"), value.parse().expect("a value"));
    }
    let stream = TcpStream::connect(gateway.address("http")).await.expect("the gateway must be there");
    within("handshake", tokio_tungstenite::client_async(asked, stream)).await
}

/// The next frame.
pub(super) async fn next(socket: &mut Socket) -> Message {
    within("a frame", socket.next()).await.expect("a frame must come").expect("a frame must be one")
}

fn closed(message: Message) -> (u16, String) {
    match message {
        Message::Close(Some(CloseFrame { code, reason })) => (code.into(), reason.to_string()),
        other => panic!("no close frame: {other:?}"),
    }
}

#[tokio::test]
async fn messages_pass_both_ways_over_a_websocket() {
    let scene = scene().await;
    let (mut socket, _) = open(&scene.gateway, "/stream/chat", &[("cookie", "sid=1")]).await.unwrap();
    for key in ["m1", "m2", "m3"] {
        socket.send(json!({ "key": key }).to_string().into()).await.unwrap();
        assert_eq!(next(&mut socket).await, Message::text(json!({ "key": key }).to_string()));
    }
    // Back to back, and bytes for text.
    for key in ["a", "b", "c"] {
        socket.send(Message::binary(json!({ "key": key }).to_string())).await.unwrap();
    }
    for key in ["a", "b", "c"] {
        assert_eq!(next(&mut socket).await, Message::text(json!({ "key": key }).to_string()));
    }
    socket.send(r#"{"key":"bye"}"#.into()).await.unwrap();
    assert_eq!(closed(next(&mut socket).await), (1000, String::new()));
    let call = scene.peer.last();
    assert_eq!(call.target.path(), "/go.micro.api.greeter.Stream/Chat");
    assert_eq!(
        (&call.headers["content-type"], &call.headers["cookie"]),
        (&"application/grpc+json".parse().unwrap(), &"sid=1".parse().unwrap())
    );
    assert!(!call.headers.contains_key("timeout") && !call.headers.contains_key("sec-websocket-key"));
}

#[tokio::test]
async fn the_query_makes_the_first_message() {
    let scene = scene().await;
    let (mut socket, _) = open(&scene.gateway, "/stream/items?key=bob&n=2", &[]).await.unwrap();
    assert_eq!(next(&mut socket).await, Message::text(r#"{"key":"bob-0"}"#));
    assert_eq!(next(&mut socket).await, Message::text(r#"{"key":"bob-1"}"#));
    assert_eq!(closed(next(&mut socket).await), (1000, String::new()));
    let (mut socket, _) = open(&scene.gateway, "/stream/items?key=fail&n=1", &[]).await.unwrap();
    assert_eq!(next(&mut socket).await, Message::text(r#"{"key":"fail-0"}"#));
    assert_eq!(closed(next(&mut socket).await), (1011, "refused".to_owned()));
}

#[tokio::test]
async fn a_client_chooses_bytes_by_type_or_sub_protocol() {
    let scene = scene().await;
    for (fields, agreed) in [
        (&[("sec-websocket-protocol", "binary")][..], Some("binary")),
        (&[("sec-websocket-protocol", "chat, json"), ("content-type", "application/protobuf")], Some("chat")),
    ] {
        let (mut socket, response) = open(&scene.gateway, "/stream/chat", fields).await.unwrap();
        assert_eq!(response.headers().get("sec-websocket-protocol").map(|value| value.to_str().unwrap()), agreed);
        socket.send(r#"{"key":"x"}"#.into()).await.unwrap();
        assert_eq!(next(&mut socket).await, Message::binary(r#"{"key":"x"}"#));
    }
    assert_eq!(scene.peer.last().headers["content-type"], "application/grpc+proto");
}

#[tokio::test]
async fn the_end_of_a_client_ends_the_call() {
    let scene = scene().await;
    let (mut socket, _) = open(&scene.gateway, "/stream/chat", &[]).await.unwrap();
    socket.send(r#"{"key":"x"}"#.into()).await.unwrap();
    next(&mut socket).await;
    assert_eq!(scene.open.load(Ordering::Relaxed), 1);
    socket.close(Some(CloseFrame { code: 4001.into(), reason: "enough".into() })).await.unwrap();
    assert_eq!(closed(next(&mut socket).await), (4001, "enough".to_owned()));
    eventually(DEADLINE, "the call ends", || {
        let open = scene.open.load(Ordering::Relaxed);
        std::future::ready(if open == 0 { Ok(()) } else { Err(open) })
    })
    .await;
}

#[tokio::test]
async fn a_message_has_a_limit() {
    let scene = scene().await;
    let (mut socket, _) = open(&scene.gateway, "/stream/chat", &[]).await.unwrap();
    // The gateway may close before all of it is sent.
    let _ = socket.send(Message::binary(vec![b' '; 4 * 1024 * 1024 + 1])).await;
    assert_eq!(closed(next(&mut socket).await).0, 1009);
}

#[tokio::test]
async fn an_opening_that_is_none_is_refused() {
    let scene = scene().await;
    let ask = |key: &'static str, version: &'static str| {
        let fields = ["Host: a.example", "Connection: Upgrade", "Upgrade: websocket", key, version];
        let asked = request("GET /stream/chat", &fields, "");
        let gateway = &scene.gateway;
        async move { gateway.ask(asked).await }
    };
    let (key, version) = ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13");
    assert_eq!(ask("Sec-WebSocket-Key: short", version).await.status, 400);
    assert_eq!(ask("X-None: 1", version).await.status, 400);
    let reply = ask(key, "Sec-WebSocket-Version: 8").await;
    assert_eq!((reply.status, reply.head.one("sec-websocket-version")), (426, Some("13")));
}

#[tokio::test]
async fn a_method_without_streams_answers_as_ever() {
    let scene = scene().await;
    match open(&scene.gateway, "/plain?key=x", &[]).await {
        Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), 200),
        other => panic!("an ordinary answer must come: {other:?}"),
    }
    let reply = scene.gateway.get("/mucp/stream/chat").await;
    assert_eq!((reply.status, reply.text().contains("\"code\":501")), (501, true), "{reply:?}");
}

#[tokio::test]
async fn a_stream_is_lines_or_events() {
    let scene = scene().await;
    let asked = |accept: &str, path: &str| request(&format!("GET {path}"), &["Host: a.example", accept], "");
    let lines = "{\"key\":\"bob-0\"}\n{\"key\":\"bob-1\"}\n";
    for (accept, type_, body) in [
        ("Accept: application/x-ndjson", "application/x-ndjson", lines),
        ("X-None: 1", "application/x-ndjson", lines),
        (
            "Accept: text/event-stream",
            "text/event-stream",
            "data: {\"key\":\"bob-0\"}\n\ndata: {\"key\":\"bob-1\"}\n\nevent: end\ndata: {}\n\n",
        ),
    ] {
        let reply = scene.gateway.ask(asked(accept, "/stream/items?key=bob&n=2")).await;
        assert_eq!((reply.status, reply.head.one("content-type"), &*reply.text()), (200, Some(type_), body));
    }
    let reply = scene.gateway.ask(asked("Accept: application/x-ndjson", "/stream/items?key=fail&n=1")).await;
    assert_eq!(reply.text(), format!("{{\"key\":\"fail-0\"}}\n{{\"error\":{REFUSED}}}\n"));
}

#[tokio::test]
async fn a_client_of_http_2_opens_websockets_too() {
    let scene = scene().await;
    let client = Http2::over(scene.gateway.open().await.into_parts().0).await;
    let ask = |target: &'static str| {
        let mut client = client.clone();
        async move {
            let mut request = Request::connect(format!("http://a.example{target}")).body(whole("")).expect("a request");
            request.extensions_mut().insert(Protocol::from_static("websocket"));
            client.open(request).await
        }
    };
    let response = eventually(DEADLINE, "an extended CONNECT is answered", || ask("/stream/chat")).await;
    assert_eq!((response.status().as_u16(), response.headers().contains_key("sec-websocket-accept")), (200, false));
    let stream = within("upgrade", hyper::upgrade::on(response)).await.expect("a tunnel must be there");
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(stream), Role::Client, None).await;
    socket.send(r#"{"key":"x"}"#.into()).await.unwrap();
    assert_eq!(within("a frame", socket.next()).await.unwrap().unwrap(), Message::text(r#"{"key":"x"}"#));
    socket.send(r#"{"key":"bye"}"#.into()).await.unwrap();
    assert_eq!(closed(within("a frame", socket.next()).await.unwrap().unwrap()), (1000, String::new()));
    let refused = ask("/plain?key=x").await.expect("an answer must come");
    assert_eq!(refused.status(), 501, "a success would be a tunnel to nowhere");
}
