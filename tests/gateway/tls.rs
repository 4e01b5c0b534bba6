//! TLS towards clients: certificates by name, versions, protocols, redirects.

use rustls::{HandshakeKind, version};

use crate::harness::{Authority, Backend, DEADLINE, Folder, Gateway, TlsClient, Wire, eventually, get, request, shown};

const SPEC: &str = "{hostnames: [a.example], tls: {secretName: a}, rules: [{backends: [{service: echo}]}]}";

async fn gateway(authority: &Authority, backend: &Backend, spec: &str, flags: &[&str]) -> Gateway {
    let folder = Folder::with(backend.address(), spec);
    folder.secret("a", &authority.issue(&["a.example"]));
    Gateway::start_with(folder, flags).await
}

#[tokio::test]
async fn the_certificate_is_chosen_by_name() {
    let (authority, backend) = (Authority::new("test"), Backend::echo("echo").await);
    let folder = Folder::new();
    folder.service("echo", &[backend.address()]);
    for (name, host) in [("exact", "a.example"), ("wild", "'*.shop.example'"), ("other", "b.test")] {
        let spec =
            format!("{{hostnames: [{host}], tls: {{secretName: {name}}}, rules: [{{backends: [{{service: echo}}]}}]}}");
        folder.route(name, &spec);
    }
    folder.secret("exact", &authority.issue(&["a.example"]));
    folder.secret("wild", &authority.issue(&["*.shop.example"]));
    folder.secret("other", &authority.issue(&["b.test"]));
    let gateway = Gateway::start(folder).await;
    let client = TlsClient::new(&authority, &[]);
    let mut certificates = Vec::new();
    for name in ["a.example", "c.shop.example", "b.test"] {
        let stream = client.open(gateway.address("https"), name).await;
        certificates.push(shown(&stream));
        let reply = Wire::over(stream).ask(get(name, "/")).await;
        assert_eq!(reply.status, 200, "{name}");
        assert_eq!(backend.last().one("x-forwarded-proto"), Some("https"));
    }
    certificates.dedup();
    assert_eq!(certificates.len(), 3, "three names, three certificates");
}

#[tokio::test]
async fn a_name_without_certificate_gets_an_alert() {
    let (authority, backend) = (Authority::new("test"), Backend::echo("echo").await);
    let gateway = gateway(&authority, &backend, SPEC, &[]).await;
    let error = TlsClient::new(&authority, &[]).try_open(gateway.address("https"), "b.example").await.unwrap_err();
    assert!(error.to_string().contains("alert"), "{error}");
    failed(&gateway, "no_certificate").await;
}

/// Waits until a failed handshake is counted.
async fn failed(gateway: &Gateway, cause: &str) {
    let series = format!("paifang_tls_handshake_failures_total{{cause=\"{cause}\"}}");
    eventually(DEADLINE, &series, || async {
        let count = gateway.metric(&series).await;
        if count >= 1.0 { Ok(()) } else { Err(count) }
    })
    .await;
}

#[tokio::test]
async fn a_handshake_that_fails_is_counted_by_its_cause() {
    let (authority, backend) = (Authority::new("test"), Backend::echo("echo").await);
    let flags = ["--tls-handshake-timeout", "200ms", "--log-level", "info,paifang::proxy=debug"];
    let gateway = gateway(&authority, &backend, SPEC, &flags).await;
    let https = gateway.address("https");
    let stranger = TlsClient::new(&Authority::new("stranger"), &[]).try_open(https, "a.example").await;
    stranger.map(drop).expect_err("the client must not trust the certificate");
    failed(&gateway, "refused").await;
    TlsClient::new(&authority, &["spdy/3"]).try_open(https, "a.example").await.map(drop).expect_err("no protocol");
    failed(&gateway, "incompatible").await;
    let silent = Wire::open(https).await;
    failed(&gateway, "timeout").await;
    drop((silent, Wire::open(https).await));
    failed(&gateway, "closed").await;
    let log = gateway.log();
    assert!(log.contains("a TLS handshake failed") && log.contains("127.0.0.1"), "{log}");
}

#[tokio::test]
async fn a_name_without_certificate_gets_the_default_one() {
    let (authority, backend) = (Authority::new("test"), Backend::echo("echo").await);
    let folder = Folder::with(backend.address(), SPEC);
    folder.secret("a", &authority.issue(&["a.example"])).secret("fallback", &authority.issue(&["b.example"]));
    let gateway = Gateway::start_with(folder, &["--default-certificate", "default/fallback"]).await;
    let client = TlsClient::new(&authority, &[]);
    let fallback = shown(&client.open(gateway.address("https"), "b.example").await);
    assert_ne!(fallback, shown(&client.open(gateway.address("https"), "a.example").await));
}

#[tokio::test]
async fn a_new_certificate_serves_new_handshakes_and_open_connections_live_on() {
    let (authority, backend) = (Authority::new("test"), Backend::echo("echo").await);
    let gateway = gateway(&authority, &backend, SPEC, &[]).await;
    let client = TlsClient::new(&authority, &[]);
    let stream = client.open(gateway.address("https"), "a.example").await;
    let old = shown(&stream);
    let mut wire = Wire::over(stream);
    assert_eq!(wire.ask(get("a.example", "/")).await.status, 200);
    gateway.folder.secret("a", &authority.issue(&["a.example"]));
    // A client of its own each time: a resumed session would show the certificate that it knows.
    eventually(DEADLINE, "the new certificate is shown", || async {
        let stream = TlsClient::new(&authority, &[]).open(gateway.address("https"), "a.example").await;
        if shown(&stream) == old { Err("still the old one") } else { Ok(()) }
    })
    .await;
    assert_eq!(wire.ask(get("a.example", "/")).await.status, 200);
}

#[tokio::test]
async fn a_broken_secret_keeps_the_last_good_certificate() {
    let (authority, backend) = (Authority::new("test"), Backend::echo("echo").await);
    let gateway = gateway(&authority, &backend, SPEC, &[]).await;
    let old = shown(&TlsClient::new(&authority, &[]).open(gateway.address("https"), "a.example").await);
    let (certificate, _) = authority.issue(&["a.example"]);
    let (_, foreign_key) = authority.issue(&["a.example"]);
    gateway.folder.secret("a", &(certificate, foreign_key));
    // A route that comes later shows that the Secret has been read.
    gateway.folder.route("later", "{hostnames: [later.example], rules: [{backends: [{service: echo}]}]}");
    gateway.until("later.example", "/", |reply| reply.status == 200).await;
    let now = shown(&TlsClient::new(&authority, &[]).open(gateway.address("https"), "a.example").await);
    assert_eq!(now, old);
}

#[tokio::test]
async fn versions_below_the_minimum_are_refused() {
    let (authority, backend) = (Authority::new("test"), Backend::echo("echo").await);
    let old = TlsClient::with_versions(&authority, &[], &[&version::TLS12]);
    let new = TlsClient::with_versions(&authority, &[], &[&version::TLS13]);
    let both = gateway(&authority, &backend, SPEC, &[]).await;
    for client in [&old, &new] {
        client.open(both.address("https"), "a.example").await;
    }
    let strict = gateway(&authority, &backend, SPEC, &["--tls-min-version", "1.3"]).await;
    new.open(strict.address("https"), "a.example").await;
    old.try_open(strict.address("https"), "a.example").await.expect_err("TLS 1.2 must be refused");
}

/// A gateway for three hosts: two share a certificate, and one has its own.
async fn three_hosts(authority: &Authority, backend: &Backend, flags: &[&str]) -> Gateway {
    let folder = Folder::new();
    folder.service("echo", &[backend.address()]);
    for (name, host, secret) in
        [("a", "a.example", "a"), ("also", "also-a.example", "a"), ("b", "b.example", "b"), ("w", "'*.w.example'", "w")]
    {
        let rules = "rules: [{backends: [{service: echo}]}]";
        folder.route(name, &format!("{{hostnames: [{host}], tls: {{secretName: {secret}}}, {rules}}}"));
    }
    folder.secret("a", &authority.issue(&["a.example", "also-a.example"]));
    folder.secret("b", &authority.issue(&["b.example"]));
    folder.secret("w", &authority.issue(&["*.w.example"]));
    Gateway::start_with(folder, flags).await
}

#[tokio::test]
async fn a_connection_is_for_the_hosts_of_its_certificate() {
    let (authority, backend) = (Authority::new("test"), Backend::echo("echo").await);
    let gateway = three_hosts(&authority, &backend, &[]).await;
    let client = TlsClient::new(&authority, &["http/1.1"]);
    for (asked, host, status) in [
        ("a.example", "a.example", 200),
        ("a.example", "A.example:8443", 200),
        ("a.example", "also-a.example", 200),
        ("a.example", "b.example", 421),
        ("b.example", "a.example", 421),
        ("a.example", "unknown.example", 421),
        ("one.w.example", "two.w.example", 200),
        ("one.w.example", "a.example", 421),
    ] {
        let mut wire = Wire::over(client.open(gateway.address("https"), asked).await);
        let path = if status == 421 { "/misdirected" } else { "/" };
        assert_eq!(wire.ask(get(host, path)).await.status, status, "{host} over {asked}");
        assert_eq!(wire.ask(get(asked, "/")).await.status, 200, "the connection goes on");
    }
    assert_eq!(gateway.logged("/misdirected").await["reason"], "misdirected");
    // A new certificate for the same name changes nothing for open connections.
    let mut wire = Wire::over(client.open(gateway.address("https"), "a.example").await);
    gateway.folder.secret("a", &authority.issue(&["a.example", "also-a.example"]));
    let old = shown(&client.open(gateway.address("https"), "a.example").await);
    eventually(DEADLINE, "the new certificate is shown", || async {
        let now = shown(&client.open(gateway.address("https"), "a.example").await);
        if now == old { Err("not yet") } else { Ok(()) }
    })
    .await;
    assert_eq!(wire.ask(get("also-a.example", "/")).await.status, 200);
}

#[tokio::test]
async fn a_connection_may_be_for_any_host_where_nobody_minds() {
    let (authority, backend) = (Authority::new("test"), Backend::echo("echo").await);
    for flags in [["--strict-sni", "false"], ["--trusted-proxies", "127.0.0.0/8"]] {
        let gateway = three_hosts(&authority, &backend, &flags).await;
        let stream = TlsClient::new(&authority, &[]).open(gateway.address("https"), "a.example").await;
        assert_eq!(Wire::over(stream).ask(get("b.example", "/")).await.status, 200, "{flags:?}");
    }
}

#[tokio::test]
async fn the_protocol_is_agreed_by_alpn() {
    let (authority, backend) = (Authority::new("test"), Backend::echo("echo").await);
    let gateway = gateway(&authority, &backend, SPEC, &[]).await;
    for (offered, agreed) in [(&["h2", "http/1.1"][..], Some("h2")), (&["http/1.1"], Some("http/1.1")), (&[], None)] {
        let stream = TlsClient::new(&authority, offered).open(gateway.address("https"), "a.example").await;
        let found = stream.get_ref().1.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
        assert_eq!(found.as_deref(), agreed, "{offered:?}");
    }
}

#[tokio::test]
async fn a_session_is_resumed() {
    let (authority, backend) = (Authority::new("test"), Backend::echo("echo").await);
    let gateway = gateway(&authority, &backend, SPEC, &[]).await;
    for only in [&version::TLS12, &version::TLS13] {
        let client = TlsClient::with_versions(&authority, &[], &[only]);
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let stream = client.open(gateway.address("https"), "a.example").await;
            kinds.push(stream.get_ref().1.handshake_kind());
            // Tickets of TLS 1.3 come after the handshake.
            assert_eq!(Wire::over(stream).ask(get("a.example", "/")).await.status, 200);
        }
        assert_eq!(kinds, [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)], "{only:?}");
    }
}

#[tokio::test]
async fn a_session_is_resumed_by_a_replica_with_the_same_ticket_keys() {
    let (authority, backend) = (Authority::new("test"), Backend::echo("echo").await);
    let keys = "apiVersion: v1\nkind: Secret\nmetadata: {name: tickets}\n\
                stringData: {first: 0123456789abcdef0123456789abcdef}\n";
    let certificate = authority.issue(&["a.example"]);
    let replica = async || {
        let folder = Folder::with(backend.address(), SPEC);
        folder.secret("a", &certificate).write("tickets.yaml", keys);
        Gateway::start_with(folder, &["--tls-ticket-keys", "default/tickets"]).await
    };
    let (one, other) = (replica().await, replica().await);
    let client = TlsClient::new(&authority, &[]);
    let stream = client.open(one.address("https"), "a.example").await;
    assert_eq!(Wire::over(stream).ask(get("a.example", "/")).await.status, 200);
    let stream = client.open(other.address("https"), "a.example").await;
    assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed));
}

#[tokio::test]
async fn plain_http_is_redirected_where_the_route_says_so() {
    let (authority, backend) = (Authority::new("test"), Backend::echo("echo").await);
    let spec = "{hostnames: [a.example], tls: {secretName: a, redirect: true}, rules: [{backends: [{service: echo}]}]}";
    let gateway = gateway(&authority, &backend, spec, &[]).await;
    for host in ["a.example", "a.example:80", "A.example:8080"] {
        let reply = gateway.ask(request("POST /x?y=1", &[&format!("Host: {host}")], "body")).await;
        assert_eq!((reply.status, reply.field("location")), (308, Some("https://a.example/x?y=1")), "{host}");
    }
    assert!(backend.seen().is_empty());
    let stream = TlsClient::new(&authority, &[]).open(gateway.address("https"), "a.example").await;
    assert_eq!(Wire::over(stream).ask(get("a.example", "/x")).await.status, 200);
}

#[tokio::test]
async fn a_request_without_host_cannot_be_redirected() {
    let (authority, backend) = (Authority::new("test"), Backend::echo("echo").await);
    let spec = "{tls: {secretName: a, redirect: true}, rules: [{backends: [{service: echo}]}]}";
    let gateway = gateway(&authority, &backend, spec, &[]).await;
    let reply = gateway.ask("GET /x HTTP/1.0\r\n\r\n").await;
    assert_eq!((reply.status, reply.field("location")), (400, None));
    assert!(reply.text().contains("no Host field"), "{}", reply.text());
}

#[tokio::test]
async fn a_trusted_proxy_that_ended_tls_is_not_redirected() {
    let (authority, backend) = (Authority::new("test"), Backend::echo("echo").await);
    let spec = "{hostnames: [a.example], tls: {secretName: a, redirect: true}, rules: [{backends: [{service: echo}]}]}";
    let gateway = gateway(&authority, &backend, spec, &["--trusted-proxies", "127.0.0.0/8"]).await;
    let from_proxy = request("GET /", &["Host: a.example", "X-Forwarded-Proto: https"], "");
    assert_eq!(gateway.ask(from_proxy).await.status, 200);
    assert_eq!(gateway.get("/").await.status, 308);
}

#[tokio::test]
async fn strict_transport_security_is_told_over_tls_alone() {
    let (authority, backend) = (Authority::new("test"), Backend::echo("echo").await);
    let spec = "{hostnames: [a.example], tls: {secretName: a, hsts: {maxAgeSeconds: 3600, includeSubdomains: true}}, \
                rules: [{matches: [{path: {value: /}}], backends: [{service: echo}]}]}";
    let gateway = gateway(&authority, &backend, spec, &[]).await;
    assert_eq!(gateway.get("/").await.field("strict-transport-security"), None);
    let stream = TlsClient::new(&authority, &[]).open(gateway.address("https"), "a.example").await;
    let reply = Wire::over(stream).ask(get("a.example", "/")).await;
    assert_eq!(reply.field("strict-transport-security"), Some("max-age=3600; includeSubDomains"));
}

#[tokio::test]
async fn plain_text_on_the_tls_listener_is_no_request() {
    let (authority, backend) = (Authority::new("test"), Backend::echo("echo").await);
    let gateway = gateway(&authority, &backend, SPEC, &[]).await;
    let mut wire = Wire::open(gateway.address("https")).await;
    wire.send(get("a.example", "/")).await;
    wire.rest().await;
    assert!(backend.seen().is_empty());
    failed(&gateway, "malformed").await;
}
