//! Two gateways on one port, and what it costs to end one of them. The kernel hands connections
//! over where `net.ipv4.tcp_migrate_req` is 1: the tier `handover` makes such a network.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{net::TcpStream, task::JoinSet};

use crate::harness::{Backend, DEADLINE, Folder, Gateway, Wire, eventually, get, request};

const ANY: &str = "{rules: [{backends: [{service: echo}]}]}";
const TERMINATIONS: usize = 15;
/// Each of both kinds.
const CLIENTS: usize = 4;

/// Another gateway on this port, or the first one of it.
async fn sharing(backend: &Backend, http: &str) -> Gateway {
    let flags = ["--http", http, "--reuse-port", "--drain-delay", "500ms"];
    Gateway::start_with(Folder::with(backend.address(), ANY), &flags).await
}

/// What clients have sent, and what came of it.
#[derive(Default)]
struct Tally {
    enough: AtomicBool,
    answered: AtomicUsize,
}

impl Tally {
    /// Sends requests one after the other until there were enough; returns what was lost.
    async fn send(self: Arc<Self>, address: SocketAddr, keeps: bool) -> Vec<String> {
        let fields: &[&str] = if keeps { &["Host: a.example"] } else { &["Host: a.example", "Connection: close"] };
        let (asked, mut open, mut lost) = (request("GET /", fields, ""), None, Vec::new());
        while !self.enough.load(Ordering::Relaxed) {
            match ask(address, open.take(), &asked).await {
                Ok(wire) => {
                    open = wire;
                    self.answered.fetch_add(1, Ordering::Relaxed);
                }
                Err(why) => lost.push(why),
            }
        }
        lost
    }
}

/// Asks once, and hands the connection back where it stays open.
async fn ask(address: SocketAddr, open: Option<Wire>, asked: &str) -> Result<Option<Wire>, String> {
    let fresh = if open.is_some() { "an open" } else { "a new" };
    let exchange = async {
        let mut wire = match open {
            Some(wire) => wire,
            None => Wire::over(TcpStream::connect(address).await?),
        };
        wire.try_send(asked).await?;
        wire.try_reply().await.map(|reply| (wire, reply))
    };
    let (wire, reply) = exchange.await.map_err(|error| format!("over {fresh} connection: {error}"))?;
    match (reply.status, reply.field("connection")) {
        (200, Some("close")) => Ok(None),
        (200, _) => Ok(Some(wire)),
        (status, _) => Err(format!("over {fresh} connection: {status}")),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a network where connections are handed over: make test TIERS=handover"]
async fn no_request_is_lost_when_one_of_two_is_terminated_again_and_again() {
    let backend = Backend::echo("echo").await;
    let first = sharing(&backend, "127.0.0.1:0").await;
    let http = first.address("http");
    let mut gateways = [first, sharing(&backend, &http.to_string()).await];
    let (tally, mut clients) = (Arc::<Tally>::default(), JoinSet::new());
    for number in 0..2 * CLIENTS {
        clients.spawn(Arc::clone(&tally).send(http, number % 2 == 0));
    }
    for turn in 0..TERMINATIONS {
        let before = tally.answered.load(Ordering::Relaxed);
        let gateway = &mut gateways[turn % 2];
        gateway.signal("TERM");
        assert_eq!(gateway.end(DEADLINE).await.code(), Some(0), "{}", gateway.log());
        *gateway = sharing(&backend, &http.to_string()).await;
        assert!(tally.answered.load(Ordering::Relaxed) > before + CLIENTS, "there must be load");
    }
    tally.enough.store(true, Ordering::Relaxed);
    let lost = clients.join_all().await.concat();
    let answered = tally.answered.load(Ordering::Relaxed);
    println!("{answered} requests were answered during {TERMINATIONS} terminations, {} were lost", lost.len());
    assert!(lost.is_empty(), "{} of {} were lost: {:?}", lost.len(), answered + lost.len(), &lost[..lost.len().min(8)]);
}

/// Waits until a process that was told to stop has done so.
async fn stopped(gateway: &Gateway) {
    gateway.signal("STOP");
    eventually(DEADLINE, "the process is stopped", || {
        let state = gateway.state();
        std::future::ready(if state.starts_with('T') { Ok(()) } else { Err(state) })
    })
    .await;
}

/// While a process is stopped, the kernel takes connections for it.
#[tokio::test]
#[ignore = "needs a network where connections are handed over: make test TIERS=handover"]
async fn connections_that_a_dead_process_had_not_accepted_are_served_by_the_other() {
    let backend = Backend::echo("echo").await;
    let mut dies = sharing(&backend, "127.0.0.1:0").await;
    let http = dies.address("http");
    let lives = sharing(&backend, &http.to_string()).await;
    stopped(&dies).await;
    let mut waiting = Vec::new();
    for _ in 0..100 {
        let mut wire = Wire::open(http).await;
        wire.send(get("a.example", "/")).await;
        waiting.push(wire);
    }
    // The rest of them waits for the process that is stopped.
    eventually(DEADLINE, "one process has what came to it", || async {
        let served = backend.seen().len();
        tokio::time::sleep(Duration::from_millis(100)).await;
        if (1..100).contains(&served) && served == backend.seen().len() { Ok(()) } else { Err(served) }
    })
    .await;
    dies.signal("KILL");
    dies.end(DEADLINE).await;
    for mut wire in waiting {
        assert_eq!(wire.reply().await.status, 200);
    }
    assert_eq!(lives.get("/").await.status, 200);
}
