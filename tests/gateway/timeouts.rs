//! Clients that stop half way, and what that costs them.

use tokio::net::TcpStream;

use crate::harness::{Authority, Backend, Folder, Gateway, Wire, get};

const ANY: &str = "{rules: [{backends: [{service: echo}]}]}";

async fn with(flags: &[&str]) -> (Gateway, Backend) {
    let backend = Backend::echo("echo").await;
    (Gateway::start_with(Folder::with(backend.address(), ANY), flags).await, backend)
}

#[tokio::test]
async fn a_stalled_body_gets_408_and_the_connection_is_closed() {
    let (gateway, _backend) = with(&["--body-timeout", "200ms"]).await;
    let mut wire = gateway.open().await;
    wire.send("POST /stalled HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nhalf").await;
    let reply = wire.reply().await;
    assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (408, Some("RequestTimeout")));
    wire.closed().await;
    assert_eq!(gateway.logged("/stalled").await["reason"], "body_stalled");
}

#[tokio::test]
async fn a_stalled_chunked_body_gets_408() {
    let (gateway, _backend) = with(&["--body-timeout", "200ms"]).await;
    let mut wire = gateway.open().await;
    wire.send("POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n").await;
    assert_eq!(wire.reply().await.status, 408);
    wire.closed().await;
}

#[tokio::test]
async fn a_slow_head_is_cut_off_and_counted() {
    let (gateway, _backend) = with(&["--head-timeout", "200ms"]).await;
    let mut wire = gateway.open().await;
    wire.send("GET / HTTP/1.1\r\nHost: a.exa").await;
    wire.closed().await;
    gateway.protected("head_timeout").await;
}

#[tokio::test]
async fn a_slow_second_head_is_cut_off_too() {
    let (gateway, _backend) = with(&["--head-timeout", "200ms"]).await;
    let mut wire = gateway.open().await;
    assert_eq!(wire.ask(get("a.example", "/")).await.status, 200);
    wire.send("GET / HTTP/1.1\r\nHost: a.exa").await;
    wire.closed().await;
    gateway.protected("head_timeout").await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_counted() {
    let (gateway, _backend) = with(&["--idle-timeout", "200ms"]).await;
    let mut wire = gateway.open().await;
    assert_eq!(wire.ask(get("a.example", "/")).await.status, 200);
    wire.closed().await;
    let mut silent = gateway.open().await;
    silent.closed().await;
    gateway.protected("idle_timeout").await;
}

#[tokio::test]
async fn a_client_that_does_not_shake_hands_is_cut_off_and_counted() {
    let backend = Backend::echo("echo").await;
    let folder = Folder::with(backend.address(), "{tls: {secretName: a}, rules: [{backends: [{service: echo}]}]}");
    folder.secret("a", &Authority::new("test").issue(&["a.example"]));
    let gateway = Gateway::start_with(folder, &["--tls-handshake-timeout", "200ms"]).await;
    let stream = TcpStream::connect(gateway.address("https")).await.unwrap();
    let mut wire = Wire::over(stream);
    wire.closed().await;
    gateway.protected("handshake_timeout").await;
}
