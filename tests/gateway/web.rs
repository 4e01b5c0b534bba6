//! The Web handler: as Http, and upgrades become tunnels.

use std::sync::{Arc, Mutex};

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::header::HeaderValue;
use tokio_tungstenite::tungstenite::{
    Message,
    client::IntoClientRequest as _,
    handshake::server::{Request as Handshake, Response as Agreed},
};

use crate::harness::{Backend, Folder, Gateway, Script, Wire, get, request, within};

const WEB: &str = "{rules: [{handler: {type: Web}, backends: [{service: echo}]}]}";

fn upgrade(path: &str, protocol: &str) -> String {
    let fields = ["Host: a.example", "Connection: keep-alive, UPGRADE", &format!("Upgrade: {protocol}")];
    request(&format!("GET {path}"), &fields, "")
}

fn first_of(list: &HeaderValue) -> HeaderValue {
    let text = list.to_str().expect("the list must be ASCII");
    text.split(',').next().and_then(|first| first.parse().ok()).expect("the list must have a first name")
}

/// A WebSocket server that echoes, and agrees to the first sub-protocol; it notes request lines.
pub(crate) async fn websocket_echo(seen: Arc<Mutex<Vec<Handshake>>>) -> Script {
    Script::start(move |wire: Wire, _| {
        let seen = Arc::clone(&seen);
        async move {
            #[expect(clippy::result_large_err, reason = "the library asks for this type")]
            let agree = |request: &Handshake, mut response: Agreed| {
                seen.lock().expect("no holder may panic").push(request.clone());
                if let Some(protocols) = request.headers().get("sec-websocket-protocol") {
                    response.headers_mut().insert("sec-websocket-protocol", first_of(protocols));
                }
                Ok(response)
            };
            let (stream, _) = wire.into_parts();
            let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, agree).await else { return };
            while let Some(Ok(message)) = socket.next().await {
                let echoed = message.is_text() || message.is_binary();
                if echoed && socket.send(message).await.is_err() {
                    return;
                }
            }
        }
    })
    .await
}

#[tokio::test]
async fn websocket_frames_are_echoed_both_ways() {
    let seen = Arc::<Mutex<Vec<Handshake>>>::default();
    let backend = websocket_echo(Arc::clone(&seen)).await;
    let gateway = Gateway::start(Folder::with(backend.address(), WEB)).await;
    let mut asked = "ws://a.example/web/ws?room=1".into_client_request().unwrap();
    asked.headers_mut().insert("sec-websocket-protocol", "chat.v2, chat.v1".parse().unwrap());
    asked.headers_mut().insert("cookie", "c=1".parse().unwrap());
    let (stream, _) = gateway.open().await.into_parts();
    let (mut socket, agreed) = within("handshake", tokio_tungstenite::client_async(asked, stream)).await.unwrap();
    assert_eq!(agreed.headers()["sec-websocket-protocol"], "chat.v2");
    assert!(agreed.headers().contains_key("x-request-id"));
    for message in [Message::text("hallo"), Message::binary(vec![0, 255, 7]), Message::text("x".repeat(1_000_000))] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(within("echo", socket.next()).await.unwrap().unwrap(), message);
    }
    socket.close(None).await.unwrap();
    while let Some(Ok(message)) = within("close", socket.next()).await {
        assert!(message.is_close(), "{message:?}");
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0].uri(), "/web/ws?room=1");
    for (name, value) in [("host", "a.example"), ("x-forwarded-for", "127.0.0.1"), ("cookie", "c=1")] {
        assert_eq!(seen[0].headers()[name], value, "{name}");
    }
}

#[tokio::test]
async fn any_protocol_can_be_upgraded_to() {
    let backend = Script::start(|mut wire: Wire, _| async move {
        let head = wire.head().await;
        assert_eq!((head.one("upgrade"), head.one("connection")), (Some("Dial-Up/2"), Some("upgrade")));
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: Dial-Up/2\r\n\r\nhello").await;
        let bytes = wire.take(3).await.unwrap();
        wire.send(bytes).await;
        wire.closed().await;
    })
    .await;
    let gateway = Gateway::start(Folder::with(backend.address(), WEB)).await;
    let mut wire = gateway.open().await;
    let reply = wire.ask(upgrade("/", "Dial-Up/2")).await;
    assert_eq!((reply.status, reply.field("upgrade")), (101, Some("Dial-Up/2")));
    assert!(reply.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("upgrade")), "{reply:?}");
    assert_eq!(wire.take(5).await.unwrap(), b"hello", "bytes that come with the 101 are kept");
    wire.send("abc").await;
    assert_eq!(wire.take(3).await.unwrap(), b"abc");
    wire.finish().await;
    wire.closed().await;
}

#[tokio::test]
async fn bytes_that_come_with_the_handshake_are_kept_until_the_101() {
    let backend = Script::start(|mut wire: Wire, _| async move {
        let head = wire.head().await;
        assert!(head.first_line().starts_with("GET /early"), "{head:?}");
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n").await;
        let early = wire.take(5).await.unwrap();
        wire.send(early).await;
    })
    .await;
    let gateway = Gateway::start(Folder::with(backend.address(), WEB)).await;
    let mut wire = gateway.open().await;
    wire.send(upgrade("/early", "raw") + "early").await;
    assert_eq!(wire.reply().await.status, 101);
    assert_eq!(wire.rest().await, b"early");
}

#[tokio::test]
async fn a_refused_upgrade_is_an_answer_and_the_next_request_is_routed() {
    let refusing = Script::start(|mut wire: Wire, _| async move {
        loop {
            let (head, _) = wire.request().await;
            assert!(head.first_line().contains("/ws"), "{head:?}");
            wire.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await;
        }
    })
    .await;
    let other = Backend::echo("other").await;
    let folder = Folder::with(
        refusing.address(),
        "{rules: [{matches: [{path: {value: /ws}}], handler: {type: Web}, backends: [{service: echo}]}]}",
    );
    folder
        .service("other", &[other.address()])
        .route("other", "{rules: [{matches: [{path: {value: /other}}], backends: [{service: other}]}]}");
    let gateway = Gateway::start(folder).await;
    let mut wire = gateway.open().await;
    for _ in 0..2 {
        let reply = wire.ask(upgrade("/ws", "websocket")).await;
        assert_eq!((reply.status, reply.text().as_str()), (403, "no"));
        assert_eq!(wire.ask(get("a.example", "/other")).await.backend(), Some("other"));
    }
    assert_eq!(refusing.connections(), 1, "its connection is an ordinary one too");
}

#[tokio::test]
async fn the_http_handler_does_not_pass_upgrades_on() {
    let backend = Backend::echo("echo").await;
    let spec = "{rules: [{backends: [{service: echo}]}]}";
    let gateway = Gateway::start(Folder::with(backend.address(), spec)).await;
    let mut wire = gateway.open().await;
    assert_eq!(wire.ask(upgrade("/", "websocket")).await.status, 200);
    let seen = backend.last();
    assert_eq!((seen.one("upgrade"), seen.one("connection")), (None, None));
    assert_eq!(wire.ask(get("a.example", "/next")).await.status, 200);
}

#[tokio::test]
async fn an_upgrade_to_http_2_is_an_ordinary_request_and_the_next_one_is_routed() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start(Folder::with(backend.address(), WEB)).await;
    let fields = ["Host: a.example", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"];
    let mut wire = gateway.open().await;
    for fields in [&fields[..], &["Host: a.example", "HTTP2-Settings: AAMAAABk"]] {
        assert_eq!(wire.ask(request("GET /h2c", fields, "")).await.status, 200);
        let seen = backend.last();
        for field in ["connection", "upgrade", "http2-settings"] {
            assert_eq!(seen.one(field), None, "{fields:?}");
        }
    }
}

#[tokio::test]
async fn an_upgrade_of_http_1_0_is_ignored() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start(Folder::with(backend.address(), WEB)).await;
    let asked = upgrade("/", "websocket").replace("HTTP/1.1", "HTTP/1.0");
    assert_eq!(gateway.ask(asked).await.status, 200);
    let seen = backend.last();
    assert_eq!((seen.one("upgrade"), seen.one("connection")), (None, None));
}

#[tokio::test]
async fn requests_without_upgrade_are_proxied_as_ever() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start(Folder::with(backend.address(), WEB)).await;
    let reply = gateway.ask(request("POST /web/a/b?q=1", &["Host: a.example", "Upgrade: websocket"], "body")).await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "body"));
    assert_eq!(backend.last().one("upgrade"), None, "Connection did not name it");
    assert_eq!(backend.last().target, "/web/a/b?q=1");
}

#[tokio::test]
async fn a_silent_backend_is_504() {
    let backend = Script::start(|mut wire: Wire, _| async move {
        wire.rest().await;
    })
    .await;
    let spec = "{proxy: {requestTimeout: 300ms}, rules: [{handler: {type: Web}, backends: [{service: echo}]}]}";
    let gateway = Gateway::start(Folder::with(backend.address(), spec)).await;
    let mut wire = gateway.open().await;
    assert_eq!(wire.ask(upgrade("/", "websocket")).await.status, 504);
}

#[tokio::test]
async fn a_tunnel_outlives_the_request_timeout_and_counts_as_a_connection() {
    let backend = Script::start(|mut wire: Wire, _| async move {
        wire.head().await;
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n").await;
        let bytes = wire.take(3).await.unwrap();
        wire.send(bytes).await;
        wire.rest().await;
    })
    .await;
    let spec = "{proxy: {requestTimeout: 200ms}, rules: [{handler: {type: Web}, backends: [{service: echo}]}]}";
    let gateway = Gateway::start(Folder::with(backend.address(), spec)).await;
    let silent = Script::start(|mut wire: Wire, _| async move { drop(wire.rest().await) }).await;
    gateway.folder.service("silent", &[silent.address()]).route(
        "silent",
        "{hostnames: [silent.example], proxy: {requestTimeout: 600ms}, rules: [{backends: [{service: silent}]}]}",
    );
    let mut wire = gateway.open().await;
    assert_eq!(wire.ask(upgrade("/", "raw")).await.status, 101);
    // A request with a longer limit than the tunnel's, to wait for instead of for time.
    gateway.until("silent.example", "/", |reply| reply.status == 504).await;
    wire.send("abc").await;
    assert_eq!(wire.take(3).await.unwrap(), b"abc");
    assert!(gateway.metric("paifang_connections").await >= 1.0);
}
