//! Back-pressure: a side that does not take its bytes holds the other one back, and the gateway
//! keeps next to nothing in between.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use crate::harness::{DEADLINE, Folder, Gateway, Script, Wire, eventually, get};

const ANY: &str = "{rules: [{backends: [{service: echo}]}]}";
const MIB: usize = 1024 * 1024;
/// More than all socket buffers on the way can hold.
const LARGE: usize = 64 * MIB;
/// What a gateway may hold of a body that nobody takes, with its own code paged in.
const HELD: usize = 8 * MIB;

async fn over(address: SocketAddr) -> Gateway {
    Gateway::start(Folder::with(address, ANY)).await
}

/// Sends `LARGE` bytes in pieces and counts what the peer has taken.
async fn send_large(wire: &mut Wire, sent: &AtomicUsize) {
    let piece: Vec<u8> = (0..64 * 1024).map(|at: usize| at.to_le_bytes()[0]).collect();
    for _ in 0..LARGE / piece.len() {
        if wire.send_slowly(&piece).await.is_err() {
            return;
        }
        sent.fetch_add(piece.len(), Ordering::Relaxed);
    }
}

/// Waits until a sender is stuck: its count is the same at two looks.
async fn stuck(sent: &AtomicUsize) -> usize {
    let mut before = 0;
    eventually(DEADLINE, "the sender is held back", || {
        let now = sent.load(Ordering::Relaxed);
        let same = now > 0 && now == before;
        before = now;
        async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if same { Ok(now) } else { Err(format!("{now} bytes sent")) }
        }
    })
    .await
}

#[tokio::test]
async fn a_slow_client_holds_the_backend_back() {
    let sent = Arc::<AtomicUsize>::default();
    let counter = Arc::clone(&sent);
    let backend = Script::start(move |mut wire: Wire, _| {
        let counter = Arc::clone(&counter);
        async move {
            wire.request().await;
            wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n")).await;
            send_large(&mut wire, &counter).await;
        }
    })
    .await;
    let gateway = over(backend.address()).await;
    let before = gateway.resident();
    let mut wire = gateway.open().await;
    wire.send(get("a.example", "/")).await;
    assert_eq!(wire.head().await.length_of_body(), Some(LARGE));
    let taken = stuck(&sent).await;
    assert!(taken < LARGE, "{taken} bytes went somewhere");
    let held = gateway.resident().saturating_sub(before);
    assert!(held < HELD, "{held} bytes more than before");
    let body = wire.take(LARGE).await.expect("the body must be whole");
    assert!(body.iter().enumerate().all(|(at, byte)| *byte == at.to_le_bytes()[0]), "the body must be the same");
    assert!(gateway.resident().saturating_sub(before) < HELD, "the body must not stay");
}

#[tokio::test]
async fn a_slow_backend_holds_the_client_back() {
    let go_on = Arc::<Notify>::default();
    let notified = Arc::clone(&go_on);
    let backend = Script::start(move |mut wire: Wire, _| {
        let notified = Arc::clone(&notified);
        async move {
            wire.head().await;
            notified.notified().await;
            let body = wire.take(LARGE).await.expect("the body must be whole");
            assert_eq!(body.len(), LARGE);
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        }
    })
    .await;
    let gateway = over(backend.address()).await;
    let before = gateway.resident();
    let mut wire = gateway.open().await;
    wire.send(format!("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: {LARGE}\r\n\r\n")).await;
    let sent = Arc::<AtomicUsize>::default();
    let counter = Arc::clone(&sent);
    let upload = tokio::spawn(async move {
        send_large(&mut wire, &counter).await;
        wire
    });
    let taken = stuck(&sent).await;
    assert!(taken < LARGE, "{taken} bytes went somewhere");
    let held = gateway.resident().saturating_sub(before);
    assert!(held < HELD, "{held} bytes more than before");
    go_on.notify_one();
    let mut wire = upload.await.unwrap();
    assert_eq!(wire.reply().await.text(), "ok");
}

/// Waits until memory stands still, and says how much more of it is held than before.
async fn settled(gateway: &Gateway, before: usize, all: impl Fn() -> bool) -> usize {
    let mut last = 0;
    eventually(DEADLINE, "memory stands still", || {
        let held = gateway.resident().saturating_sub(before);
        let still = all() && held.abs_diff(std::mem::replace(&mut last, held)) < 64 * 1024;
        async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            if still { Ok(held) } else { Err(held) }
        }
    })
    .await
}

#[tokio::test]
async fn a_hundred_bodies_that_nobody_takes_take_bounded_memory() {
    const CONNECTIONS: usize = 100;
    /// For each: what was read, and what is to be written.
    const MOST: usize = 768 * 1024;
    let reached = Arc::<AtomicUsize>::default();
    let counter = Arc::clone(&reached);
    let backend = Script::start(move |mut wire: Wire, _| {
        let counter = Arc::clone(&counter);
        async move {
            let head = wire.head().await;
            counter.fetch_add(1, Ordering::Relaxed);
            if head.first_line().starts_with("GET") {
                wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n")).await;
                send_large(&mut wire, &AtomicUsize::new(0)).await;
            }
            std::future::pending::<()>().await;
        }
    })
    .await;
    let gateway = over(backend.address()).await;
    let before = gateway.resident();
    let (mut readers, mut senders) = (Vec::new(), tokio::task::JoinSet::new());
    for _ in 0..CONNECTIONS {
        let mut wire = gateway.open().await;
        wire.send(get("a.example", "/")).await;
        readers.push(wire);
    }
    let held = settled(&gateway, before, || reached.load(Ordering::Relaxed) == CONNECTIONS).await;
    assert!(held < CONNECTIONS * MOST, "{held} bytes of answers are held");
    for _ in 0..CONNECTIONS {
        let mut wire = gateway.open().await;
        wire.send(format!("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: {LARGE}\r\n\r\n")).await;
        senders.spawn(async move { send_large(&mut wire, &AtomicUsize::new(0)).await });
    }
    let held = settled(&gateway, before, || reached.load(Ordering::Relaxed) == 2 * CONNECTIONS).await;
    assert!(held < 2 * CONNECTIONS * MOST, "{held} bytes are held");
}
