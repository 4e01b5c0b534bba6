//! What one core of the data plane owns: its clock, pools, table and counters.
//!
//! Everything here stays on its thread. Other threads reach a core through the sockets that they
//! hand it, the tables that they publish, and the atomics in its metrics.

use super::{
    access_log::LogBuffer,
    clock::Alarm,
    clock::Clock,
    context::Ids,
    installed::Installed,
    learning::Learning,
    limiter::{Counts, Limiter},
    turns::Turns,
    upstream::pool::Pools,
};
use crate::{
    lifecycle::vital::Vitals,
    live::{log_lines::LogLines, moment::Moment, route_stats::RouteStats},
    metrics::CoreMetrics,
    rpc::mucp::Numbers,
    settings::{Limits, SharedStore, TrustedProxies},
};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    fmt::Display,
    net::SocketAddr,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

/// How far the process is in stopping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Not stopping.
    #[default]
    Serving,
    /// Answers ask clients to connect elsewhere; nothing is refused.
    Draining,
    /// Idle connections are closed, requests still end.
    Closing,
}

/// What every core is given at its start.
#[derive(Clone, Debug)]
pub struct CoreSettings {
    /// Limits on requests and connections.
    pub limits: Arc<Limits>,
    /// Peers whose forwarded headers are believed.
    pub trusted: Arc<TrustedProxies>,
    /// The counts of requests that no rule took.
    pub unrouted: Arc<RouteStats>,
    /// What the cores count together for the limits of routes.
    pub counts: Arc<Counts>,
    /// The store in which replicas count together.
    pub store: Option<SharedStore>,
    /// Told when a task of the core ends.
    pub vitals: Vitals,
}

/// One core.
pub(crate) struct Core {
    pub(crate) index: usize,
    pub(crate) clock: Rc<Clock>,
    pub(crate) settings: CoreSettings,
    pub(crate) metrics: Arc<CoreMetrics>,
    pub(crate) log: Option<LogBuffer>,
    pub(crate) random: RefCell<fastrand::Rng>,
    pub(crate) ids: RefCell<Ids>,
    /// Of the calls of methods.
    pub(crate) calls: RefCell<Numbers>,
    pub(crate) learning: Learning,
    pub(crate) pools: Rc<Pools>,
    pub(crate) limiter: Limiter,
    /// For TLS handshakes with clients.
    pub(crate) handshakes: Turns,
    /// Connections and tunnels, read by the listeners to find the least loaded core.
    load: Arc<AtomicUsize>,
    table: RefCell<Rc<Installed>>,
    phase: Cell<Phase>,
    /// How many idle connections are to be closed.
    surplus: Cell<usize>,
    connections: RefCell<HashMap<u64, Rc<Alarm>>>,
    next_connection: Cell<u64>,
    /// Copies of requests under way.
    pub(crate) mirrors: Cell<usize>,
    /// How many requests may be under way.
    most_requests: u64,
    log_lines: LogLines,
    connect_lines: LogLines,
}

impl Core {
    pub(crate) fn new(
        index: usize,
        settings: CoreSettings,
        metrics: Arc<CoreMetrics>,
        log: Option<LogBuffer>,
        load: Arc<AtomicUsize>,
        cores: usize,
    ) -> Rc<Self> {
        let clock = Rc::new(Clock::new());
        let most_requests = settings.limits.requests.div_ceil(cores) as u64;
        let table = RefCell::new(Rc::new(Installed::empty(Arc::clone(&settings.unrouted))));
        Rc::new(Self {
            index,
            pools: Pools::new(cores, &clock),
            clock,
            limiter: Limiter::new(Arc::clone(&settings.counts), settings.store.as_ref()),
            handshakes: Turns::default(),
            settings,
            metrics,
            log,
            random: RefCell::new(fastrand::Rng::new()),
            ids: RefCell::new(Ids::new(fastrand::Rng::new())),
            calls: RefCell::new(Numbers::from(fastrand::u64(..1 << 48))),
            learning: Learning::default(),
            load,
            table,
            phase: Cell::default(),
            surplus: Cell::default(),
            connections: RefCell::default(),
            next_connection: Cell::new(0),
            mirrors: Cell::new(0),
            most_requests,
            log_lines: LogLines::default(),
            connect_lines: LogLines::default(),
        })
    }

    /// The table in use: a request takes it once and keeps it to its end.
    pub(crate) fn table(&self) -> Rc<Installed> {
        Rc::clone(&self.table.borrow())
    }

    /// Whether so many requests are with endpoints that no more are taken.
    pub(crate) fn is_overloaded(&self) -> bool {
        self.metrics.in_flight.get() >= self.most_requests
    }

    pub(crate) fn install(&self, table: Installed) {
        self.table.replace(Rc::new(table));
    }

    /// Whether one more line about an endpoint may be logged: no more than people can read.
    pub(crate) fn may_log(&self, now: Moment) -> bool {
        self.log_lines.take(now)
    }

    /// Logs why there is no connection to an endpoint, as long as there are few such lines.
    pub(crate) fn log_unreachable(&self, endpoint: SocketAddr, error: &dyn Display) {
        if self.connect_lines.take(Moment::of(Instant::now())) {
            tracing::warn!(%endpoint, %error, "no connection to an endpoint");
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Enters a phase and wakes every connection, so that it takes notice.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.wake_all();
    }

    /// Has so many connections closed that idle between requests, if there are so many.
    pub(crate) fn shed(&self, count: usize) {
        self.surplus.set(count);
        self.wake_all();
    }

    /// Whether an idle connection is one of those that are to be closed.
    pub(crate) fn is_surplus(&self) -> bool {
        let surplus = self.surplus.get();
        self.surplus.set(surplus.saturating_sub(1));
        surplus > 0
    }

    fn wake_all(&self) {
        let alarms: Vec<_> = self.connections.borrow().values().cloned().collect();
        for alarm in alarms {
            alarm.wake();
        }
    }

    /// Registers a connection or tunnel. Its place in the load was taken by the listener, or is
    /// taken here for a tunnel, and is given back when the registration is dropped.
    pub(crate) fn register(self: &Rc<Self>, counted: bool) -> Registration {
        if !counted {
            self.load.fetch_add(1, Ordering::Relaxed);
        }
        self.metrics.connections.add(1);
        let number = self.next_connection.get();
        self.next_connection.set(number + 1);
        let alarm = self.clock.alarm();
        self.connections.borrow_mut().insert(number, Rc::clone(&alarm));
        Registration { core: Rc::clone(self), number, alarm }
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("index", &self.index).finish_non_exhaustive()
    }
}

/// A connection's place on its core.
#[derive(Debug)]
pub(crate) struct Registration {
    core: Rc<Core>,
    number: u64,
    alarm: Rc<Alarm>,
}

impl Registration {
    /// The connection's alarm; it also wakes when the core enters another phase.
    pub(crate) const fn alarm(&self) -> &Rc<Alarm> {
        &self.alarm
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.core.connections.borrow_mut().remove(&self.number);
        self.core.load.fetch_sub(1, Ordering::Relaxed);
        self.core.metrics.connections.subtract(1);
        self.core.clock.put_back(Rc::clone(&self.alarm));
    }
}
