//! WebSockets over HTTP/2 (RFC 8441): tunnels beside other requests on one connection.

use std::sync::{Arc, Mutex};

use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, ext::Protocol, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::server::Request as Handshake, protocol::Role},
};

use crate::{
    harness::{
        Authority, Backend, DEADLINE, Folder, Gateway, Http2, Script, TlsClient, Wire, eventually, whole, within,
    },
    web::websocket_echo,
};

const SPEC: &str = "{hostnames: [a.example], tls: {secretName: a}, rules: [\
    {handler: {type: Web}, matches: [{path: {value: /web}, methods: [GET]}], backends: [{service: echo}]}, \
    {matches: [{path: {value: /http}}], backends: [{service: echo}]}]}";

async fn start(address: std::net::SocketAddr, flags: &[&str]) -> (Gateway, Authority) {
    let authority = Authority::new("test");
    let folder = Folder::with(address, SPEC);
    folder.secret("a", &authority.issue(&["a.example"]));
    (Gateway::start_with(folder, flags).await, authority)
}

async fn plain(gateway: &Gateway) -> Http2 {
    Http2::over(gateway.open().await.into_parts().0).await
}

/// Asks for a tunnel, as soon as the gateway has said that one may be asked for.
async fn ask(client: &Http2, target: &str, protocol: &'static str) -> Response<Incoming> {
    eventually(DEADLINE, "an extended CONNECT is answered", || async {
        let request = Request::connect(format!("http://a.example{target}")).header("sec-websocket-protocol", "chat.v2");
        let mut request = request.body(whole("")).expect("the request must be valid");
        request.extensions_mut().insert(Protocol::from_static(protocol));
        client.clone().open(request).await
    })
    .await
}

async fn tunnel(client: &Http2, target: &str) -> WebSocketStream<TokioIo<Upgraded>> {
    let response = ask(client, target, "websocket").await;
    assert_eq!(response.status(), 200);
    for name in ["sec-websocket-accept", "upgrade", "connection"] {
        assert!(!response.headers().contains_key(name), "{name}");
    }
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat.v2");
    let stream = within("upgrade", hyper::upgrade::on(response)).await.expect("a tunnel must be there");
    WebSocketStream::from_raw_socket(TokioIo::new(stream), Role::Client, None).await
}

async fn echoes(socket: &mut WebSocketStream<TokioIo<Upgraded>>, message: Message) {
    socket.send(message.clone()).await.expect("the tunnel must take a message");
    let echoed = within("echo", socket.next()).await.expect("the tunnel must not end");
    assert_eq!(echoed.expect("the echo must be a message"), message);
}

#[tokio::test]
async fn websockets_share_a_connection_with_other_requests() {
    let seen = Arc::<Mutex<Vec<Handshake>>>::default();
    let backend = websocket_echo(Arc::clone(&seen)).await;
    let (gateway, authority) = start(backend.address(), &[]).await;
    let stream = TlsClient::new(&authority, &["h2"]).open(gateway.address("https"), "a.example").await;
    for mut client in [Http2::over(stream).await, plain(&gateway).await] {
        let mut one = tunnel(&client, "/web/ws?room=1").await;
        let mut other = tunnel(&client, "/web/ws?room=2").await;
        for message in [Message::text("hallo"), Message::binary(vec![0, 255]), Message::text("x".repeat(1_000_000))] {
            echoes(&mut one, message.clone()).await;
            echoes(&mut other, message).await;
        }
        let nowhere = Request::get("http://a.example/nowhere").body(Full::default()).unwrap();
        assert_eq!(client.ask(nowhere).await.status, 404);
        one.close(None).await.unwrap();
        while let Some(Ok(message)) = within("close", one.next()).await {
            assert!(message.is_close(), "{message:?}");
        }
        echoes(&mut other, Message::text("still there")).await;
    }
    let line = gateway.logged("/web/ws").await;
    assert_eq!((&line["method"], &line["protocol"]), (&"CONNECT".into(), &"HTTP/2".into()));
    let seen = seen.lock().unwrap();
    assert_eq!((seen[0].method().as_str(), seen[0].uri().to_string().as_str()), ("GET", "/web/ws?room=1"));
    for (name, value) in [("host", "a.example"), ("x-forwarded-for", "127.0.0.1"), ("sec-websocket-version", "13")] {
        assert_eq!(seen[0].headers()[name], value, "{name}");
    }
    assert_ne!(seen[0].headers()["sec-websocket-key"], seen[1].headers()["sec-websocket-key"]);
}

#[tokio::test]
async fn a_connection_with_a_tunnel_is_not_idle() {
    let backend = websocket_echo(Arc::default()).await;
    let (gateway, _) = start(backend.address(), &["--idle-timeout", "300ms"]).await;
    let mut client = plain(&gateway).await;
    let mut socket = tunnel(&client, "/web").await;
    // A connection that came later is closed before.
    plain(&gateway).await.closed().await;
    gateway.protected("idle_timeout").await;
    echoes(&mut socket, Message::text("still there")).await;
    let another = Request::get("http://a.example/nowhere").body(Full::default()).unwrap();
    assert_eq!(client.ask(another).await.status, 404, "it takes requests");
    drop(socket);
    client.closed().await;
}

#[tokio::test]
async fn a_tunnel_through_which_nothing_passes_is_closed() {
    let backend = websocket_echo(Arc::default()).await;
    let (gateway, _) = start(backend.address(), &["--tunnel-idle-timeout", "300ms"]).await;
    let client = plain(&gateway).await;
    let mut socket = tunnel(&client, "/web").await;
    assert!(!matches!(within("end", socket.next()).await, Some(Ok(_))));
    gateway.protected("tunnel_idle_timeout").await;
}

#[tokio::test]
async fn what_is_no_tunnel_is_an_ordinary_answer() {
    let backend = Script::start(|mut wire: Wire, _| async move {
        loop {
            let Ok(head) = wire.try_head().await else { return };
            let target = head.first_line().split(' ').nth(1).expect("a request has a target").to_owned();
            let answer = match target.as_str() {
                "/web/refused" => "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
                "/web/taken" => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                "/web/other" => "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n",
                _ => "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n",
            };
            wire.send(answer).await;
        }
    })
    .await;
    let (gateway, _) = start(backend.address(), &[]).await;
    let client = plain(&gateway).await;
    for (target, protocol, status) in [
        ("/web/refused", "websocket", 403),
        ("/web/taken", "websocket", 502),
        ("/web/other", "websocket", 502),
        ("/web/unproven", "websocket", 502),
        ("/http", "websocket", 501),
        ("/web", "connect-udp", 501),
        ("/nowhere", "websocket", 404),
    ] {
        let response = ask(&client, target, protocol).await;
        assert_eq!(response.status(), status, "{target} by {protocol}");
        let body = within("body", response.into_body().collect()).await.unwrap().to_bytes();
        assert!(target != "/web/refused" || body == "no", "{body:?}");
    }
    let connect = Request::connect("a.example:443").body(whole("")).unwrap();
    assert_eq!(client.clone().open(connect).await.unwrap().status(), 501);
}

#[tokio::test]
async fn an_endpoint_that_speaks_http_2_gets_no_upgrade() {
    let peer = crate::harness::Peer::echo().await;
    let folder = Folder::new();
    folder.service_speaking("echo", "h2c", &[peer.address()]).route("web", SPEC);
    let gateway = Gateway::start(folder).await;
    let client = plain(&gateway).await;
    assert_eq!(ask(&client, "/web", "websocket").await.status(), 502);
    let backend = Backend::echo("echo").await;
    gateway.folder.service("echo", &[backend.address()]);
    eventually(DEADLINE, "the endpoint speaks HTTP/1.1", || async {
        let _ = ask(&client, "/web", "websocket").await;
        if backend.seen().is_empty() { Err("not yet") } else { Ok(()) }
    })
    .await;
    assert_eq!(backend.last().one("upgrade"), Some("websocket"));
}
