//! More connections than there is room for.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::FutureExt as _;
use http_body_util::Full;
use tokio::{sync::watch, task::JoinSet};

use crate::harness::{
    Authority, Backend, DEADLINE, Folder, Frames, Gateway, HEADERS, Http2, Script, TlsClient, Wire, eventually, get,
};

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

/// An endpoint that answers nobody until it is told to go on.
async fn held_up() -> (watch::Sender<bool>, Script) {
    let (go_on, waits) = watch::channel(false);
    let backend = Script::start(move |mut wire: Wire, _| {
        let mut waits = waits.clone();
        async move {
            wire.request().await;
            let _ = waits.wait_for(|go_on| *go_on).await;
            wire.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
        }
    })
    .await;
    (go_on, backend)
}

#[tokio::test]
async fn probes_are_answered_when_no_descriptor_is_left() {
    let (go_on, backend) = held_up().await;
    let gateway = Gateway::start_with_files(Folder::with(backend.address(), ANY), &[], 100).await;
    // One connection, and an endpoint's for each of its streams.
    let mut client = Frames::over(gateway.open().await.into_parts().0, true).await;
    for number in 0..100 {
        client.ask(2 * number + 1, "/").await;
    }
    client.until(|frame| frame.kind == HEADERS).await;
    let mut waiting = gateway.open().await;
    waiting.send(get("a.example", "/")).await;
    for _ in 0..3 {
        gateway.protected("descriptors").await;
        assert_eq!(gateway.admin("/livez").await.status, 200);
    }
    go_on.send_replace(true);
    assert_eq!(waiting.reply().await.status, 200, "it is accepted once there is a descriptor");
}

/// Asks again and again until all together had so many answers; whoever finds no room comes again.
async fn press(gateway: Arc<Gateway>, answered: Arc<AtomicUsize>, enough: usize) {
    while answered.load(Ordering::Relaxed) < enough {
        let mut wire = gateway.open().await;
        for _ in 0..10 {
            // It may be closed before or after the request is taken.
            let _ = wire.try_send(get("a.example", "/")).await;
            let Ok(reply) = wire.try_reply().await else { break };
            assert_eq!(reply.status, 200);
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test]
async fn twice_as_many_clients_as_there_is_room_for() {
    let backend = Backend::echo("echo").await;
    let flags = ["--max-connections", "32"];
    let gateway = Arc::new(Gateway::start_with(Folder::with(backend.address(), ANY), &flags).await);
    let (answered, mut clients) = (Arc::<AtomicUsize>::default(), JoinSet::new());
    for _ in 0..64 {
        clients.spawn(press(Arc::clone(&gateway), Arc::clone(&answered), 2000));
    }
    while !clients.is_empty() {
        assert_eq!(gateway.admin("/readyz").await.status, 200, "probes have room of their own");
        while clients.try_join_next().is_some_and(|ended| ended.is_ok()) {}
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    gateway.protected("connections").await;
    assert!(answered.load(Ordering::Relaxed) >= 2000);
}

#[tokio::test]
async fn requests_beyond_those_that_may_be_under_way_are_503_at_once() {
    let (go_on, backend) = held_up().await;
    let flags = ["--max-requests", "4", "--threads", "1"];
    let gateway = Gateway::start_with(Folder::with(backend.address(), ANY), &flags).await;
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let mut wire = gateway.open().await;
        wire.send(get("a.example", "/")).await;
        waiting.push(wire);
    }
    eventually(DEADLINE, "four requests are with the endpoint", || async {
        let reached = backend.connections();
        if reached == 4 { Ok(()) } else { Err(reached) }
    })
    .await;
    for _ in 0..8 {
        let refused = gateway.get("/").await;
        assert_eq!((refused.status, refused.field("retry-after")), (503, Some("1")));
    }
    assert_eq!(gateway.admin("/readyz").await.status, 200);
    gateway.protected("requests").await;
    go_on.send_replace(true);
    for mut wire in waiting {
        assert_eq!(wire.reply().await.status, 200, "those who were first are not disturbed");
    }
    assert_eq!(gateway.get("/").await.status, 200);
}

#[tokio::test]
async fn handshakes_that_come_together_take_turns() {
    let (authority, backend) = (Authority::new("test"), Backend::echo("echo").await);
    let spec = "{hostnames: [a.example], tls: {secretName: a}, rules: [{backends: [{service: echo}]}]}";
    let folder = Folder::with(backend.address(), spec);
    folder.secret("a", &authority.issue(&["a.example"]));
    let gateway = Gateway::start_with(folder, &["--threads", "1"]).await;
    let client = TlsClient::new(&authority, &[]);
    let mut connected = Vec::new();
    for _ in 0..40 {
        connected.push(Wire::open(gateway.address("https")).await.into_parts().0);
    }
    eventually(DEADLINE, "the core has all connections", || async {
        let open = gateway.metric("paifang_connections").await;
        if open >= 40.0 { Ok(()) } else { Err(open) }
    })
    .await;
    gateway.signal("STOP");
    let shaking = connected.into_iter().map(|stream| {
        let client = client.clone();
        async move { client.over(stream, "a.example").await }
    });
    let mut shaking = Box::pin(futures_util::future::join_all(shaking));
    // Each says hello at once, and waits for the answer.
    assert!((&mut shaking).now_or_never().is_none());
    gateway.signal("CONT");
    for shaken in shaking.await {
        shaken.expect("each must have its turn");
    }
    gateway.protected("handshake_delayed").await;
}
