//! Connections to endpoints that wait for requests, of one core.
//!
//! Of those that carry one request at a time the last one in is the first one out, so that spare
//! connections age and end. Their lifetime lies below the 5 s after which common servers close idle
//! connections, so that we close first.

use super::{connection::Connection, dialling::UnderWay, http2::Multiplexed, tls::Configurations};
use crate::{
    live::endpoint::Endpoint,
    model::transport::{EndpointTls, Protocol, Transport},
    proxy::{clock::Clock, permit::Permit, request_body::RequestBody},
};
use hashbrown::HashMap;
use hyper::client::conn::http1;
use rustls::ClientConfig;
use std::{cell::RefCell, rc::Rc, sync::Arc};

/// How long a connection may idle, in ticks of the clock: 4 s.
const LIFETIME_TICKS: u64 = 40;
/// How long one that many requests share may idle: 30 s. Its end is announced, so that it may idle
/// for longer.
const SHARED_LIFETIME_TICKS: u64 = 300;
/// Idle connections to one endpoint over all cores.
const MOST_IDLE: usize = 1024;
/// How many connections are looked at for one that is ready.
const LOOKS: usize = 4;

/// The waiting connections of one core, by endpoint and transport.
#[derive(Debug)]
pub(crate) struct Pools {
    by_key: RefCell<HashMap<Key, Pool>>,
    most_idle: usize,
    clock: Rc<Clock>,
    tls: Configurations,
}

/// Endpoints are told apart by their shared state, which a pool keeps alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    endpoint: usize,
    transport: u64,
}

impl Key {
    fn of(endpoint: &Endpoint, transport: &Transport) -> Self {
        Self { endpoint: endpoint.key(), transport: transport.key() }
    }
}

#[derive(Debug)]
struct Pool {
    endpoint: Arc<Endpoint>,
    idle: Vec<Idle>,
    shared: Vec<Rc<Multiplexed>>,
    dialling: UnderWay,
    /// The endpoint took HTTP/1.1 though HTTP/2 was offered, so that no dial can be shared.
    speaks_http1: bool,
}

#[derive(Debug)]
struct Idle {
    sender: http1::SendRequest<RequestBody>,
    since: u64,
}

impl Pools {
    /// Empty pools for one of so many cores.
    pub(crate) fn new(cores: usize, clock: &Rc<Clock>) -> Rc<Self> {
        let most_idle = (MOST_IDLE / cores).max(1);
        Rc::new(Self { by_key: RefCell::default(), most_idle, clock: Rc::clone(clock), tls: Configurations::default() })
    }

    /// A connection to an endpoint that is ready for a request.
    pub(super) fn take(&self, endpoint: &Endpoint, transport: &Transport) -> Option<Connection> {
        self.by_key.borrow_mut().get_mut(&Key::of(endpoint, transport))?.take()
    }

    fn with<T>(&self, endpoint: &Arc<Endpoint>, key: Key, act: impl FnOnce(&mut Pool) -> T) -> T {
        act(self.by_key.borrow_mut().entry(key).or_insert_with(|| Pool::new(endpoint)))
    }

    fn put(&self, endpoint: &Arc<Endpoint>, key: Key, sender: http1::SendRequest<RequestBody>) {
        if endpoint.is_removed() || sender.is_closed() {
            return;
        }
        let since = self.clock.now();
        self.with(endpoint, key, |pool| {
            if pool.idle.len() < self.most_idle {
                pool.idle.push(Idle { sender, since });
            }
        });
    }

    /// Lets all requests use a connection.
    pub(super) fn share(&self, endpoint: &Arc<Endpoint>, transport: &Transport, shared: &Rc<Multiplexed>) {
        self.with(endpoint, Key::of(endpoint, transport), |pool| {
            pool.speaks_http1 = false;
            pool.shared.push(Rc::clone(shared));
        });
    }

    /// Notes that the endpoint took HTTP/1.1.
    pub(super) fn note_http1(&self, endpoint: &Arc<Endpoint>, transport: &Transport) {
        self.with(endpoint, Key::of(endpoint, transport), |pool| pool.speaks_http1 = true);
    }

    /// Whether requests can share a dial.
    pub(super) fn shares_dials(&self, endpoint: &Endpoint, transport: &Transport) -> bool {
        let pools = self.by_key.borrow();
        transport.protocol == Protocol::Http2
            && pools.get(&Key::of(endpoint, transport)).is_none_or(|pool| !pool.speaks_http1)
    }

    /// The dial that is under way.
    pub(super) fn dialling(&self, endpoint: &Endpoint, transport: &Transport) -> UnderWay {
        let pools = self.by_key.borrow();
        pools.get(&Key::of(endpoint, transport)).map(|pool| pool.dialling.clone()).unwrap_or_default()
    }

    /// Notes which dial is under way.
    pub(super) fn dials(&self, endpoint: &Arc<Endpoint>, transport: &Transport, dialling: UnderWay) {
        self.with(endpoint, Key::of(endpoint, transport), |pool| pool.dialling = dialling);
    }

    /// How a transport speaks TLS.
    pub(super) fn tls(&self, transport: &Transport, tls: &EndpointTls) -> Result<Arc<ClientConfig>, rustls::Error> {
        self.tls.of(transport, tls, self.clock.now())
    }

    /// Closes connections that idled for too long, or whose endpoint is gone.
    pub(crate) fn sweep(&self) {
        let now = self.clock.now();
        self.tls.sweep(now);
        self.by_key.borrow_mut().retain(|_, pool| !pool.endpoint.is_removed() && pool.sweep(now));
    }
}

impl Pool {
    fn new(endpoint: &Arc<Endpoint>) -> Self {
        Self {
            endpoint: Arc::clone(endpoint),
            idle: Vec::new(),
            shared: Vec::new(),
            dialling: UnderWay::default(),
            speaks_http1: false,
        }
    }

    fn take(&mut self) -> Option<Connection> {
        self.take_shared().or_else(|| self.take_idle())
    }

    fn take_shared(&mut self) -> Option<Connection> {
        self.shared.retain(|shared| !shared.is_closed());
        self.shared.iter().find(|shared| !shared.is_busy()).and_then(Multiplexed::open).map(Connection::Http2)
    }

    fn take_idle(&mut self) -> Option<Connection> {
        let mut at = self.idle.len();
        for _ in 0..LOOKS {
            at = at.checked_sub(1)?;
            if self.idle[at].sender.is_closed() {
                self.idle.remove(at);
            } else if self.idle[at].sender.is_ready() {
                return Some(Connection::Http1(self.idle.remove(at).sender));
            }
        }
        None
    }

    /// Closes what idled for too long. Returns whether anything is left.
    fn sweep(&mut self, now: u64) -> bool {
        self.idle.retain(|idle| idle.since + LIFETIME_TICKS > now && !idle.sender.is_closed());
        let oldest = now.saturating_sub(SHARED_LIFETIME_TICKS);
        self.shared.retain(|shared| !shared.is_closed() && !shared.is_unused_since(oldest));
        !self.idle.is_empty() || !self.shared.is_empty() || self.dialling.is_some()
    }
}

/// What a connection is used with: the permit for its endpoint, and where it goes back to.
#[derive(Debug)]
pub(crate) struct Lease {
    pools: Rc<Pools>,
    permit: Permit,
    key: Key,
}

impl Lease {
    pub(crate) fn new(pools: Rc<Pools>, permit: Permit, transport: &Transport) -> Self {
        let key = Key::of(permit.endpoint(), transport);
        Self { pools, permit, key }
    }

    /// Gives the connection back for the next request. A place on one that is shared is given back
    /// by dropping it.
    pub(crate) fn release(self, connection: Connection) {
        if let Connection::Http1(sender) = connection {
            self.pools.put(self.permit.endpoint(), self.key, sender);
        }
    }

    /// Keeps the permit alone.
    pub(crate) fn into_permit(self) -> Permit {
        self.permit
    }
}
