//! Sides that stop in the middle of an answer, a request or a tunnel, and what that costs them.

use std::{net::SocketAddr, time::Duration};

use tokio::net::TcpSocket;

use crate::harness::{
    Authority, Backend, DEADLINE, Folder, Frames, GOAWAY, Gateway, HEADERS, RST_STREAM, Script, TlsClient, Wire,
    eventually, get, request,
};

const ANY: &str = "{rules: [{backends: [{service: echo}]}]}";
const MIB: usize = 1024 * 1024;

async fn with(address: SocketAddr, flags: &[&str]) -> Gateway {
    Gateway::start_with(Folder::with(address, ANY), flags).await
}

/// Answers with as many bytes as the path says.
async fn bytes_on_demand() -> Script {
    Script::start(|mut wire: Wire, _| async move {
        while let Ok(head) = wire.try_head().await {
            let size: usize =
                head.first_line().split(['/', ' ']).nth(2).and_then(|size| size.parse().ok()).unwrap_or(0);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n");
            if wire.send_slowly(head.as_bytes()).await.is_err() || wire.send_slowly(&vec![b'x'; size]).await.is_err() {
                return;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off_and_named() {
    let backend = bytes_on_demand().await;
    let gateway = with(backend.address(), &["--write-timeout", "300ms"]).await;
    let mut wire = gateway.open().await;
    let path = format!("/{}", 64 * MIB);
    wire.send(get("a.example", &path)).await;
    let line = gateway.logged(&path).await;
    assert_eq!((&line["status"], &line["reason"]), (&200.into(), &"client_stalled".into()), "{line}");
    gateway.protected("write_timeout").await;
    assert!(wire.take(64 * MIB).await.is_err(), "the answer must be cut");
}

#[tokio::test]
async fn a_slow_client_has_its_answer_after_the_gateway_has_all_of_it() {
    let backend = bytes_on_demand().await;
    let gateway = with(backend.address(), &["--idle-timeout", "300ms"]).await;
    // The end of some of these waits in the gateway, between a full socket and an empty body.
    let sizes: Vec<usize> = (1..=32).map(|step| step * MIB / 4).collect();
    let mut wires = Vec::new();
    for size in &sizes {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let mut wire = Wire::over(socket.connect(gateway.address("http")).await.unwrap());
        wire.send(get("a.example", &format!("/{size}"))).await;
        assert_eq!(wire.head().await.length_of_body(), Some(*size));
        wires.push(wire);
    }
    for _ in 0..3 {
        // As long as an idle connection lives.
        gateway.open().await.closed().await;
    }
    for (size, wire) in sizes.iter().zip(&mut wires) {
        assert!(wire.take(*size).await.is_ok(), "{size} bytes were cut");
    }
}

#[tokio::test]
async fn an_endpoint_that_stops_within_its_answer_is_cut_off_and_named() {
    let backend = Script::start(|mut wire: Wire, _| async move {
        wire.request().await;
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf").await;
        wire.closed().await;
    })
    .await;
    let gateway = with(backend.address(), &["--stream-idle-timeout", "300ms"]).await;
    let mut wire = gateway.open().await;
    wire.send(get("a.example", "/stopped")).await;
    wire.head().await;
    assert_eq!(wire.rest().await, b"half");
    let line = gateway.logged("/stopped").await;
    assert_eq!((&line["status"], &line["reason"]), (&200.into(), &"endpoint_stalled".into()), "{line}");
    gateway.protected("stream_idle_timeout").await;
}

#[tokio::test]
async fn an_answer_may_rest_while_the_request_moves() {
    let backend = Script::start(|mut wire: Wire, _| async move {
        let head = wire.head().await;
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n").await;
        wire.take(head.length_of_body().unwrap()).await.unwrap();
        wire.send("done").await;
    })
    .await;
    let gateway = with(backend.address(), &["--stream-idle-timeout", "300ms"]).await;
    let mut wire = gateway.open().await;
    wire.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 12\r\n\r\n").await;
    drip(&mut wire, 12).await.unwrap();
    assert_eq!(wire.reply().await.text(), "done");
}

/// Sends so many bytes, one each 100 ms.
async fn drip(wire: &mut Wire, count: usize) -> std::io::Result<()> {
    for _ in 0..count {
        tokio::time::sleep(Duration::from_millis(100)).await;
        wire.try_send("x").await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_upload_may_take_longer_than_the_request_timeout() {
    let backend = Backend::echo("echo").await;
    let spec = "{proxy: {requestTimeout: 300ms}, rules: [{backends: [{service: echo}]}]}";
    let gateway = Gateway::start(Folder::with(backend.address(), spec)).await;
    let mut wire = gateway.open().await;
    wire.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 12\r\n\r\n").await;
    drip(&mut wire, 12).await.unwrap();
    let reply = wire.reply().await;
    assert_eq!((reply.status, reply.text()), (200, "x".repeat(12)));
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_an_upload_is_504() {
    let backend = Script::start(|mut wire: Wire, _| async move { drop(wire.rest().await) }).await;
    let spec = "{proxy: {requestTimeout: 300ms}, rules: [{backends: [{service: echo}]}]}";
    let gateway = Gateway::start(Folder::with(backend.address(), spec)).await;
    let mut wire = gateway.open().await;
    wire.send("POST /mute HTTP/1.1\r\nHost: a.example\r\nContent-Length: 6\r\n\r\n").await;
    drip(&mut wire, 6).await.unwrap();
    assert_eq!(wire.reply().await.status, 504);
    let line = gateway.logged("/mute").await;
    assert!(line["duration_ms"].as_f64().is_some_and(|time| time > 700.0), "the time runs from the last byte: {line}");
}

#[tokio::test]
async fn a_request_that_drips_gets_408() {
    let backend = Backend::echo("echo").await;
    let gateway = with(backend.address(), &["--body-timeout", "500ms"]).await;
    let mut wire = gateway.open().await;
    wire.send("POST /drip HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000\r\n\r\n").await;
    // It ends when the gateway closes the connection.
    let _ = drip(&mut wire, 50).await;
    assert_eq!(wire.reply().await.status, 408);
    assert_eq!(gateway.logged("/drip").await["reason"], "body_stalled");
    gateway.protected("body_timeout").await;
}

#[tokio::test]
async fn a_request_may_drip_where_no_rate_is_asked_for() {
    let backend = Backend::echo("echo").await;
    let gateway = with(backend.address(), &["--body-timeout", "500ms", "--min-body-rate", "0"]).await;
    let mut wire = gateway.open().await;
    wire.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 12\r\n\r\n").await;
    drip(&mut wire, 12).await.unwrap();
    assert_eq!(wire.reply().await.text(), "x".repeat(12));
}

async fn tunnel(flags: &[&str]) -> (Gateway, Script, Wire) {
    let backend = Script::start(|mut wire: Wire, _| async move {
        wire.head().await;
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n").await;
        while let Ok(byte) = wire.take(1).await {
            wire.send(byte).await;
        }
    })
    .await;
    let spec = "{rules: [{handler: {type: Web}, backends: [{service: echo}]}]}";
    let gateway = Gateway::start_with(Folder::with(backend.address(), spec), flags).await;
    let mut wire = gateway.open().await;
    let asked = request("GET /", &["Host: a.example", "Connection: upgrade", "Upgrade: raw"], "");
    assert_eq!(wire.ask(asked).await.status, 101);
    (gateway, backend, wire)
}

#[tokio::test]
async fn a_silent_tunnel_is_closed_and_counted() {
    let (gateway, _backend, mut wire) = tunnel(&["--tunnel-idle-timeout", "300ms"]).await;
    wire.closed().await;
    gateway.protected("tunnel_idle_timeout").await;
    eventually(DEADLINE, "the tunnel has ended", || async {
        let load = gateway.metric("paifang_connections").await;
        if load == 0.0 { Ok(()) } else { Err(load) }
    })
    .await;
}

#[tokio::test]
async fn a_tunnel_in_use_stays() {
    let (_gateway, _backend, mut wire) = tunnel(&["--tunnel-idle-timeout", "300ms"]).await;
    drip(&mut wire, 12).await.unwrap();
    assert_eq!(wire.take(12).await.unwrap(), b"x".repeat(12));
}

/// Over TLS, or in plain text.
async fn over_http_2(address: SocketAddr, tls: bool, flags: &[&str], answers_pings: bool) -> (Gateway, Frames) {
    let authority = Authority::new("test");
    let spec = "{hostnames: [a.example], tls: {secretName: a}, rules: [{backends: [{service: echo}]}]}";
    let folder = Folder::with(address, spec);
    folder.secret("a", &authority.issue(&["a.example"]));
    let gateway = Gateway::start_with(folder, flags).await;
    let client = if tls {
        let stream = TlsClient::new(&authority, &["h2"]).open(gateway.address("https"), "a.example").await;
        Frames::over(stream, answers_pings).await
    } else {
        Frames::over(gateway.open().await.into_parts().0, answers_pings).await
    };
    (gateway, client)
}

#[tokio::test]
async fn a_stream_whose_client_opens_no_window_is_reset_and_the_connection_goes_on() {
    let backend = bytes_on_demand().await;
    for tls in [true, false] {
        let (gateway, mut client) = over_http_2(backend.address(), tls, &["--write-timeout", "300ms"], true).await;
        for stream in [1, 3] {
            client.ask(stream, "/70000").await;
            let reset = client.until(|frame| frame.kind == RST_STREAM && frame.stream == stream).await;
            assert_eq!(reset.payload, [0, 0, 0, 8], "CANCEL");
        }
        assert_eq!(gateway.logged("/70000").await["reason"], "client_stalled");
        gateway.protected("write_timeout").await;
        client.ask(5, "/0").await;
        client.until(|frame| frame.kind == HEADERS && frame.stream == 5).await;
    }
}

#[tokio::test]
async fn an_http_2_client_that_answers_no_ping_is_cut_off() {
    let backend = Script::start(|mut wire: Wire, _| async move { drop(wire.rest().await) }).await;
    for tls in [true, false] {
        let (gateway, mut client) = over_http_2(backend.address(), tls, &["--write-timeout", "300ms"], false).await;
        client.ask(1, "/gone").await;
        client.end().await;
        assert_eq!(gateway.logged("/gone").await["reason"], "client_closed");
        gateway.protected("write_timeout").await;
    }
}

#[tokio::test]
async fn an_idle_http_2_connection_is_told_goodbye() {
    let backend = Backend::echo("echo").await;
    for tls in [true, false] {
        let (gateway, mut client) = over_http_2(backend.address(), tls, &["--idle-timeout", "300ms"], true).await;
        client.ask(1, "/").await;
        let goodbye = client.until(|frame| frame.kind == GOAWAY).await;
        assert_eq!(goodbye.payload[4..], [0, 0, 0, 0], "NO_ERROR");
        client.end().await;
        gateway.protected("idle_timeout").await;
    }
}
