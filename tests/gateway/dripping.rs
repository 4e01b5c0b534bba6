//! Many clients at once that are as slow as they can be, as slowhttptest has them: each is cut off
//! in its time, and nobody else waits for them.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{net::TcpSocket, task::JoinSet};

use crate::harness::{Authority, Backend, DEADLINE, Folder, Gateway, Script, Wire, eventually, get, request};

const SPEC: &str = "{tls: {secretName: a}, rules: [{backends: [{service: echo}]}]}";
const CLIENTS: u8 = 40;
const PAUSE: Duration = Duration::from_millis(50);
async fn start(address: SocketAddr, limit: &str) -> Arc<Gateway> {
    let folder = Folder::with(address, SPEC);
    folder.secret("a", &Authority::new("test").issue(&["a.example"]));
    Arc::new(Gateway::start_with(folder, &[limit, "500ms"]).await)
}

/// Lets clients loose and waits until each was cut off, which counts for `rule`, while others are
/// served as ever.
async fn are_cut_off<C>(gateway: &Arc<Gateway>, rule: &str, client: impl Fn(Arc<Gateway>) -> C)
where
    C: Future<Output = ()> + Send + 'static,
{
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(client(Arc::clone(gateway)));
    }
    let series = format!("paifang_protection_total{{rule=\"{rule}\"}}");
    let mut waits = Vec::new();
    let began = Instant::now();
    loop {
        let asked = Instant::now();
        assert_eq!(gateway.get("/10").await.status, 200, "others are served");
        waits.push(asked.elapsed());
        if gateway.metric(&series).await >= f64::from(CLIENTS) {
            break;
        }
        assert!(began.elapsed() < DEADLINE, "{} were cut off", gateway.metric(&series).await);
        tokio::time::sleep(PAUSE / 2).await;
    }
    waits.sort();
    assert!(waits[waits.len() / 2] < Duration::from_millis(200), "others wait: {waits:?}");
    eventually(DEADLINE, "the connections are closed", || async {
        let open = gateway.metric("paifang_connections").await;
        if open < 1.0 { Ok(()) } else { Err(open) }
    })
    .await;
    clients.shutdown().await;
}

/// Sends a piece again and again, until the gateway has closed.
async fn drip(mut wire: Wire, opening: &str, piece: &str) {
    let mut sent = wire.try_send(opening).await;
    while sent.is_ok() {
        tokio::time::sleep(PAUSE).await;
        sent = wire.try_send(piece).await;
    }
}

#[tokio::test]
async fn heads_that_drip() {
    let backend = Backend::echo("echo").await;
    let gateway = start(backend.address(), "--head-timeout").await;
    are_cut_off(&gateway, "head_timeout", |gateway| async move {
        drip(gateway.open().await, "GET / HTTP/1.1\r\nHost: a.example\r\n", "X-Drip: 1\r\n").await;
    })
    .await;
}

#[tokio::test]
async fn bodies_that_drip() {
    let backend = Backend::echo("echo").await;
    let gateway = start(backend.address(), "--body-timeout").await;
    are_cut_off(&gateway, "body_timeout", |gateway| async move {
        drip(gateway.open().await, "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 8192\r\n\r\n", "x").await;
    })
    .await;
}

#[tokio::test]
async fn handshakes_that_drip() {
    let backend = Backend::echo("echo").await;
    let gateway = start(backend.address(), "--tls-handshake-timeout").await;
    are_cut_off(&gateway, "handshake_timeout", |gateway| async move {
        // The beginning of a record with a ClientHello of 512 bytes.
        let opening = "\x16\x03\x01\x02\x00\x01\x00\x01\u{7c}\x03\x03";
        drip(Wire::open(gateway.address("https")).await, opening, "\x00").await;
    })
    .await;
}

#[tokio::test]
async fn answers_that_are_read_in_drips() {
    let backend = Script::start(|mut wire: Wire, _| async move {
        while let Ok(head) = wire.try_head().await {
            let size = if head.first_line().contains("/10 ") { 10 } else { 8 * 1024 * 1024 };
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n{}", "x".repeat(size));
            if wire.send_slowly(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    })
    .await;
    let gateway = start(backend.address(), "--write-timeout").await;
    are_cut_off(&gateway, "write_timeout", |gateway| async move {
        let socket = TcpSocket::new_v4().expect("a socket must be made");
        socket.set_recv_buffer_size(1024).expect("a socket must take the option");
        let stream = socket.connect(gateway.address("http")).await.expect("the gateway must be reachable");
        let mut wire = Wire::over(stream);
        wire.send(get("a.example", "/large")).await;
        while wire.take(1).await.is_ok() {
            tokio::time::sleep(PAUSE).await;
        }
    })
    .await;
}

/// The field that made other servers gather an answer of many parts (CVE-2011-3192).
#[tokio::test]
async fn a_request_for_many_ranges_is_passed_on_as_it_is() {
    let backend = Backend::echo("echo").await;
    let gateway = start(backend.address(), "--head-timeout").await;
    let ranges: Vec<_> = (0..1300).map(|end| format!("5-{end}")).collect();
    let ranges = format!("bytes=0-,{}", ranges.join(","));
    let reply = gateway.ask(request("GET /", &["Host: a.example", &format!("Range: {ranges}")], "")).await;
    assert_eq!(reply.status, 200);
    assert_eq!(backend.last().one("range"), Some(&*ranges));
}
