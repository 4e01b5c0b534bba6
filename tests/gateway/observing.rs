//! Request ids and the access log.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::harness::{Backend, DEADLINE, Folder, Gateway, Script, Wire, eventually, get, nobody, request, within};

const ANY: &str = "{rules: [{matches: [{path: {value: /in}}], backends: [{service: echo}]}]}";

#[tokio::test]
async fn a_given_request_id_is_kept_everywhere() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    let reply = gateway.ask(request("GET /in/id", &["Host: a.example", "X-Request-ID: from-client-1"], "")).await;
    assert_eq!(reply.field("x-request-id"), Some("from-client-1"));
    assert_eq!(backend.last().one("x-request-id"), Some("from-client-1"));
    assert_eq!(gateway.logged("/in/id").await["request_id"], "from-client-1");
}

#[tokio::test]
async fn a_missing_request_id_is_made_once_for_all() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    let reply = gateway.get("/in/id").await;
    let id = reply.field("x-request-id").expect("an id must be made");
    assert_eq!(id.len(), 36, "{id}");
    assert_eq!(backend.last().one("x-request-id"), Some(id));
    assert_eq!(gateway.logged("/in/id").await["request_id"], id);
    assert_ne!(gateway.get("/in/id").await.field("x-request-id"), Some(id));
}

#[tokio::test]
async fn a_request_id_that_is_no_id_is_replaced() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    for bad in ["two words", "", &"x".repeat(129)] {
        let reply = gateway.ask(request("GET /in", &["Host: a.example", &format!("X-Request-ID: {bad}")], "")).await;
        let id = reply.field("x-request-id").expect("an id must be made");
        assert_eq!((id.len(), backend.last().one("x-request-id")), (36, Some(id)), "{bad}");
    }
}

#[tokio::test]
async fn an_answer_of_the_gateway_has_the_id_of_its_request() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    let reply = gateway.ask(request("GET /out", &["Host: a.example", "X-Request-ID: from-client-2"], "")).await;
    assert_eq!((reply.status, reply.field("x-request-id")), (404, Some("from-client-2")));
    assert_eq!(gateway.logged("/out").await["request_id"], "from-client-2");
}

#[tokio::test]
async fn a_request_leaves_one_line_with_its_facts() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    let agent = "User-Agent: \u{202e}evil\"\u{7f}agent".replace('\u{7f}', "\t");
    gateway.ask(request("POST /in/log?secret=1", &["Host: a.example:81", &agent], "12345")).await;
    let line = gateway.logged("/in/log").await;
    for (field, value) in [
        ("client", "127.0.0.1"),
        ("method", "POST"),
        ("host", "a.example:81"),
        ("path", "/in/log"),
        ("protocol", "HTTP/1.1"),
        ("route", "web"),
        ("namespace", "default"),
        ("endpoint", &backend.address().to_string()),
        ("user_agent", "\u{202e}evil\"\tagent"),
    ] {
        assert_eq!(line[field], value, "{field}: {line}");
    }
    for (field, value) in [("status", 200), ("bytes_in", 5), ("bytes_out", 5), ("rule", 0)] {
        assert_eq!(line[field], value, "{field}: {line}");
    }
    assert_eq!(line["tls"], false);
    assert!(line["time"].is_u64() && line["duration_ms"].is_f64(), "{line}");
    assert!(line.get("reason").is_none(), "{line}");
    assert!(!line.to_string().contains("secret"), "a query may hold secrets: {line}");
}

#[tokio::test]
async fn a_failed_request_says_why() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    gateway.get("/nowhere").await;
    let line = gateway.logged("/nowhere").await;
    assert_eq!((&line["status"], &line["reason"]), (&404.into(), &"no_route".into()), "{line}");
    assert!(line.get("route").is_none() && line.get("endpoint").is_none(), "{line}");
    let gateway = Gateway::start(Folder::with(nobody().await, ANY)).await;
    gateway.ask(get("a.example", "/in/broken")).await;
    let line = gateway.logged("/in/broken").await;
    assert_eq!((&line["status"], &line["reason"]), (&502.into(), &"connect_failed".into()), "{line}");
    assert_eq!(line["route"], "web");
}

#[tokio::test]
async fn a_client_that_does_not_wait_is_499_and_no_error_of_the_gateway() {
    let reached = Arc::<Notify>::default();
    let notify = Arc::clone(&reached);
    let backend = Script::start(move |mut wire: Wire, _| {
        let notify = Arc::clone(&notify);
        async move {
            wire.request().await;
            notify.notify_one();
            wire.rest().await;
        }
    })
    .await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    let mut wire = gateway.open().await;
    wire.send(get("a.example", "/in/left")).await;
    within("the backend is reached", reached.notified()).await;
    wire.reset();
    let line = gateway.logged("/in/left").await;
    assert_eq!((&line["status"], &line["reason"]), (&499.into(), &"client_closed".into()), "{line}");
    let counted = |code| {
        format!("paifang_http_requests_total{{code=\"{code}\",method=\"GET\",namespace=\"default\",route=\"web\"}}")
    };
    assert_eq!((gateway.metric(&counted(499)).await, gateway.metric(&counted(500)).await), (1.0, 0.0));
}

#[tokio::test]
async fn what_is_no_http_is_counted_and_told_to_who_debugs() {
    let gateway = Gateway::start_with(Folder::new(), &["--log-level", "info,paifang::proxy=debug"]).await;
    let long = format!("GET /{} HTTP/1.1\r\nHost: a.example\r\n\r\n", "x".repeat(70_000));
    let huge = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 18446744073709551615\r\n\r\n";
    for (raw, status) in [("GET  / HTTP/1.1\r\n\r\n", 400), (&long, 414), (huge, 431)] {
        let mut wire = gateway.open().await;
        wire.send(raw).await;
        let reply = wire.reply().await;
        assert_eq!((reply.status, reply.text().as_str()), (status, ""), "{reply:?}");
        wire.closed().await;
    }
    let counted = "paifang_protection_total{rule=\"malformed\"}";
    eventually(DEADLINE, "all three are counted", || async {
        let count = gateway.metric(counted).await;
        if (count - 3.0).abs() < 0.5 { Ok(()) } else { Err(count) }
    })
    .await;
    let log = gateway.log();
    let told = log.lines().filter(|line| line.contains("a client does not speak HTTP") && line.contains("127.0.0.1"));
    assert_eq!(told.count(), 3, "{log}");
}

/// A backend that sends the begin of an answer and then waits, or breaks it off.
async fn half_an_answer(breaks: bool) -> Script {
    Script::start(move |mut wire: Wire, _| async move {
        wire.request().await;
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf").await;
        if !breaks {
            wire.rest().await;
        }
    })
    .await
}

#[tokio::test]
async fn an_answer_that_breaks_off_says_who_broke_it() {
    for (breaks, reason) in [(true, "endpoint_broken"), (false, "client_closed")] {
        let backend = half_an_answer(breaks).await;
        let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
        let mut wire = gateway.open().await;
        wire.send(get("a.example", "/in/half")).await;
        assert_eq!(wire.head().await.length_of_body(), Some(8));
        wire.take(4).await.unwrap();
        if !breaks {
            wire.reset();
        }
        let line = gateway.logged("/in/half").await;
        assert_eq!((&line["status"], &line["bytes_out"], &line["reason"]), (&200.into(), &4.into(), &reason.into()));
    }
}

#[tokio::test]
async fn an_answer_with_trailers_or_without_body_has_not_broken_off() {
    let backend = Script::start(|mut wire: Wire, _| async move {
        loop {
            wire.head().await;
            wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n").await;
            wire.head().await;
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n").await;
        }
    })
    .await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    let mut wire = gateway.open().await;
    let asked = request("GET /in/trailers", &["Host: a.example", "TE: trailers"], "");
    assert_eq!(wire.ask(asked).await.text(), "ok");
    wire.send(request("HEAD /in/head", &["Host: a.example"], "")).await;
    assert_eq!(wire.reply_to_head().await.status, 200);
    for path in ["/in/trailers", "/in/head"] {
        assert_eq!(gateway.logged(path).await.get("reason"), None, "{path}");
    }
    assert_eq!(backend.connections(), 1, "a connection is used again after trailers");
}

#[tokio::test]
async fn a_switched_off_access_log_is_silent() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start_with(Folder::with(backend.address(), ANY), &["--access-log", "off"]).await;
    gateway.get("/in").await;
    assert!(!gateway.log().contains("duration_ms"));
}
