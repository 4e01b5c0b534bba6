//! The engine: the threads of the data path, from their start to the end of the drain.

use super::{
    access_log::{self, LogBuffer},
    clients::Clients,
    connection,
    core::{Core, CoreSettings, Phase},
    install,
    listener::{Accepted, Acceptor, Bound, CoreInbox, Told},
    tls::Tls,
};
use crate::{
    lifecycle::vital::Vitals,
    live::generation::Generation,
    metrics::Metrics,
    settings::{Drain, Limits, SharedStore, TrustedProxies},
    table::swap::{Acknowledgements, Subscriber},
};
use std::{
    cell::Cell,
    io,
    rc::Rc,
    sync::{Arc, atomic::AtomicUsize},
    thread::JoinHandle,
    time::Duration,
};
use tokio::{
    runtime::{Builder, LocalOptions},
    sync::{mpsc, watch},
    task::JoinSet,
};

/// How often a core looks after its pools and flushes its log.
const HOUSEKEEPING: Duration = Duration::from_millis(100);

/// What the engine is started with.
#[derive(Debug)]
pub struct EngineSettings {
    /// Limits on requests and connections.
    pub limits: Limits,
    /// Peers whose forwarded headers are believed.
    pub trusted: TrustedProxies,
    /// Whether trusted proxies say first whom a connection is for (PROXY protocol), and nobody else connects.
    pub proxied: bool,
    /// How it stops.
    pub drain: Drain,
    /// Whether requests are logged on standard output.
    pub access_log: bool,
    /// The store in which replicas count together, if there is one.
    pub store: Option<SharedStore>,
    /// What the cores run: a port that others share is opened once all of them have a table.
    pub installed: Acknowledgements,
    /// Told when a thread or task of the engine ends.
    pub vitals: Vitals,
}

/// The threads of the data path.
#[derive(Debug)]
pub struct Engine {
    phase: watch::Sender<Phase>,
    cores: Vec<JoinHandle<()>>,
    acceptor: JoinHandle<()>,
    log_writer: Option<JoinHandle<()>>,
    loads: Vec<Arc<AtomicUsize>>,
    drain: Drain,
}

impl Engine {
    /// Starts a thread for each subscriber, and one that accepts.
    ///
    /// # Errors
    /// When the operating system gives no more threads.
    pub fn start(
        settings: EngineSettings,
        metrics: &Metrics,
        tls: &Arc<Tls>,
        listeners: Vec<Bound>,
        tables: Vec<Subscriber<Generation>>,
        endpoints: &watch::Receiver<u64>,
    ) -> io::Result<Self> {
        let (phase, phases) = watch::channel(Phase::Serving);
        let (log, log_writer) = if settings.access_log { start_log(&settings.vitals)? } else { (None, None) };
        let core_settings = CoreSettings {
            limits: Arc::new(settings.limits),
            trusted: Arc::new(settings.trusted),
            unrouted: metrics.routes.unrouted(),
            counts: Arc::default(),
            store: settings.store,
            vitals: settings.vitals.clone(),
        };
        let count = tables.len();
        let (mut cores, mut inboxes) = (Vec::new(), Vec::new());
        for (index, table) in tables.into_iter().enumerate() {
            let load = Arc::new(AtomicUsize::new(0));
            let (sockets, inbox) = mpsc::unbounded_channel();
            inboxes.push(CoreInbox { sockets, load: Arc::clone(&load) });
            let (settings, metrics) = (core_settings.clone(), Arc::clone(&metrics.cores[index]));
            let (log, phases, endpoints) = (log.clone(), phases.clone(), endpoints.clone());
            let tls = (index == 0).then(|| Arc::clone(tls));
            let vital = settings.vitals.guard(&format!("core {index}"));
            let run = move || {
                let _vital = vital;
                let core = Core::new(index, settings, metrics, log.map(LogBuffer::new), load, count);
                block_on_local(run_core(core, tls, table, inbox, phases, endpoints));
            };
            cores.push(std::thread::Builder::new().name(format!("core-{index}")).spawn(run)?);
        }
        let loads = inboxes.iter().map(|inbox| Arc::clone(&inbox.load)).collect();
        let acceptor = Acceptor {
            cores: inboxes,
            tls: Arc::clone(tls),
            most_connections: core_settings.limits.connections,
            clients: Arc::new(Clients::new(
                core_settings.limits.connections_of_client,
                Arc::clone(&core_settings.trusted),
            )),
            proxied: settings.proxied,
            metrics: Arc::clone(&metrics.acceptor),
            shed: Cell::default(),
        };
        let accepting = core_settings
            .vitals
            .hold("the accepting thread", accept(acceptor, listeners, settings.installed, phases, settings.vitals));
        let acceptor =
            std::thread::Builder::new().name("accept".to_owned()).spawn(move || block_on_local(accepting))?;
        Ok(Self { phase, cores, acceptor, log_writer, loads, drain: settings.drain })
    }

    /// How many connections are open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.loads.iter().map(|load| load.load(std::sync::atomic::Ordering::Relaxed)).sum()
    }

    /// Stops in order: goes on accepting for the drain delay while answers ask clients to connect
    /// elsewhere, then closes idle connections and waits for the rest up to the drain time-out.
    /// `fast` leaves the delay out.
    pub async fn drain(self, fast: bool) {
        self.phase.send_replace(Phase::Draining);
        if !fast {
            tokio::time::sleep(self.drain.delay).await;
        }
        self.phase.send_replace(Phase::Closing);
        let waited = tokio::time::timeout(self.drain.timeout, self.all_closed()).await;
        if waited.is_err() {
            tracing::warn!(connections = self.open_connections(), "the drain time-out is over: closing what is left");
        }
        self.stop();
    }

    async fn all_closed(&self) {
        // The last connections are handed over before the accepting thread ends.
        while !self.acceptor.is_finished() || self.open_connections() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn stop(self) {
        drop(self.phase);
        let threads = std::iter::once(self.acceptor).chain(self.cores).chain(self.log_writer);
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the data path has panicked");
            }
        }
    }
}

type LogQueue = std::sync::mpsc::SyncSender<Vec<u8>>;

fn start_log(vitals: &Vitals) -> io::Result<(Option<LogQueue>, Option<JoinHandle<()>>)> {
    let (queue, buffers) = access_log::channel();
    let vital = vitals.guard("the access log");
    let write = move || {
        let _vital = vital;
        access_log::write_all(&buffers, &mut io::stdout());
    };
    let thread = std::thread::Builder::new().name("access-log".to_owned()).spawn(write)?;
    Ok((Some(queue), Some(thread)))
}

fn block_on_local(work: impl Future<Output = ()>) {
    match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => tracing::error!(%error, "a thread of the data path cannot start its runtime"),
    }
}

/// Accepts until the drain delay is over.
async fn accept(
    acceptor: Acceptor,
    listeners: Vec<Bound>,
    installed: Acknowledgements,
    phases: watch::Receiver<Phase>,
    vitals: Vitals,
) {
    let mut accepting = JoinSet::new();
    for bound in listeners {
        let acceptor = acceptor.clone();
        let part = format!("the {} listener", bound.listener.name);
        let (mut phases, mut installed) = (phases.clone(), installed.clone());
        let ready = async move {
            // A core that is gone ends the process.
            let _ = installed.installed(1).await;
        };
        // Either the phase comes, or the engine is gone: both end the listeners.
        let end = async move { drop(phases.wait_for(|phase| *phase == Phase::Closing).await) };
        accepting.spawn_local(vitals.hold(&part, async move {
            if let Err(error) = acceptor.run(bound, ready, end).await {
                tracing::error!(%error, "a listener has stopped");
            }
        }));
    }
    drop(acceptor);
    // A listener that ends before that is told of by its guard.
    while accepting.join_next().await.is_some() {}
}

/// Runs one core until the engine is gone.
async fn run_core(
    core: Rc<Core>,
    tls: Option<Arc<Tls>>,
    table: Subscriber<Generation>,
    mut inbox: mpsc::UnboundedReceiver<Told>,
    phases: watch::Receiver<Phase>,
    endpoints: watch::Receiver<u64>,
) {
    let clock = Rc::clone(&core.clock);
    spawn_vital(&core, "clock", async move { clock.run().await });
    spawn_vital(&core, "install", install::run(Rc::clone(&core), tls, table));
    spawn_vital(&core, "housekeeping", housekeep(Rc::clone(&core)));
    let connecting = Rc::clone(&core);
    spawn_vital(&core, "store", async move { connecting.limiter.keep_connected(&connecting.metrics).await });
    spawn_vital(&core, "endpoints", forget_endpoints(Rc::clone(&core), endpoints));
    let serving = Rc::clone(&core);
    spawn_vital(&core, "inbox", async move {
        while let Some(told) = inbox.recv().await {
            match told {
                Told::Take(accepted) => begin(&serving, accepted),
                Told::Shed(count) => serving.shed(count),
            }
        }
    });
    follow(&core, phases).await;
    flush(&core);
}

/// A core without one of its tasks would go on half alive.
fn spawn_vital(core: &Core, task: &str, work: impl Future<Output = ()> + 'static) {
    let part = format!("the {task} task of core {}", core.index);
    tokio::task::spawn_local(core.settings.vitals.hold(&part, work));
}

fn begin(core: &Rc<Core>, accepted: Accepted) {
    match tokio::net::TcpStream::from_std(accepted.stream) {
        Ok(stream) => {
            tokio::task::spawn_local(connection::serve(Rc::clone(core), stream, accepted.arrival));
        }
        // The place that the acceptor took is given back.
        Err(_) => drop(core.register(true)),
    }
}

async fn housekeep(core: Rc<Core>) {
    let mut interval = tokio::time::interval(HOUSEKEEPING);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        core.pools.sweep();
        flush(&core);
    }
}

fn flush(core: &Core) {
    if let Some(log) = &core.log {
        log.flush(&core.metrics);
    }
}

/// Closes pooled connections as soon as their endpoint is gone.
async fn forget_endpoints(core: Rc<Core>, mut endpoints: watch::Receiver<u64>) {
    while endpoints.changed().await.is_ok() {
        core.pools.sweep();
    }
}

async fn follow(core: &Core, mut phases: watch::Receiver<Phase>) {
    while phases.changed().await.is_ok() {
        core.enter(*phases.borrow_and_update());
    }
}
