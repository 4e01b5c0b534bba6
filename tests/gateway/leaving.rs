//! Clients that end their side of the connection before they have their answer, and answers that
//! end the connection before all of the request was read.

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;

use crate::harness::{Authority, Backend, Folder, Gateway, Script, TlsClient, Wire, get, request, within};

const ANY: &str = "{rules: [{backends: [{service: echo}]}]}";
/// More than sockets hold.
const LARGE: usize = 8 * 1024 * 1024;

/// A backend that says when it has a request, and answers when it is told to.
async fn on_notice(reached: &Arc<Notify>, go_on: &Arc<Notify>) -> Script {
    let (reached, go_on) = (Arc::clone(reached), Arc::clone(go_on));
    Script::start(move |mut wire: Wire, _| {
        let (reached, go_on) = (Arc::clone(&reached), Arc::clone(&go_on));
        async move {
            wire.request().await;
            reached.notify_one();
            go_on.notified().await;
            wire.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\ndone").await;
            wire.rest().await;
        }
    })
    .await
}

#[tokio::test]
async fn a_client_that_has_finished_sending_is_answered() {
    let (reached, go_on) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let backend = on_notice(&reached, &go_on).await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    for sent in [get("a.example", "/get"), request("POST /post", &["Host: a.example"], "hello")] {
        let mut wire = gateway.open().await;
        wire.send(&sent).await;
        wire.finish().await;
        within("the backend is reached", reached.notified()).await;
        go_on.notify_one();
        assert_eq!(wire.reply().await.text(), "done", "{sent}");
        wire.closed().await;
    }
    let line = gateway.logged("/post").await;
    assert_eq!((&line["status"], line.get("reason")), (&200.into(), None), "{line}");
}

#[tokio::test]
async fn requests_that_were_sent_together_are_all_answered_after_the_end() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    let mut wire = gateway.open().await;
    wire.send([get("a.example", "/1"), get("a.example", "/2"), get("a.example", "/3")].concat()).await;
    wire.finish().await;
    for _ in 0..3 {
        assert_eq!(wire.reply().await.status, 200);
    }
    wire.closed().await;
}

#[tokio::test]
async fn a_probe_that_has_finished_sending_is_answered_by_the_admin_listener() {
    let gateway = Gateway::start(Folder::new()).await;
    let mut wire = Wire::open(gateway.address("admin")).await;
    wire.send(get("localhost", "/livez")).await;
    wire.finish().await;
    assert_eq!(wire.reply().await.status, 200);
}

/// Its system refuses what is sent to it.
#[tokio::test]
async fn a_client_that_is_gone_after_it_finished_sending_is_noticed() {
    let ended = Arc::<Notify>::default();
    let notify = Arc::clone(&ended);
    let backend = Script::start(move |mut wire: Wire, _| {
        let notify = Arc::clone(&notify);
        async move {
            wire.request().await;
            wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            while wire.try_send("2\r\nok\r\n").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            notify.notify_one();
        }
    })
    .await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    let mut wire = gateway.open().await;
    wire.send(get("a.example", "/gone")).await;
    wire.head().await;
    drop(wire);
    within("the backend is let go", ended.notified()).await;
    let line = gateway.logged("/gone").await;
    assert_eq!((&line["status"], &line["reason"]), (&200.into(), &"client_closed".into()), "{line}");
}

/// Over TLS the end of what a client sends is the end of the session.
#[tokio::test]
async fn a_client_that_ends_its_tls_session_is_gone() {
    let (reached, go_on) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let (authority, backend) = (Authority::new("test"), on_notice(&reached, &go_on).await);
    let spec = "{hostnames: [a.example], tls: {secretName: a}, rules: [{backends: [{service: echo}]}]}";
    let folder = Folder::with(backend.address(), spec);
    folder.secret("a", &authority.issue(&["a.example"]));
    let gateway = Gateway::start(folder).await;
    let stream = TlsClient::new(&authority, &["http/1.1"]).open(gateway.address("https"), "a.example").await;
    let mut wire = Wire::over(stream);
    wire.send(get("a.example", "/left")).await;
    within("the backend is reached", reached.notified()).await;
    wire.finish().await;
    let line = gateway.logged("/left").await;
    assert_eq!((&line["status"], &line["reason"]), (&499.into(), &"client_closed".into()), "{line}");
}

/// Sends all of a large request before it reads anything.
async fn all_at_once(gateway: &Gateway) -> Wire {
    let mut wire = gateway.open().await;
    let head = format!("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: {LARGE}\r\n\r\n");
    wire.send(head).await;
    wire.send(vec![b'x'; LARGE]).await;
    wire
}

#[tokio::test]
async fn a_client_that_sends_all_of_a_refused_request_can_read_the_answer() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start_with(Folder::with(backend.address(), ANY), &["--max-body-bytes", "1000"]).await;
    for _ in 0..5 {
        let mut wire = all_at_once(&gateway).await;
        let reply = wire.reply().await;
        assert_eq!((reply.status, reply.field("connection")), (413, Some("close")));
        wire.closed().await;
    }
}

#[tokio::test]
async fn a_client_that_sends_all_of_a_request_can_read_an_early_answer() {
    let backend = Script::start(|mut wire: Wire, _| async move {
        wire.head().await;
        wire.send("HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nContent-Length: 4\r\n\r\nslow").await;
        wire.rest().await;
    })
    .await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    for _ in 0..5 {
        let mut wire = all_at_once(&gateway).await;
        assert_eq!(wire.reply().await.status, 429);
    }
}

#[tokio::test]
async fn a_client_that_goes_on_sending_does_not_keep_the_connection() {
    let gateway = Gateway::start_with(Folder::new(), &["--max-body-bytes", "1000"]).await;
    let mut wire = gateway.open().await;
    wire.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000000000\r\n\r\n").await;
    assert_eq!(wire.reply().await.status, 404);
    within("the gateway gives up", async {
        while wire.try_send("x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}
