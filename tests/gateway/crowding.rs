//! More connections than there is room for.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http_body_util::Full;
use tokio::task::JoinSet;

use crate::harness::{Authority, Backend, DEADLINE, Folder, Gateway, Http2, Script, TlsClient, Wire, eventually, get};

const ANY: &str = "{rules: [{backends: [{service: echo}]}]}";

/// A connection that has had its answer, as soon as there is room for it.
async fn served(gateway: &Gateway) -> Wire {
    eventually(DEADLINE, "a client is served", || async {
        let mut wire = gateway.open().await;
        // It may be closed before or after the request is taken.
        let _ = wire.try_send(get("a.example", "/")).await;
        let reply = wire.try_reply().await.map_err(|error| error.to_string())?;
        if reply.status == 200 { Ok(wire) } else { Err(reply.text()) }
    })
    .await
}

#[tokio::test]
async fn idle_connections_make_room_for_new_ones() {
    let backend = Backend::echo("echo").await;
    let flags = ["--max-connections", "64"];
    let gateway = Gateway::start_with(Folder::with(backend.address(), ANY), &flags).await;
    let mut open = Vec::new();
    for _ in 0..100 {
        open.push(served(&gateway).await);
    }
    gateway.protected("idle_shed").await;
    assert!(gateway.metric("paifang_connections").await <= 64.0);
}

#[tokio::test]
async fn a_client_may_have_so_many_connections() {
    let backend = Backend::echo("echo").await;
    let folder = || Folder::with(backend.address(), ANY);
    let limit = ["--max-connections-per-client", "3"];
    let gateway = Gateway::start_with(folder(), &limit).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(served(&gateway).await);
    }
    gateway.open().await.closed().await;
    gateway.protected("client_connections").await;
    open.pop();
    served(&gateway).await;
    let trusting = [&limit[..], &["--trusted-proxies", "127.0.0.0/8"]].concat();
    let gateway = Gateway::start_with(folder(), &trusting).await;
    for _ in 0..5 {
        open.push(served(&gateway).await);
    }
}

#[tokio::test]
async fn a_low_limit_on_open_files_keeps_room_for_probes_and_endpoints() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start_with_files(Folder::with(backend.address(), ANY), &[], 256).await;
    let log = gateway.log();
    assert!(log.contains("no room for --max-connections 20000: raise it to 40096"), "{log}");
    let mut open = Vec::new();
    for _ in 0..200 {
        open.push(gateway.open().await);
    }
    assert_eq!(gateway.admin("/readyz").await.status, 200);
    gateway.protected("connections").await;
    drop(open);
    served(&gateway).await;
    assert!(gateway.metric("paifang_protection_total{rule=\"descriptors\"}").await < 1.0);
}

#[tokio::test]
async fn a_request_that_finds_no_descriptor_says_so() {
    let held = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&held);
    let backend = Script::start(move |mut wire: Wire, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move { drop(wire.rest().await) }
    })
    .await;
    let authority = Authority::new("test");
    let spec = "{hostnames: [a.example], tls: {secretName: a}, rules: [{backends: [{service: echo}]}]}";
    let folder = Folder::with(backend.address(), spec);
    folder.secret("a", &authority.issue(&["a.example"]));
    let gateway = Gateway::start_with_files(folder, &[], 100).await;
    let stream = TlsClient::new(&authority, &["h2"]).open(gateway.address("https"), "a.example").await;
    let client = Http2::over(stream).await;
    let mut asking = JoinSet::new();
    for _ in 0..100 {
        let mut client = client.clone();
        let request = hyper::Request::get("https://a.example/full").body(Full::default()).unwrap();
        asking.spawn(async move { client.try_ask(request).await.map(|answer| answer.status) });
    }
    let first = asking.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(first, 503, "{} connections are open", held.load(Ordering::Relaxed));
    let line = gateway.logged("/full").await;
    assert_eq!(line["reason"], "no_descriptors", "{line}");
}
