//! Copies of requests: what they are, and that nobody waits for them or suffers from them.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::harness::{Backend, DEADLINE, Folder, Gateway, Script, eventually, get, request};

async fn mirrored(to: SocketAddr, mirror: SocketAddr, more: &str) -> Gateway {
    let folder = Folder::new();
    folder.service("echo", &[to]).service("mirror", &[mirror]).route("web", &rule(more));
    Gateway::start(folder).await
}

fn rule(more: &str) -> String {
    format!("{{rules: [{{backends: [{{service: echo}}], mirror: {{service: mirror{more}}}}}]}}")
}

/// Waits until so many copies have ended in this way.
async fn counted(gateway: &Gateway, result: &str, least: f64) {
    let series = format!("paifang_mirrored_requests_total{{result=\"{result}\"}}");
    eventually(DEADLINE, &series, || async {
        let count = gateway.metric(&series).await;
        if count >= least { Ok(()) } else { Err(count) }
    })
    .await;
}

async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port must be free");
    listener.local_addr().expect("a listener has an address")
}

#[tokio::test]
async fn requests_are_copied_with_their_bodies_and_the_first_answer_counts() {
    let (first, mirror) = (Backend::echo("first").await, Backend::echo("mirror").await);
    let gateway = mirrored(first.address(), mirror.address(), "").await;
    let fields = ["Host: a.example", "X-Mark: 7"];
    let reply = gateway.ask(request("POST /a?b=c", &fields, "hello")).await;
    assert_eq!((reply.status, reply.field("x-backend"), reply.text()), (200, Some("first"), "hello".to_owned()));
    let chunked =
        "PUT /chunks HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    counted(&gateway, "answered", 1.0).await;
    assert_eq!(gateway.ask(chunked).await.text(), "abcde");
    counted(&gateway, "answered", 2.0).await;
    assert_eq!(gateway.ask(get("a.example", "/plain")).await.status, 200);
    counted(&gateway, "answered", 3.0).await;
    let mut seen = mirror.seen();
    seen.sort_by(|one, other| one.target.cmp(&other.target));
    let short: Vec<_> = seen.iter().map(|seen| (&*seen.method, &*seen.target, &*seen.body)).collect();
    assert_eq!(
        short,
        [("POST", "/a?b=c", &b"hello"[..]), ("PUT", "/chunks", &b"abcde"[..]), ("GET", "/plain", &b""[..])]
    );
    assert_eq!((seen[0].one("host"), seen[0].one("x-mark")), (Some("a.example"), Some("7")));
    let theirs = first.seen().into_iter().find(|theirs| theirs.target == "/a?b=c").expect("it must have come");
    assert_eq!(seen[0].one("x-request-id"), theirs.one("x-request-id"), "both can be told to be one");
    assert!(mirror.connections() < 3, "the two cores use their connections again");
}

#[tokio::test]
async fn a_mirror_that_is_broken_or_silent_is_not_noticed() {
    let first = Backend::echo("first").await;
    let gateway = mirrored(first.address(), nobody().await, "").await;
    assert_eq!(gateway.ask(request("POST /", &["Host: a.example"], "hello")).await.text(), "hello");
    counted(&gateway, "failed", 1.0).await;
    let silent = Script::start(|mut wire, _| async move { while wire.take(1).await.is_ok() {} }).await;
    gateway.folder.service("mirror", &[silent.address()]);
    eventually(DEADLINE, "the silent one is asked", || async {
        gateway.get("/").await;
        if silent.connections() > 0 { Ok(()) } else { Err("not yet") }
    })
    .await;
    for _ in 0..300 {
        assert_eq!(gateway.get("/").await.status, 200);
    }
    counted(&gateway, "overflow", 1.0).await;
    assert!(silent.connections() <= 256, "two cores make 128 copies at one time");
}

#[tokio::test]
async fn large_bodies_and_those_that_break_off_are_not_copied() {
    let (first, mirror) = (Backend::echo("first").await, Backend::echo("mirror").await);
    let gateway = mirrored(first.address(), mirror.address(), "").await;
    let large = "x".repeat(64 * 1024 + 1);
    let reply = gateway.ask(request("POST /", &["Host: a.example"], &large)).await;
    assert_eq!((reply.status, reply.text().len()), (200, large.len()));
    counted(&gateway, "too_large", 1.0).await;
    let head = "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n";
    let reply = gateway.ask(format!("{head}{:x}\r\n{large}\r\n0\r\n\r\n", large.len())).await;
    assert_eq!((reply.status, reply.text().len()), (200, large.len()));
    counted(&gateway, "too_large", 2.0).await;
    let mut wire = gateway.open().await;
    wire.send(format!("{head}5\r\nhello\r\n")).await;
    drop(wire);
    counted(&gateway, "incomplete", 1.0).await;
    let whole = "x".repeat(64 * 1024);
    assert_eq!(gateway.ask(request("POST /", &["Host: a.example"], &whole)).await.status, 200);
    counted(&gateway, "answered", 1.0).await;
    assert_eq!(mirror.seen().iter().map(|seen| seen.body.len()).collect::<Vec<_>>(), [whole.len()]);
}

#[tokio::test]
async fn only_so_many_of_a_hundred_are_copied() {
    let (first, mirror) = (Backend::echo("first").await, Backend::echo("mirror").await);
    let gateway = mirrored(first.address(), mirror.address(), ", percent: 30").await;
    for _ in 0..200 {
        assert_eq!(gateway.get("/").await.status, 200);
    }
    counted(&gateway, "answered", 20.0).await;
    assert!(mirror.seen().len() < 110, "{} of 200 are not 30 %", mirror.seen().len());
    gateway.folder.route("web", &rule(", percent: 0"));
    eventually(DEADLINE, "nothing is copied any more", || async {
        let before = mirror.seen().len();
        for _ in 0..30 {
            gateway.get("/").await;
        }
        let copied = mirror.seen().len() - before;
        if copied == 0 { Ok(()) } else { Err(copied) }
    })
    .await;
}
