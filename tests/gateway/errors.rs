//! Answers that the gateway makes itself: status, entity, and nothing that is nobody's business.

use std::time::Duration;

use regex::Regex;

use crate::harness::{Backend, DEADLINE, Folder, Gateway, Reply, Script, Wire, get, request};

const ANY: &str = "{rules: [{backends: [{service: echo}]}]}";

/// Checks the form that every answer of the gateway has (RFC 9110, and the error entity).
fn assert_entity(reply: &Reply, status: u16, code: &str, target: Option<&str>) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.field("content-type"), Some("application/json"), "{reply:?}");
    let date = reply.field("date").expect("Date must be there");
    let form = Regex::new(r"^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$")
        .expect("the expression must be valid");
    assert!(form.is_match(date), "{date}");
    assert!(reply.field("x-request-id").is_some(), "{reply:?}");
    let json = reply.json();
    let error = &json["error"];
    assert_eq!((&error["code"], error["target"].as_str()), (&code.into(), target), "{json}");
    assert!(error["message"].as_str().is_some_and(|message| message.len() > 10), "{json}");
    assert_eq!(json.as_object().map(serde_json::Map::len), Some(1), "{json}");
    let all = format!("{} {}", reply.head.raw, reply.text());
    for secret in ["127.0.0.1", "echo", "default", "os error", "hyper", "refused"] {
        assert!(!all.contains(secret), "{secret}: {all}");
    }
}

async fn gateway(flags: &[&str]) -> (Gateway, Backend) {
    let backend = Backend::echo("echo").await;
    (Gateway::start_with(Folder::with(backend.address(), ANY), flags).await, backend)
}

async fn over(backend: &Script, spec: &str) -> Gateway {
    Gateway::start(Folder::with(backend.address(), spec)).await
}

#[tokio::test]
async fn an_ambiguous_request_is_400() {
    let (gateway, _backend) = gateway(&[]).await;
    let reply = gateway.ask("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").await;
    assert_entity(&reply, 400, "BadRequest", None);
    assert_entity(&gateway.get("/a/../b").await, 400, "AmbiguousPath", Some("path"));
}

#[tokio::test]
async fn no_route_is_404() {
    let gateway = Gateway::start(Folder::new()).await;
    assert_entity(&gateway.get("/").await, 404, "NotFound", Some("path"));
}

#[tokio::test]
async fn a_wrong_method_is_405() {
    let backend = Backend::echo("echo").await;
    let spec = "{rules: [{matches: [{methods: [GET]}], backends: [{service: echo}]}]}";
    let gateway = Gateway::start(Folder::with(backend.address(), spec)).await;
    let reply = gateway.ask(request("PUT /", &["Host: a.example"], "")).await;
    assert_entity(&reply, 405, "MethodNotAllowed", Some("method"));
    assert_eq!(reply.field("allow"), Some("GET, HEAD"), "GET takes HEAD too");
}

#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let (gateway, backend) = gateway(&["--max-body-bytes", "10"]).await;
    let fits = gateway.ask(request("POST /", &["Host: a.example"], "0123456789")).await;
    assert_eq!(fits.status, 200);
    let mut wire = gateway.open().await;
    let reply = wire.ask(request("POST /", &["Host: a.example"], "0123456789x")).await;
    assert_entity(&reply, 413, "BodyTooLarge", Some("body"));
    assert_eq!(reply.field("connection"), Some("close"));
    wire.closed().await;
    assert_eq!(backend.seen().len(), 1);
}

#[tokio::test]
async fn a_chunked_body_over_the_limit_is_413() {
    let (gateway, _backend) = gateway(&["--max-body-bytes", "10"]).await;
    let mut wire = gateway.open().await;
    wire.send("POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n012345\r\n").await;
    let reply = wire.ask("6\r\n012345\r\n0\r\n\r\n").await;
    assert_entity(&reply, 413, "BodyTooLarge", Some("body"));
    wire.closed().await;
}

#[tokio::test]
async fn a_long_target_is_414() {
    let target = |bytes: usize| format!("/{}", "x".repeat(bytes - 1));
    let (gateway, _backend) = gateway(&[]).await;
    assert_eq!(gateway.get(&target(8192)).await.status, 200);
    assert_entity(&gateway.get(&target(8193)).await, 414, "UriTooLong", Some("path"));
    assert_entity(&gateway.get(&target(20_000)).await, 414, "UriTooLong", Some("path"));
    let short = Gateway::start_with(Folder::new(), &["--max-uri-bytes", "2048"]).await;
    assert_entity(&short.get(&target(3000)).await, 414, "UriTooLong", Some("path"));
    assert_eq!(short.get(&target(2048)).await.status, 404);
}

#[tokio::test]
async fn too_many_or_too_large_fields_are_431() {
    let (gateway, _backend) = gateway(&[]).await;
    let many = |count: usize| {
        let fields: Vec<_> = (1..count).map(|number| format!("X-{number}: v")).collect();
        let fields: Vec<_> = std::iter::once("Host: a.example").chain(fields.iter().map(String::as_str)).collect();
        request("GET /", &fields, "")
    };
    assert_eq!(gateway.ask(many(100)).await.status, 200);
    for count in [101, 127, 150, 250] {
        assert_entity(&gateway.ask(many(count)).await, 431, "HeadersTooLarge", Some("headers"));
    }
    for size in [16_384, 20_480, 60_000] {
        let large = format!("X-Large: {}", "v".repeat(size));
        let reply = gateway.ask(request("GET /", &["Host: a.example", &large], "")).await;
        assert_entity(&reply, 431, "HeadersTooLarge", Some("headers"));
    }
}

#[tokio::test]
async fn a_rule_without_any_valid_backend_is_500() {
    let folder = Folder::new();
    folder.route("web", "{rules: [{backends: [{service: missing}]}]}");
    let reply = Gateway::start(folder).await.get("/").await;
    assert_entity(&reply, 500, "Misconfigured", None);
}

#[tokio::test]
async fn a_rule_whose_weights_are_all_0_is_500() {
    let backend = Backend::echo("echo").await;
    for backends in ["{service: echo, weight: 0}", "{service: echo, weight: 0}, {service: other, weight: 0}"] {
        let folder = Folder::with(backend.address(), &format!("{{rules: [{{backends: [{backends}]}}]}}"));
        folder.service("other", &[backend.address()]);
        assert_entity(&Gateway::start(folder).await.get("/").await, 500, "Misconfigured", None);
    }
}

#[tokio::test]
async fn a_tunnel_is_501() {
    let (gateway, _backend) = gateway(&[]).await;
    let mut wire = gateway.open().await;
    let reply = wire.ask("CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n").await;
    assert_entity(&reply, 501, "NotImplemented", Some("method"));
    wire.closed().await;
}

#[tokio::test]
async fn a_refused_connection_is_502() {
    let (gateway, backend) = gateway(&[]).await;
    drop(backend);
    assert_entity(&gateway.get("/").await, 502, "BadGateway", None);
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_502() {
    for answer in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nbroken",
        "",
    ] {
        let backend = Script::start(move |mut wire: Wire, _| async move {
            wire.request().await;
            wire.send(answer).await;
        })
        .await;
        let gateway = over(&backend, ANY).await;
        assert_entity(&gateway.get("/").await, 502, "BadGateway", None);
    }
}

#[tokio::test]
async fn an_answer_to_an_upgrade_that_nobody_asked_for_is_502() {
    let backend = Script::start(|mut wire: Wire, _| async move {
        wire.request().await;
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").await;
        wire.rest().await;
    })
    .await;
    let gateway = over(&backend, ANY).await;
    assert_entity(&gateway.get("/").await, 502, "BadGateway", None);
}

#[tokio::test]
async fn no_endpoint_is_503_with_retry_after() {
    let folder = Folder::new();
    folder.service("echo", &[]).route("web", ANY);
    let reply = Gateway::start(folder).await.get("/").await;
    assert_entity(&reply, 503, "ServiceUnavailable", None);
    let seconds = reply.field("retry-after").and_then(|value| value.parse::<u32>().ok());
    assert!(seconds.is_some_and(|seconds| seconds > 0), "{reply:?}");
}

#[tokio::test]
async fn a_silent_backend_is_504_after_the_request_timeout() {
    let backend = Script::start(|mut wire: Wire, _| async move {
        wire.rest().await;
    })
    .await;
    let gateway = over(&backend, "{proxy: {requestTimeout: 300ms}, rules: [{backends: [{service: echo}]}]}").await;
    let started = std::time::Instant::now();
    assert_entity(&gateway.get("/").await, 504, "GatewayTimeout", None);
    let took = started.elapsed();
    assert!((Duration::from_millis(300)..Duration::from_secs(3)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn an_endpoint_that_does_not_accept_is_504_after_the_dial_timeout() {
    let hole = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    hole.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    hole.listen(0).unwrap();
    let address = hole.local_addr().unwrap().as_socket().unwrap();
    // Nobody accepts: once the queue is full, the kernel no longer answers.
    let mut waiting = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        waiting.push(stream);
        assert!(waiting.len() < 16, "the queue must fill up");
    }
    let spec = "{proxy: {dialTimeout: 300ms}, rules: [{backends: [{service: echo}]}]}";
    let gateway = Gateway::start(Folder::with(address, spec)).await;
    assert_entity(&gateway.get("/").await, 504, "GatewayTimeout", None);
}

#[tokio::test]
async fn the_answer_to_head_has_no_body() {
    let gateway = Gateway::start(Folder::new()).await;
    let mut wire = gateway.open().await;
    wire.send(request("HEAD /", &["Host: a.example"], "")).await;
    let reply = wire.reply_to_head().await;
    assert_eq!((reply.status, reply.field("content-type")), (404, Some("application/json")));
    assert_eq!(wire.ask(get("a.example", "/")).await.status, 404, "the connection goes on");
}

#[tokio::test]
async fn a_failure_does_not_end_the_connection() {
    let (gateway, backend) = gateway(&[]).await;
    let mut wire = gateway.open().await;
    assert_eq!(wire.ask(get("a.example", "/a/../b")).await.status, 400);
    assert_eq!(wire.ask(get("a.example", "/b")).await.status, 200);
    drop(backend);
    assert_eq!(wire.ask(get("a.example", "/c")).await.status, 502);
    assert_eq!(wire.ask(get("a.example", "/d")).await.status, 502);
}

#[tokio::test]
async fn connections_over_the_limit_are_closed() {
    let gateway = Gateway::start_with(Folder::new(), &["--max-connections", "2"]).await;
    let (mut one, mut two) = (gateway.open().await, gateway.open().await);
    for wire in [&mut one, &mut two] {
        assert_eq!(wire.ask(get("a.example", "/")).await.status, 404);
    }
    let mut three = gateway.open().await;
    three.closed().await;
    drop(one);
    crate::harness::eventually(DEADLINE, "a place is free again", || async {
        let mut wire = gateway.open().await;
        // It may be closed before or after the request is taken.
        let _ = wire.try_send(get("a.example", "/")).await;
        wire.try_reply().await.map(drop)
    })
    .await;
    assert!(gateway.metric("paifang_protection_total{rule=\"connections\"}").await >= 1.0);
}
