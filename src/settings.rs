//! What the process was told, checked: limits, time-outs and addresses. Nothing here is text any
//! more; the raw flags are in `cli`.

use clap::ValueEnum;
use ipnet::IpNet;
use std::{
    fmt,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Limits on requests and connections, the same on every core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of a request target. Beyond: 414. Default 8192.
    pub uri_bytes: usize,
    /// Most bytes of all header names and values. Beyond: 431. Default 16384.
    pub header_bytes: usize,
    /// Most header fields. Beyond: 431. Default 100.
    pub headers: usize,
    /// Most bytes of a request body, `None` for no limit. Beyond: 413. Default none.
    pub body_bytes: Option<u64>,
    /// Most connections from clients at one time. Beyond: closed at once. Default 20000.
    pub connections: usize,
    /// Most requests under way at one time; each core has its part. Beyond: 503 at once. Default 20000.
    pub requests: usize,
    /// Most connections of one client that is no trusted proxy, `None` for no limit. Beyond: closed at
    /// once. Default none.
    pub connections_of_client: Option<usize>,
    /// Most streams of one HTTP/2 connection. Default 100.
    pub streams: u32,
    /// How long a TLS handshake may take. Default 10 s.
    pub handshake_timeout: Duration,
    /// How long a request head may take, from its first byte. Default 10 s.
    pub head_timeout: Duration,
    /// How long a client may pause within a request body. Beyond: 408. Default 30 s.
    pub body_timeout: Duration,
    /// Least bytes per second of a request body, after a grace of 10 s of waiting for it; 0 for
    /// none. Below: 408. Default 240.
    pub body_rate: u64,
    /// How long a connection may idle between requests. Default 60 s.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of what it is sent; less than 1 KiB counts as nothing.
    /// Beyond: closed. Default 30 s.
    pub write_timeout: Duration,
    /// How long a response body may stand still, `None` for no limit. Beyond: broken off. Default 5
    /// min.
    pub stream_idle_timeout: Option<Duration>,
    /// How long nothing may pass through a tunnel, `None` for no limit. Beyond: closed. Default 1 h.
    pub tunnel_idle_timeout: Option<Duration>,
    /// Networks in which clients of `/rpc` may name the node to call. Others: 403. Default none.
    pub rpc_addresses: Box<[IpNet]>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            uri_bytes: 8192,
            header_bytes: 16_384,
            headers: 100,
            body_bytes: None,
            connections: 20_000,
            requests: 20_000,
            connections_of_client: None,
            streams: 100,
            handshake_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            body_rate: 240,
            idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            stream_idle_timeout: Some(Duration::from_secs(5 * 60)),
            tunnel_idle_timeout: Some(Duration::from_secs(60 * 60)),
            rpc_addresses: Box::default(),
        }
    }
}

/// The form of the process' own log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    #[default]
    Auto,
    /// One JSON object for each line.
    Json,
    /// For people.
    Text,
}

/// How the process stops.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    /// How long it goes on accepting after it said that it is not ready. Default 10 s.
    pub delay: Duration,
    /// How long requests may then still take. Default 30 s.
    pub timeout: Duration,
}

/// The peers whose forwarded headers are believed.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Box<[IpNet]>);

impl TrustedProxies {
    /// These networks.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks.into())
    }

    /// Whether an address lies in one of the networks.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// The Redis or Valkey in which replicas count together.
#[derive(Clone)]
pub struct SharedStore {
    /// Opens connections.
    pub client: redis::Client,
    /// How long a request waits for it. Default 50 ms.
    pub timeout: Duration,
    /// Whether it answers, as the log has it.
    pub state: Arc<StoreState>,
}

impl fmt::Debug for SharedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client holds a password.
        f.debug_struct("SharedStore").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// Whether the shared store answers: each change is one line of the log, however many cores and
/// requests meet it.
#[derive(Debug, Default)]
pub struct StoreState {
    down: AtomicBool,
}

impl StoreState {
    /// It does not answer, for this reason.
    pub fn is_down(&self, why: &dyn fmt::Display) {
        if !self.down.swap(true, Ordering::Relaxed) {
            tracing::warn!(error = %why, "the shared store does not answer: limits of scope Cluster let every request pass");
        }
    }

    /// It answers.
    pub fn is_up(&self) {
        if self.down.swap(false, Ordering::Relaxed) {
            tracing::info!("the shared store answers: limits of scope Cluster hold");
        }
    }
}
