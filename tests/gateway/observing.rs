//! Request ids and the access log.

use crate::harness::{Backend, Folder, Gateway, get, request};

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
    drop(backend);
    gateway.ask(get("a.example", "/in/broken")).await;
    let line = gateway.logged("/in/broken").await;
    assert_eq!((&line["status"], &line["reason"]), (&502.into(), &"connect_failed".into()), "{line}");
    assert_eq!(line["route"], "web");
}

#[tokio::test]
async fn a_switched_off_access_log_is_silent() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start_with(Folder::with(backend.address(), ANY), &["--access-log", "off"]).await;
    gateway.get("/in").await;
    assert!(!gateway.log().contains("duration_ms"));
}
