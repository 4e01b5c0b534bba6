//! Idle connections to endpoints, of one core.
//!
//! Last in, first out, so that spare connections age and end. The lifetime lies below the 5 s after
//! which common servers close idle connections, so that we close first.

use crate::{
    live::endpoint::Endpoint,
    proxy::{clock::Clock, permit::Permit, request_body::RequestBody},
};
use hashbrown::HashMap;
use hyper::client::conn::http1::SendRequest;
use std::{cell::RefCell, rc::Rc, sync::Arc};

/// How long a connection may idle, in ticks of the clock: 4 s.
const LIFETIME_TICKS: u64 = 40;
/// Idle connections to one endpoint over all cores.
const MOST_IDLE: usize = 1024;
/// How many connections are looked at for one that is ready.
const LOOKS: usize = 4;

/// The sending half of a connection to an endpoint.
pub(crate) type Sender = SendRequest<RequestBody>;

/// The idle connections of one core, by endpoint.
#[derive(Debug)]
pub(crate) struct Pools {
    by_endpoint: RefCell<HashMap<usize, Pool>>,
    most_idle: usize,
    clock: Rc<Clock>,
}

#[derive(Debug)]
struct Pool {
    endpoint: Arc<Endpoint>,
    idle: Vec<Idle>,
}

#[derive(Debug)]
struct Idle {
    sender: Sender,
    since: u64,
}

impl Pools {
    /// Empty pools for one of so many cores.
    pub(crate) fn new(cores: usize, clock: &Rc<Clock>) -> Rc<Self> {
        let most_idle = (MOST_IDLE / cores).max(1);
        Rc::new(Self { by_endpoint: RefCell::default(), most_idle, clock: Rc::clone(clock) })
    }

    /// An idle connection to an endpoint that is ready for a request.
    pub(crate) fn take(&self, endpoint: &Arc<Endpoint>) -> Option<Sender> {
        let mut pools = self.by_endpoint.borrow_mut();
        let idle = &mut pools.get_mut(&key(endpoint))?.idle;
        let mut at = idle.len();
        for _ in 0..LOOKS {
            at = at.checked_sub(1)?;
            if idle[at].sender.is_closed() {
                idle.remove(at);
            } else if idle[at].sender.is_ready() {
                return Some(idle.remove(at).sender);
            }
        }
        None
    }

    fn put(&self, endpoint: &Arc<Endpoint>, sender: Sender) {
        if endpoint.is_removed() || sender.is_closed() {
            return;
        }
        let mut pools = self.by_endpoint.borrow_mut();
        let pool =
            pools.entry(key(endpoint)).or_insert_with(|| Pool { endpoint: Arc::clone(endpoint), idle: Vec::new() });
        if pool.idle.len() < self.most_idle {
            pool.idle.push(Idle { sender, since: self.clock.now() });
        }
    }

    /// Closes connections that idled for too long, or whose endpoint is gone.
    pub(crate) fn sweep(&self) {
        let now = self.clock.now();
        self.by_endpoint.borrow_mut().retain(|_, pool| {
            if pool.endpoint.is_removed() {
                return false;
            }
            pool.idle.retain(|idle| idle.since + LIFETIME_TICKS > now && !idle.sender.is_closed());
            !pool.idle.is_empty()
        });
    }
}

/// Endpoints are told apart by their shared state, which a pool keeps alive.
fn key(endpoint: &Endpoint) -> usize {
    endpoint.key()
}

/// A connection in use, with the permit for its endpoint.
#[derive(Debug)]
pub(crate) struct Lease {
    pools: Rc<Pools>,
    permit: Permit,
    sender: Sender,
}

impl Lease {
    pub(crate) const fn new(pools: Rc<Pools>, permit: Permit, sender: Sender) -> Self {
        Self { pools, permit, sender }
    }

    /// Gives the connection back for the next request.
    pub(crate) fn release(self) {
        self.pools.put(self.permit.endpoint(), self.sender);
    }

    /// Keeps the permit and lets go of the connection, which has become a tunnel.
    pub(crate) fn into_permit(self) -> Permit {
        self.permit
    }
}
