//! Very many calls over few connections, against a service with the recorded habits of go-micro 4 and 6: a call is lost
//! whose `Micro-Stream` came before on its connection, and one that comes while another is served.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use crate::harness::{Folder, Gateway, Script, Wire, request};

/// Clients that call one after the other, each over its own connection.
const CLIENTS: usize = 8;

async fn serve(mut wire: Wire, lost: Arc<AtomicUsize>) {
    let mut known = HashSet::new();
    while let Ok(head) = wire.try_head().await {
        let body = wire.body(&head).await;
        let stream = head.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("micro-stream"));
        let is_new = stream.is_some_and(|(_, value)| known.insert(value.clone()));
        if !is_new || wire.has_more() {
            lost.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        if wire.try_send([head.as_bytes(), &body].concat()).await.is_err() {
            return;
        }
    }
}

async fn call(mut wire: Wire, client: usize, calls: usize) -> usize {
    let mut wrong = 0;
    for number in 0..calls {
        let message = format!("{{\"key\":\"{client}-{number}\"}}");
        let fields = ["Host: a.example", "Content-Type: application/json"];
        let reply = wire.ask(request("POST /say/echo", &fields, &message)).await;
        wrong += usize::from(reply.status != 200 || reply.body != message.as_bytes());
    }
    wrong
}

#[tokio::test]
async fn many_calls_are_all_answered() {
    endure(4_000).await;
}

#[tokio::test]
#[ignore = "it takes a minute: make test TIERS=calls"]
async fn a_hundred_thousand_calls_are_all_answered() {
    endure(100_000).await;
}

async fn endure(calls: usize) {
    let lost = Arc::<AtomicUsize>::default();
    let noted = Arc::clone(&lost);
    let service = Script::start(move |wire, _| serve(wire, Arc::clone(&noted))).await;
    let folder = Folder::with(service.address(), "{rules: [{handler: {type: Rpc}, backends: [{service: echo}]}]}");
    let gateway = Gateway::start_with(folder, &["--access-log", "off"]).await;
    let started = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(call(gateway.open().await, client, calls / CLIENTS));
    }
    let wrong: usize = clients.join_all().await.into_iter().sum();
    assert_eq!((wrong, lost.load(Ordering::Relaxed)), (0, 0));
    assert!(service.connections() <= CLIENTS, "{} connections for {CLIENTS} calls at a time", service.connections());
    let told = format!("{calls} calls by mucp over {} connections: {:?}\n", service.connections(), started.elapsed());
    let _ = std::io::Write::write_all(&mut std::io::stdout().lock(), told.as_bytes());
}
