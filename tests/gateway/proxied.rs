//! The PROXY protocol: load balancers that say whom a connection is for, and those that do not.

use crate::harness::{
    Authority, Backend, DEADLINE, Folder, Gateway, TlsClient, Wire, eventually, get, request, run_to_end,
};

const ANY: &str = "{rules: [{backends: [{service: echo}]}]}";
const FLAGS: [&str; 4] = ["--proxy-protocol", "required", "--trusted-proxies", "127.0.0.0/8"];
const LINE: &str = "PROXY TCP4 192.0.2.7 10.0.0.1 4242 80\r\n";

async fn gateway(backend: &Backend, flags: &[&str]) -> Gateway {
    Gateway::start_with(Folder::with(backend.address(), ANY), &[&FLAGS, flags].concat()).await
}

fn binary(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("the payload must be short").to_be_bytes();
    [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[command, family], &length[..], payload].concat()
}

#[tokio::test]
async fn the_client_is_who_the_load_balancer_says() {
    let backend = Backend::echo("echo").await;
    let gateway = gateway(&backend, &[]).await;
    let ipv4 = [192, 0, 2, 7, 10, 0, 0, 1, 16, 146, 0, 80];
    let ipv6 = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[7], &[0; 16], &ipv4[8..]].concat();
    let told = [&ipv4[..], &[4, 0, 200], &[0; 200]].concat();
    let forged = request("GET /in", &["Host: a.example", "X-Forwarded-For: 6.6.6.6"], "");
    for (header, client) in [
        (LINE.as_bytes(), "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 4242 80\r\n", "2001:db8::7"),
        (&binary(0x21, 0x11, &ipv4), "192.0.2.7"),
        (&binary(0x21, 0x11, &told), "192.0.2.7"),
        (&binary(0x21, 0x21, &ipv6), "2001:db8::7"),
        // Whoever has no name is the address of the socket, and is not believed for it.
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (&binary(0x20, 0, &[]), "127.0.0.1"),
        (&binary(0x20, 0x11, &ipv4), "127.0.0.1"),
        (&binary(0x21, 0, &[]), "127.0.0.1"),
    ] {
        let mut wire = gateway.open().await;
        let reply = wire.ask([header, forged.as_bytes()].concat()).await;
        assert_eq!(reply.status, 200, "{client}");
        assert_eq!(backend.last().one("x-forwarded-for"), Some(client));
        assert_eq!(wire.ask(get("a.example", "/")).await.status, 200, "the connection goes on");
        assert_eq!(backend.last().one("x-forwarded-for"), Some(client));
    }
    let mut wire = gateway.open().await;
    wire.ask([LINE, &get("a.example", "/logged")].concat()).await;
    assert_eq!(gateway.logged("/logged").await["client"], "192.0.2.7");
}

#[tokio::test]
async fn fields_are_believed_of_a_client_that_is_trusted() {
    let backend = Backend::echo("echo").await;
    let gateway = gateway(&backend, &["--trusted-proxies", "192.0.2.0/24"]).await;
    let from_proxy = request("GET /in", &["Host: a.example", "X-Forwarded-For: 198.51.100.1"], "");
    gateway.ask([LINE, &from_proxy].concat()).await;
    assert_eq!(backend.last().one("x-forwarded-for"), Some("198.51.100.1, 192.0.2.7"));
}

#[tokio::test]
async fn the_header_may_come_in_pieces() {
    let backend = Backend::echo("echo").await;
    let gateway = gateway(&backend, &[]).await;
    for header in [LINE.as_bytes(), &binary(0x21, 0x11, &[192, 0, 2, 7, 10, 0, 0, 1, 16, 146, 0, 80])] {
        let mut wire = gateway.open().await;
        for byte in header {
            wire.send([*byte]).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(wire.ask(get("a.example", "/")).await.status, 200);
        assert_eq!(backend.last().one("x-forwarded-for"), Some("192.0.2.7"));
    }
}

#[tokio::test]
async fn tls_begins_after_the_header() {
    let (authority, backend) = (Authority::new("test"), Backend::echo("echo").await);
    let spec = "{hostnames: [a.example], tls: {secretName: a}, rules: [{backends: [{service: echo}]}]}";
    let folder = Folder::with(backend.address(), spec);
    folder.secret("a", &authority.issue(&["a.example"]));
    let gateway = Gateway::start_with(folder, &FLAGS).await;
    let mut wire = Wire::open(gateway.address("https")).await;
    wire.send(LINE).await;
    let (stream, _) = wire.into_parts();
    let stream = TlsClient::new(&authority, &[]).over(stream, "a.example").await.expect("TLS must be spoken");
    assert_eq!(Wire::over(stream).ask(get("a.example", "/")).await.status, 200);
    let seen = backend.last();
    assert_eq!((seen.one("x-forwarded-for"), seen.one("x-forwarded-proto")), (Some("192.0.2.7"), Some("https")));
}

#[tokio::test]
async fn who_sends_no_header_is_closed() {
    let backend = Backend::echo("echo").await;
    let gateway = gateway(&backend, &["--tls-handshake-timeout", "300ms"]).await;
    let closed = "paifang_protection_total{rule=\"proxy_header\"}";
    let endless = [&b"PROXY TCP4 192.0.2.7 "[..], &[b'1'; 100]].concat();
    // A load balancer that looks whether somebody listens breaks no rule.
    gateway.open().await.finish().await;
    let long = binary(0x21, 0x11, &[0; 5000]);
    let sent: [&[u8]; 6] = [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", &endless, &long[..20], b"PROXY UNKNOWN", b""];
    for (before, bytes) in (0_u32..).zip(sent) {
        let mut wire = gateway.open().await;
        wire.send(bytes).await;
        // Closed with something unread, a connection may be reset.
        assert!(wire.rest().await.is_empty(), "{:?}", String::from_utf8_lossy(bytes));
        eventually(DEADLINE, closed, || async {
            let counted = gateway.metric(closed).await;
            if counted >= f64::from(before + 1) { Ok(()) } else { Err(counted) }
        })
        .await;
    }
    assert!(backend.seen().is_empty());
}

#[tokio::test]
async fn who_is_no_trusted_proxy_is_closed() {
    let backend = Backend::echo("echo").await;
    let flags = ["--proxy-protocol", "required", "--trusted-proxies", "10.0.0.0/8"];
    let gateway = Gateway::start_with(Folder::with(backend.address(), ANY), &flags).await;
    for listener in ["http", "https"] {
        let mut wire = Wire::open(gateway.address(listener)).await;
        // It may be closed before this is taken.
        let _ = wire.try_send([LINE, &get("a.example", "/")].concat()).await;
        assert!(wire.rest().await.is_empty());
    }
    gateway.protected("untrusted_proxy").await;
    assert!(backend.seen().is_empty());
}

#[tokio::test]
async fn connections_are_counted_for_the_client_that_is_named() {
    let backend = Backend::echo("echo").await;
    let gateway = gateway(&backend, &["--max-connections-per-client", "1"]).await;
    let asked = |client: &str| format!("PROXY TCP4 {client} 10.0.0.1 4242 80\r\n{}", get("a.example", "/"));
    let mut held = gateway.open().await;
    assert_eq!(held.ask(asked("192.0.2.7")).await.status, 200);
    let mut refused = gateway.open().await;
    refused.send(asked("192.0.2.7")).await;
    assert!(refused.rest().await.is_empty());
    gateway.protected("client_connections").await;
    assert_eq!(gateway.ask(asked("192.0.2.8")).await.status, 200);
    drop(held);
    eventually(DEADLINE, "there is room again", || async {
        let mut wire = gateway.open().await;
        let _ = wire.try_send(asked("192.0.2.7")).await;
        wire.try_reply().await.map_err(|error| error.to_string())
    })
    .await;
}

#[tokio::test]
async fn nobody_to_trust_is_no_way_to_start() {
    let (code, log) = run_to_end(&Folder::new(), &["--http", "127.0.0.1:0", "--proxy-protocol", "required"]).await;
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("name the networks of the load balancers with --trusted-proxies"), "{log}");
}
