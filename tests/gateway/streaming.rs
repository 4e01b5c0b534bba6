//! Bodies: framing, back-pressure, interim answers, and the ends of connections.

use std::{net::SocketAddr, sync::Arc};

use http_body_util::Full;
use hyper::{Response, StatusCode};
use tokio::sync::Notify;

use crate::harness::{Backend, DEADLINE, Folder, Gateway, Script, Wire, eventually, get, request};

const ANY: &str = "{rules: [{backends: [{service: echo}]}]}";
async fn over(address: SocketAddr) -> Gateway {
    Gateway::start(Folder::with(address, ANY)).await
}

#[tokio::test]
async fn a_chunk_passes_before_the_next_one_comes() {
    let go_on = Arc::<Notify>::default();
    let notified = Arc::clone(&go_on);
    let backend = Script::start(move |mut wire: Wire, _| {
        let notified = Arc::clone(&notified);
        async move {
            wire.request().await;
            wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n").await;
            notified.notified().await;
            wire.send("6\r\nsecond\r\n0\r\n\r\n").await;
            wire.rest().await;
        }
    })
    .await;
    let gateway = over(backend.address()).await;
    let mut wire = gateway.open().await;
    wire.send(get("a.example", "/")).await;
    wire.head().await;
    assert_eq!(wire.take(10).await.unwrap(), b"5\r\nfirst\r\n");
    go_on.notify_one();
    assert_eq!(wire.take(16).await.unwrap(), b"6\r\nsecond\r\n0\r\n\r\n");
}

#[tokio::test]
async fn chunks_of_a_request_pass_before_its_end() {
    let backend = Script::start(|mut wire: Wire, _| async move {
        assert!(wire.head().await.is_chunked());
        assert_eq!(wire.take(10).await.unwrap(), b"5\r\nfirst\r\n");
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ngot\r\n").await;
        assert_eq!(wire.take(11).await.unwrap(), b"6\r\nsecond\r\n");
        wire.send("0\r\n\r\n").await;
        wire.rest().await;
    })
    .await;
    let gateway = over(backend.address()).await;
    let mut wire = gateway.open().await;
    wire.send("POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n").await;
    assert_eq!(wire.head().await.first_line(), "HTTP/1.1 200 OK");
    assert_eq!(wire.take(8).await.unwrap(), b"3\r\ngot\r\n", "the answer begins before the request has ended");
    wire.send("6\r\nsecond\r\n0\r\n\r\n").await;
    assert_eq!(wire.take(5).await.unwrap(), b"0\r\n\r\n");
}

#[tokio::test]
async fn trailers_of_an_answer_reach_a_client_that_takes_them() {
    let backend = Script::start(|mut wire: Wire, _| async move {
        wire.request().await;
        wire.send(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 42\r\n\r\n",
        )
        .await;
        wire.rest().await;
    })
    .await;
    let gateway = over(backend.address()).await;
    let reply = gateway.ask(request("GET /", &["Host: a.example", "Connection: TE", "TE: trailers"], "")).await;
    assert_eq!((reply.text().as_str(), reply.field("trailer")), ("ok", Some("X-Sum")));
    let trailers: Vec<_> = reply.trailers.iter().map(|(name, value)| (name.to_lowercase(), value.as_str())).collect();
    assert_eq!(trailers, [("x-sum".to_owned(), "42")]);
}

#[tokio::test]
async fn trailers_of_a_request_cannot_become_fields() {
    let backend = Backend::echo("echo").await;
    let gateway = over(backend.address()).await;
    let raw = "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nTrailer: Host, X-Real-IP\r\n\r\n\
               2\r\nok\r\n0\r\nHost: evil\r\nX-Real-IP: 1.1.1.1\r\n\r\n";
    assert_eq!(gateway.ask(raw).await.status, 200);
    let seen = backend.last();
    assert_eq!((seen.one("host"), seen.one("x-real-ip"), &seen.body[..]), (Some("a.example"), None, &b"ok"[..]));
    assert!(!seen.trailers.contains_key("x-real-ip") && !seen.trailers.contains_key("host"), "{:?}", seen.trailers);
}

#[tokio::test]
async fn answers_without_a_body_keep_their_fields_and_the_connection() {
    let backend = Script::start(|mut wire: Wire, _| async move {
        loop {
            let (head, _) = wire.request().await;
            let status = match head.first_line() {
                "GET /204 HTTP/1.1" => "204 No Content\r\nX-A: 1",
                "GET /304 HTTP/1.1" => "304 Not Modified\r\nETag: \"e\"",
                "HEAD / HTTP/1.1" => "200 OK\r\nContent-Length: 5\r\nContent-Type: text/x",
                _ => "200 OK\r\nContent-Length: 0",
            };
            wire.send(format!("HTTP/1.1 {status}\r\n\r\n")).await;
        }
    })
    .await;
    let gateway = over(backend.address()).await;
    let mut wire = gateway.open().await;
    let reply = wire.ask(get("a.example", "/204")).await;
    assert_eq!((reply.status, reply.field("x-a"), reply.field("content-length")), (204, Some("1"), None));
    let reply = wire.ask(get("a.example", "/304")).await;
    assert_eq!((reply.status, reply.field("etag")), (304, Some("\"e\"")));
    wire.send(request("HEAD /", &["Host: a.example"], "")).await;
    let reply = wire.reply_to_head().await;
    assert_eq!(
        (reply.status, reply.field("content-length"), reply.field("content-type")),
        (200, Some("5"), Some("text/x"))
    );
    let reply = wire.ask(get("a.example", "/")).await;
    assert_eq!((reply.status, reply.field("content-length")), (200, Some("0")));
    assert_eq!(backend.connections(), 1);
}

#[tokio::test]
async fn a_client_that_asks_is_told_to_continue() {
    let backend = Backend::echo("echo").await;
    let gateway = over(backend.address()).await;
    let mut wire = gateway.open().await;
    wire.send("POST / HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n").await;
    assert_eq!(wire.reply().await.status, 100);
    assert_eq!(wire.ask("hello").await.text(), "hello");
    assert_eq!(backend.last().one("expect"), None, "the gateway has answered it");
}

#[tokio::test]
async fn a_client_that_asks_is_not_told_to_continue_what_is_refused() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start_with(Folder::with(backend.address(), ANY), &["--max-body-bytes", "4"]).await;
    let mut wire = gateway.open().await;
    wire.send("POST / HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n").await;
    assert_eq!(wire.reply().await.status, 413);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let backend = Backend::answering(|seen| Response::new(Full::from(seen.target.clone()))).await;
    let gateway = over(backend.address()).await;
    let mut wire = gateway.open().await;
    let all: String = (0..10).map(|number| get("a.example", &format!("/{number}"))).collect();
    wire.send(all).await;
    for number in 0..10 {
        assert_eq!(wire.reply().await.text(), format!("/{number}"));
    }
}

#[tokio::test]
async fn a_body_that_the_client_breaks_off_ends_the_request_to_the_backend() {
    let ended = Arc::<Notify>::default();
    let notify = Arc::clone(&ended);
    let backend = Script::start(move |mut wire: Wire, _| {
        let notify = Arc::clone(&notify);
        async move {
            wire.head().await;
            let rest = wire.rest().await;
            assert_eq!(rest, b"half");
            notify.notify_one();
        }
    })
    .await;
    let gateway = over(backend.address()).await;
    let mut wire = gateway.open().await;
    wire.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 8\r\n\r\nhalf").await;
    eventually(DEADLINE, "the backend is reached", || {
        std::future::ready(if backend.connections() == 1 { Ok(()) } else { Err("not yet") })
    })
    .await;
    drop(wire);
    crate::harness::within("the backend sees the end", ended.notified()).await;
}

#[tokio::test]
async fn a_body_that_the_backend_breaks_off_is_seen_as_broken() {
    for framing in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let backend = Script::start(move |mut wire: Wire, _| async move {
            wire.request().await;
            wire.send(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n4\r\nhalf\r\n")).await;
        })
        .await;
        let gateway = over(backend.address()).await;
        let mut wire = gateway.open().await;
        wire.send(get("a.example", "/")).await;
        assert!(wire.try_reply().await.is_err(), "{framing}: a cut body must not look whole");
    }
}

#[tokio::test]
async fn a_client_of_http_1_0_is_served_and_its_connection_closed() {
    let backend = Backend::echo("echo").await;
    let gateway = over(backend.address()).await;
    for head in ["GET /old HTTP/1.0\r\nHost: a.example\r\n\r\n", "GET /old HTTP/1.0\r\n\r\n"] {
        let mut wire = gateway.open().await;
        assert_eq!(wire.ask(head).await.status, 200, "{head}");
        wire.closed().await;
    }
}

#[tokio::test]
async fn an_endpoint_is_told_a_host_even_where_http_1_0_names_none() {
    let backend = Backend::echo("echo").await;
    let gateway = over(backend.address()).await;
    assert_eq!(gateway.ask("GET / HTTP/1.0\r\n\r\n").await.status, 200);
    let seen = backend.last();
    assert_eq!(seen.one("host"), Some(backend.address().to_string().as_str()), "HTTP/1.1 needs one");
    assert_eq!(seen.one("x-forwarded-host"), None, "the client named none");
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_no_chunks() {
    let backend = Script::start(|mut wire: Wire, _| async move {
        wire.request().await;
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n").await;
    })
    .await;
    let gateway = over(backend.address()).await;
    let reply = gateway.ask("GET / HTTP/1.0\r\nHost: a.example\r\n\r\n").await;
    assert_eq!((reply.field("transfer-encoding"), reply.text().as_str()), (None, "ok"));
}

#[tokio::test]
async fn a_client_of_http_1_0_may_keep_its_connection() {
    let backend = Backend::echo("echo").await;
    let gateway = over(backend.address()).await;
    let mut wire = gateway.open().await;
    for _ in 0..2 {
        let reply = wire.ask("GET / HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n").await;
        assert_eq!((reply.status, reply.field("connection")), (200, Some("keep-alive")));
    }
}

#[tokio::test]
async fn an_answer_that_comes_before_the_whole_request_reaches_the_client() {
    let backend = Script::start(|mut wire: Wire, _| async move {
        wire.head().await;
        wire.send("HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nContent-Length: 4\r\n\r\nslow").await;
        wire.rest().await;
    })
    .await;
    let gateway = over(backend.address()).await;
    let mut wire = gateway.open().await;
    wire.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000000\r\n\r\nbegin").await;
    let reply = wire.reply().await;
    assert_eq!((reply.status, reply.text().as_str()), (429, "slow"));
}

#[tokio::test]
async fn status_codes_of_the_backend_pass_unchanged() {
    let backend = Backend::answering(|seen| {
        let code = seen.target.trim_start_matches('/').parse().expect("the path must be a code");
        let mut response = Response::new(Full::from("own body"));
        *response.status_mut() = StatusCode::from_u16(code).expect("the code must be valid");
        response
    })
    .await;
    let gateway = over(backend.address()).await;
    let mut wire = gateway.open().await;
    for code in [200, 201, 301, 400, 404, 418, 429, 500, 502, 503, 504, 599] {
        let reply = wire.ask(get("a.example", &format!("/{code}"))).await;
        assert_eq!((reply.status, reply.text().as_str()), (code, "own body"));
    }
}
