//! Edits of the folder while requests run.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use crate::harness::{Backend, DEADLINE, Folder, Gateway, Script, Wire, eventually, get};

fn spec(path: &str, service: &str) -> String {
    format!("{{rules: [{{matches: [{{path: {{value: {path}}}}}], backends: [{{service: {service}}}]}}]}}")
}

#[tokio::test]
async fn routes_are_added_edited_and_removed() {
    let (a, b) = (Backend::echo("a").await, Backend::echo("b").await);
    let folder = Folder::new();
    folder.service("a", &[a.address()]).service("b", &[b.address()]).route("web", &spec("/old", "a"));
    let gateway = Gateway::start(folder).await;
    assert_eq!(gateway.get("/old").await.backend(), Some("a"));
    gateway.folder.route("other", &spec("/new", "b"));
    gateway.until("a.example", "/new", |reply| reply.backend() == Some("b")).await;
    gateway.folder.route("web", &spec("/moved", "a"));
    gateway.until("a.example", "/moved", |reply| reply.backend() == Some("a")).await;
    assert_eq!(gateway.get("/old").await.status, 404);
    gateway.folder.remove("other.route.yaml");
    gateway.until("a.example", "/new", |reply| reply.status == 404).await;
    assert_eq!(gateway.get("/moved").await.status, 200);
}

#[tokio::test]
async fn endpoints_come_and_go() {
    let (a, b) = (Backend::echo("a").await, Backend::echo("b").await);
    let gateway = Gateway::start(Folder::with(a.address(), &spec("/", "echo"))).await;
    assert_eq!(gateway.get("/").await.backend(), Some("a"));
    gateway.folder.service("echo", &[b.address()]);
    gateway.until("a.example", "/", |reply| reply.backend() == Some("b")).await;
    gateway.folder.service("echo", &[]);
    gateway.until("a.example", "/", |reply| reply.status == 503).await;
    gateway.folder.service("echo", &[a.address()]);
    gateway.until("a.example", "/", |reply| reply.backend() == Some("a")).await;
}

#[tokio::test]
async fn connections_to_a_removed_endpoint_are_closed() {
    let closed = Arc::<AtomicBool>::default();
    let note = Arc::clone(&closed);
    let backend = Script::start(move |mut wire: Wire, _| {
        let note = Arc::clone(&note);
        async move {
            wire.request().await;
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
            wire.closed().await;
            note.store(true, Ordering::Relaxed);
        }
    })
    .await;
    let gateway = Gateway::start(Folder::with(backend.address(), &spec("/", "echo"))).await;
    let mut wire = gateway.open().await;
    assert_eq!(wire.ask(get("a.example", "/")).await.status, 200);
    gateway.folder.service("echo", &[]);
    eventually(DEADLINE, "the idle connection is closed", || {
        std::future::ready(if closed.load(Ordering::Relaxed) { Ok(()) } else { Err("still open") })
    })
    .await;
}

#[tokio::test]
async fn a_broken_file_keeps_what_was_last_good() {
    let (a, b) = (Backend::echo("a").await, Backend::echo("b").await);
    let folder = Folder::with(a.address(), &spec("/a", "echo"));
    folder.service("other", &[b.address()]);
    let gateway = Gateway::start(folder).await;
    gateway.folder.write("web.route.yaml", "apiVersion: [");
    gateway.folder.route("b", &spec("/b", "other"));
    gateway.until("a.example", "/b", |reply| reply.status == 200).await;
    assert_eq!(gateway.get("/a").await.backend(), Some("a"));
    eventually(DEADLINE, "the log names the file", || {
        let log = gateway.log();
        std::future::ready(if log.contains("web.route.yaml") { Ok(()) } else { Err(log) })
    })
    .await;
    gateway.folder.route("web", &spec("/c", "echo"));
    gateway.until("a.example", "/c", |reply| reply.status == 200).await;
}

#[tokio::test]
async fn a_route_that_becomes_invalid_keeps_its_last_good_version() {
    let backend = Backend::echo("a").await;
    let gateway = Gateway::start(Folder::with(backend.address(), &spec("/a", "echo"))).await;
    gateway.folder.route(
        "web",
        "{rules: [{matches: [{path: {type: RegularExpression, value: '('}}], backends: [{service: echo}]}]}",
    );
    gateway.folder.route("later", &spec("/later", "echo"));
    gateway.until("a.example", "/later", |reply| reply.status == 200).await;
    assert_eq!(gateway.get("/a").await.status, 200);
}

/// Sends requests over one connection until all are done; returns how many failed.
async fn hammer(gateway: Arc<Gateway>, requests: usize, done: Arc<AtomicUsize>) -> usize {
    let mut failed = 0;
    let mut wire = gateway.open().await;
    for _ in 0..requests {
        let reply = wire.ask(get("a.example", "/x")).await;
        failed += usize::from(reply.status != 200 || reply.backend().is_none());
        done.fetch_add(1, Ordering::Relaxed);
    }
    failed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_routes_and_endpoints_are_edited() {
    const CLIENTS: usize = 8;
    const EACH: usize = 250;
    let (a, b) = (Backend::echo("a").await, Backend::echo("b").await);
    let gateway = Arc::new(Gateway::start(Folder::with(a.address(), &spec("/", "echo"))).await);
    let done = Arc::<AtomicUsize>::default();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(hammer(Arc::clone(&gateway), EACH, Arc::clone(&done)));
    }
    let endpoints = [vec![a.address()], vec![b.address()], vec![a.address(), b.address()]];
    let mut edits = 0;
    while done.load(Ordering::Relaxed) < CLIENTS * EACH && !clients.is_empty() {
        edits += 1;
        let before = gateway.metric("paifang_config_generation").await;
        gateway.folder.route("web", &spec(if edits % 2 == 0 { "/" } else { "/x" }, "echo"));
        gateway.folder.service("echo", &endpoints[edits % 3]);
        eventually(DEADLINE, "the edit is installed", || async {
            let now = gateway.metric("paifang_config_generation").await;
            if now > before { Ok(()) } else { Err(now) }
        })
        .await;
    }
    let mut failed = 0;
    while let Some(result) = clients.join_next().await {
        failed += result.expect("no connection may break");
    }
    assert_eq!(failed, 0, "of {} requests during {edits} edits", CLIENTS * EACH);
    assert!(edits > 3, "{edits} edits");
    assert!(!a.seen().is_empty() && !b.seen().is_empty(), "both endpoints have served");
}
