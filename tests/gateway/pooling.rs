//! Connections to backends: kept, used again, and never at the cost of a request.

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::harness::{Backend, Folder, Gateway, Script, Wire, get, request, within};

const ANY: &str = "{rules: [{backends: [{service: echo}]}]}";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn requests_share_a_connection_to_the_backend() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    let mut wire = gateway.open().await;
    for _ in 0..50 {
        assert_eq!(wire.ask(request("POST /", &["Host: a.example"], "body")).await.status, 200);
    }
    assert_eq!(backend.connections(), 1);
}

#[tokio::test]
async fn clients_share_connections_to_the_backend() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    for _ in 0..20 {
        assert_eq!(gateway.get("/").await.status, 200);
    }
    assert!(backend.connections() <= 2, "one for each core, not {}", backend.connections());
    let connects = gateway.metric("paifang_upstream_connects_total{result=\"ok\"}").await;
    assert_eq!(format!("{connects}"), backend.connections().to_string());
}

#[tokio::test]
async fn a_connection_that_died_while_idle_costs_no_request() {
    for method in ["GET", "POST"] {
        let noticed = Arc::<Notify>::default();
        let note = Arc::clone(&noticed);
        let backend = Script::start(move |mut wire: Wire, _| {
            let note = Arc::clone(&note);
            async move {
                wire.request().await;
                wire.send(OK).await;
                wire.finish().await;
                // The gateway closes its side as soon as it has noticed.
                wire.closed().await;
                note.notify_one();
            }
        })
        .await;
        let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
        let mut wire = gateway.open().await;
        for number in 1..=20 {
            let reply = wire.ask(request(&format!("{method} /"), &["Host: a.example"], "body")).await;
            assert_eq!(reply.status, 200, "{method} {number}");
            within("the gateway notices the end", noticed.notified()).await;
            assert_eq!(backend.connections(), number);
        }
    }
}

#[tokio::test]
async fn a_request_that_was_taken_is_not_sent_twice() {
    let taken = Arc::<Mutex<Vec<String>>>::default();
    let note = Arc::clone(&taken);
    let backend = Script::start(move |mut wire: Wire, _| {
        let note = Arc::clone(&note);
        async move {
            wire.request().await;
            wire.send(OK).await;
            let (head, _) = wire.request().await;
            note.lock().unwrap().push(head.first_line().to_owned());
        }
    })
    .await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    let mut wire = gateway.open().await;
    assert_eq!(wire.ask(get("a.example", "/first")).await.status, 200);
    let reply = wire.ask(request("POST /second", &["Host: a.example"], "pay")).await;
    assert_eq!(reply.status, 502);
    assert_eq!(*taken.lock().unwrap(), ["POST /second HTTP/1.1"]);
    assert_eq!(backend.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_the_backend_gives_up_is_not_used_again() {
    let backend = Script::start(|mut wire: Wire, number| async move {
        wire.request().await;
        wire.send(format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n{number}")).await;
        // It stays open for longer than it says.
        wire.rest().await;
    })
    .await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    let mut wire = gateway.open().await;
    for number in 0..3 {
        let reply = wire.ask(get("a.example", "/")).await;
        assert_eq!((reply.text(), reply.field("connection")), (number.to_string(), None));
    }
}

#[tokio::test]
async fn bytes_after_an_answer_do_not_become_the_next_answer() {
    let backend = Script::start(|mut wire: Wire, _| async move {
        wire.request().await;
        wire.send(format!("{OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")).await;
        wire.rest().await;
    })
    .await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    let mut wire = gateway.open().await;
    for _ in 0..5 {
        assert_eq!(wire.ask(get("a.example", "/")).await.text(), "ok");
    }
}

#[tokio::test]
async fn a_half_read_answer_does_not_go_back_to_the_pool() {
    let backend = Script::start(|mut wire: Wire, number| async move {
        wire.request().await;
        if number == 0 {
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await;
            wire.rest().await;
        } else {
            wire.send(OK).await;
        }
    })
    .await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    let mut wire = gateway.open().await;
    wire.send(get("a.example", "/")).await;
    wire.head().await;
    drop(wire);
    for _ in 0..2 {
        assert_eq!(gateway.get("/").await.text(), "ok");
    }
}
