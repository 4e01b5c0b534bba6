//! Listeners: accept a connection and hand it to the least loaded core, once.
//!
//! All listeners share one thread. A socket that the kernel spreads over cores by itself
//! (`SO_REUSEPORT`) would leave some cores idle while others are busy.

use super::{clients::Clients, peer::Arrival, tls::Tls};
use crate::{
    metrics::{CoreMetrics, Protection},
    model::listener::{Listener, Protocol},
};
use std::{
    cell::Cell,
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// How many connections the kernel holds for us before they are accepted.
const BACKLOG: i32 = 4096;
/// How long accepting rests on average when the process has no file descriptors left.
const REST: Duration = Duration::from_millis(100);
/// Idle connections are closed once no more than this part of all places is free, and as many.
const SPARE_PART: usize = 32;
/// How often that may happen.
const SHED_PAUSE: Duration = Duration::from_millis(100);

/// A listener whose address is bound.
#[derive(Debug)]
pub struct Bound {
    /// What it was asked to be.
    pub listener: Listener,
    /// The address that it has: the port is never 0.
    pub address: SocketAddr,
    /// Whether others listen on the same port: it then takes no connection before there is a table.
    shared: bool,
    socket: TcpListener,
}

impl Bound {
    /// The socket itself, for who accepts on it in another way.
    #[must_use]
    pub fn into_socket(self) -> TcpListener {
        self.socket
    }
}

/// An address cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error(
    "the {name} listener cannot use {address}: {source}. Choose another address with --{name} ADDR:PORT, or port 0 for any free port"
)]
pub struct BindError {
    name: Arc<str>,
    address: SocketAddr,
    source: io::Error,
}

/// Binds the address of a listener; with `reuse_port`, beside others who do the same.
///
/// # Errors
/// [`BindError`] when the address is in use or not ours.
pub fn bind(listener: Listener, reuse_port: bool) -> Result<Bound, BindError> {
    match bind_socket(listener.address, reuse_port) {
        Ok((socket, address)) => Ok(Bound { listener, address, shared: reuse_port, socket }),
        Err(source) => Err(BindError { name: listener.name, address: listener.address, source }),
    }
}

fn bind_socket(address: SocketAddr, reuse_port: bool) -> io::Result<(TcpListener, SocketAddr)> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(reuse_port)?;
    if address.is_ipv6() {
        // `[::]` takes IPv4 clients too.
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    if !reuse_port {
        socket.listen(BACKLOG)?;
    }
    let socket = TcpListener::from(socket);
    let address = socket.local_addr()?;
    Ok((socket, address))
}

/// A connection on its way to its core.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) arrival: Arrival,
}

/// What a core is told.
#[derive(Debug)]
pub(crate) enum Told {
    /// A connection is its own now.
    Take(Accepted),
    /// It is to close so many connections that idle.
    Shed(usize),
}

/// Where connections for a core go.
#[derive(Clone, Debug)]
pub(crate) struct CoreInbox {
    pub(crate) sockets: mpsc::UnboundedSender<Told>,
    /// Connections that the core has, counted from the moment that they are handed over.
    pub(crate) load: Arc<AtomicUsize>,
}

impl CoreInbox {
    fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// Hands a connection over, or back when the core is gone.
    fn take(&self, accepted: Accepted) -> Result<(), Accepted> {
        self.load.fetch_add(1, Ordering::Relaxed);
        let Err(mpsc::error::SendError(Told::Take(back))) = self.sockets.send(Told::Take(accepted)) else {
            return Ok(());
        };
        self.load.fetch_sub(1, Ordering::Relaxed);
        Err(back)
    }
}

/// What all listeners share.
#[derive(Clone, Debug)]
pub(crate) struct Acceptor {
    pub(crate) cores: Vec<CoreInbox>,
    pub(crate) tls: Arc<Tls>,
    pub(crate) most_connections: usize,
    pub(crate) clients: Arc<Clients>,
    /// Whether connections come from trusted proxies alone, which say whom they are for (PROXY protocol).
    pub(crate) proxied: bool,
    pub(crate) metrics: Arc<CoreMetrics>,
    /// When cores were last told to close idle connections.
    pub(crate) shed: Cell<Option<Instant>>,
}

impl Acceptor {
    /// Accepts connections until `end`, and then those that the kernel has taken already: closing the
    /// socket would reset them. A shared port is not opened before `ready`.
    pub(crate) async fn run(
        self,
        bound: Bound,
        ready: impl Future<Output = ()>,
        end: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let protocol = bound.listener.protocol;
        let mut end = std::pin::pin!(end);
        if bound.shared {
            tokio::select! {
                () = &mut end => return Ok(()),
                () = ready => {}
            }
            socket2::SockRef::from(&bound.socket).listen(BACKLOG)?;
        }
        let socket = tokio::net::TcpListener::from_std(bound.socket)?;
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut end => break,
                accepted = socket.accept() => accepted,
            };
            // The stream leaves this thread's reactor here and joins that of its core.
            match accepted.and_then(|(stream, peer)| Ok((stream.into_std()?, peer))) {
                Ok((stream, peer)) => self.hand_over(stream, peer, protocol),
                Err(error) => self.rest_after(&error).await,
            }
        }
        let socket = socket.into_std()?;
        while let Ok((stream, peer)) = socket.accept() {
            if stream.set_nonblocking(true).is_ok() {
                self.hand_over(stream, peer, protocol);
            }
        }
        Ok(())
    }

    fn hand_over(&self, stream: TcpStream, address: SocketAddr, protocol: Protocol) {
        if self.proxied && !self.clients.trusts(address.ip()) {
            self.metrics.protect(Protection::UntrustedProxy);
            return;
        }
        let open: usize = self.cores.iter().map(CoreInbox::load).sum();
        let spare = self.most_connections / SPARE_PART;
        if open >= self.most_connections - spare {
            self.shed(spare.max(1));
        }
        if open >= self.most_connections || prepare(&stream).is_err() {
            self.metrics.protect(Protection::Connections);
            return;
        }
        let Ok(place) = self.clients.admit(address.ip()) else {
            self.metrics.protect(Protection::ClientConnections);
            return;
        };
        let tls = (protocol == Protocol::Https).then(|| self.tls.secured());
        let proxied = self.proxied.then(|| Arc::clone(&self.clients));
        let mut accepted = Accepted { stream, arrival: Arrival { address, tls, place, proxied } };
        while let Some(core) = self.least_loaded() {
            match core.take(accepted) {
                Ok(()) => return,
                Err(back) => accepted = back,
            }
        }
    }

    /// Has the cores close so many connections that idle: better than to refuse one with a request.
    fn shed(&self, count: usize) {
        if self.shed.get().is_some_and(|last| last.elapsed() < SHED_PAUSE) {
            return;
        }
        self.shed.set(Some(Instant::now()));
        for core in &self.cores {
            // A core that is gone has none.
            let _ = core.sockets.send(Told::Shed(count.div_ceil(self.cores.len())));
        }
    }

    /// A core that takes no more connections has no load, and would be picked again and again.
    fn least_loaded(&self) -> Option<&CoreInbox> {
        self.cores.iter().filter(|core| !core.sockets.is_closed()).min_by_key(|core| core.load())
    }

    /// A connection that broke off before it was accepted is nothing; no descriptors left is a reason
    /// to rest instead of spinning.
    async fn rest_after(&self, error: &io::Error) {
        if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
            self.metrics.protect(Protection::Descriptors);
            tracing::warn!(%error, "cannot accept connections for a moment");
            self.shed(self.most_connections.div_ceil(SPARE_PART));
            // Not all listeners, and not all replicas, at the same moment.
            tokio::time::sleep(REST.mul_f64(0.5 + fastrand::f64())).await;
        }
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = socket2::TcpKeepalive::new().with_time(super::upstream::connect::KEEPALIVE);
    socket2::SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::tls::MinimumVersion;

    #[test]
    fn a_core_that_is_gone_gets_no_connections() {
        let (gone, lost) = mpsc::unbounded_channel();
        let (sockets, mut inbox) = mpsc::unbounded_channel();
        drop(lost);
        let cores = [gone, sockets].map(|sockets| CoreInbox { sockets, load: Arc::default() });
        let acceptor = Acceptor {
            cores: cores.to_vec(),
            tls: Arc::new(Tls::new(MinimumVersion::Tls12, true).unwrap()),
            most_connections: 10,
            clients: Arc::new(Clients::new(None, Arc::default())),
            metrics: Arc::default(),
            proxied: false,
            shed: Cell::default(),
        };
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        for _ in 0..3 {
            let stream = TcpStream::connect(socket.local_addr().unwrap()).unwrap();
            let peer = stream.local_addr().unwrap();
            acceptor.hand_over(stream, peer, Protocol::Http);
            assert!(matches!(inbox.try_recv().unwrap(), Told::Take(accepted) if accepted.arrival.address == peer));
        }
        assert_eq!(cores.each_ref().map(CoreInbox::load), [0, 3]);
    }
}
