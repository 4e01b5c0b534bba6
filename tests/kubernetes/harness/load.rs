//! Steady traffic over kept-alive connections, every failure counted.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
    header::HOST,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet};

use super::eventually;

/// An answer that takes longer is a failure.
const PATIENCE: Duration = Duration::from_secs(10);

/// Clients that send `GET /` one after the other until they are told to stop.
pub(crate) struct Load {
    shared: Arc<Shared>,
    workers: JoinSet<()>,
}

struct Shared {
    address: SocketAddr,
    host: String,
    pause: Duration,
    stop: AtomicBool,
    sent: AtomicU64,
    failures: Mutex<Vec<String>>,
}

impl Load {
    /// `workers` clients that ask the proxy at `address` for `host`, with a `pause` after each
    /// answer.
    pub(crate) fn start(address: SocketAddr, host: &str, workers: usize, pause: Duration) -> Self {
        let shared = Arc::new(Shared {
            address,
            host: host.to_owned(),
            pause,
            stop: AtomicBool::default(),
            sent: AtomicU64::default(),
            failures: Mutex::default(),
        });
        let tasks = (0..workers).map(|_| work(Arc::clone(&shared))).collect();
        Self { shared, workers: tasks }
    }

    /// How many requests were answered or failed so far.
    pub(crate) fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// Waits until `more` further requests are through.
    pub(crate) async fn another(&self, more: u64) {
        let goal = self.sent() + more;
        eventually(Duration::from_secs(60), &format!("{goal} requests are through"), || {
            std::future::ready(if self.sent() >= goal { Ok(()) } else { Err(self.sent()) })
        })
        .await;
    }

    /// Stops, and returns how many requests were sent and what failed.
    pub(crate) async fn finish(mut self) -> (u64, Vec<String>) {
        self.shared.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.workers.join_next().await {
            ended.expect("a worker must not panic");
        }
        let failures = std::mem::take(&mut *self.shared.failures.lock().expect("no worker panicked"));
        (self.sent(), failures)
    }
}

async fn work(shared: Arc<Shared>) {
    let mut connection = None;
    while !shared.stop.load(Ordering::Relaxed) {
        let result = tokio::time::timeout(PATIENCE, request(&shared, &mut connection)).await;
        shared.sent.fetch_add(1, Ordering::Relaxed);
        if let Err(failure) = result.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
            connection = None;
            shared.failures.lock().expect("no worker panicked").push(failure);
        }
        tokio::time::sleep(shared.pause).await;
    }
}

/// One request over the connection that is left from the one before, or over a new one.
async fn request(shared: &Shared, connection: &mut Option<SendRequest<Full<Bytes>>>) -> Result<(), String> {
    let mut sender = match connection.take() {
        Some(sender) if !sender.is_closed() => sender,
        _ => connect(shared.address).await?,
    };
    let request = Request::get("/").header(HOST, &shared.host).body(Full::default());
    let request = request.expect("the host must be a header value");
    let response = sender.send_request(request).await.map_err(|error| format!("no answer: {error}"))?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|error| format!("half an answer: {error}"))?.to_bytes();
    if status != 200 {
        return Err(format!("{status} {}", String::from_utf8_lossy(&body)));
    }
    *connection = Some(sender);
    Ok(())
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| format!("no connection: {error}"))?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok(sender)
}
