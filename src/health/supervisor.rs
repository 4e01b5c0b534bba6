//! Who is checked: a task for each endpoint that takes requests, as long as its Service port asks
//! for checks. Endpoints and policies are followed as they change.

use super::{
    fault::Fault,
    probe::{Speech, probe},
    record::Record,
};
use crate::{
    control::publish::Published,
    live::{endpoint::Endpoint, log_lines::LogLines, moment::Moment},
    metrics::{ControlMetrics, Reading},
    model::{health::HealthCheck, target::ServicePort, transport::Transport},
};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};
use tokio::{
    sync::{Semaphore, watch},
    task::{AbortHandle, JoinSet},
};

/// Most checks at one time; more wait.
const MOST_AT_ONCE: usize = 128;

/// All checks of the process.
#[derive(Debug)]
pub(super) struct Supervisor {
    tasks: JoinSet<()>,
    /// By the key of the endpoint.
    running: HashMap<usize, Running>,
    shared: Arc<Shared>,
}

/// The checks of one endpoint.
#[derive(Debug)]
struct Running {
    /// Keeps the key from being given to another endpoint.
    endpoint: Arc<Endpoint>,
    check: Arc<HealthCheck>,
    transport: Transport,
    task: AbortHandle,
}

/// What all tasks share.
#[derive(Debug)]
struct Shared {
    places: Semaphore,
    log: LogLines,
    passed: AtomicU64,
    failed: AtomicU64,
    /// Checks that found no place at once.
    delayed: AtomicU64,
    /// Endpoints that were found to be unhealthy.
    fell_ill: AtomicU64,
    /// Endpoints that were found to be healthy again.
    recovered: AtomicU64,
}

/// An endpoint that is to be checked.
#[derive(Clone, Debug)]
struct Target {
    port: ServicePort,
    endpoint: Arc<Endpoint>,
    check: Arc<HealthCheck>,
    transport: Transport,
}

impl Supervisor {
    pub(super) fn new(metrics: &ControlMetrics) -> Self {
        let shared = Arc::new(Shared {
            places: Semaphore::new(MOST_AT_ONCE),
            log: LogLines::default(),
            passed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            delayed: AtomicU64::new(0),
            fell_ill: AtomicU64::new(0),
            recovered: AtomicU64::new(0),
        });
        let reading = |label, read: fn(&Shared) -> &AtomicU64| {
            let shared = Arc::clone(&shared);
            Reading::new(label, move || read(&shared).load(Ordering::Relaxed))
        };
        metrics.health_checks.read(vec![
            reading("passed", |shared| &shared.passed),
            reading("failed", |shared| &shared.failed),
            reading("delayed", |shared| &shared.delayed),
        ]);
        metrics.health_transitions.read(vec![
            reading("healthy", |shared| &shared.recovered),
            reading("unhealthy", |shared| &shared.fell_ill),
        ]);
        Self { tasks: JoinSet::new(), running: HashMap::new(), shared }
    }

    /// Follows what is published until nobody publishes any more.
    pub(super) async fn run(
        mut self,
        mut published: watch::Receiver<Option<Published>>,
        mut endpoints: watch::Receiver<u64>,
    ) {
        loop {
            let changed = tokio::select! {
                changed = published.changed() => changed,
                changed = endpoints.changed() => changed,
                Some(ended) = self.tasks.join_next() => {
                    if ended.is_err_and(|error| error.is_panic()) {
                        tracing::error!("a health check has panicked");
                    }
                    Ok(())
                }
            };
            if changed.is_err() {
                return;
            }
            let newest = published.borrow_and_update().clone();
            self.follow(newest.as_ref());
        }
    }

    /// Stops the checks that nobody wants any more, and starts those that are new.
    fn follow(&mut self, published: Option<&Published>) {
        let mut wanted = published.map(targets).unwrap_or_default();
        self.running.retain(|key, running| {
            let target = wanted.get(key);
            let is_same = |target: &Target| target.check == running.check && target.transport == running.transport;
            let stays = target.is_some_and(is_same) && !running.task.is_finished();
            if !stays {
                running.task.abort();
            }
            if target.is_none() {
                running.endpoint.set_unhealthy(false);
            }
            stays
        });
        wanted.retain(|key, _| !self.running.contains_key(key));
        for (key, target) in wanted {
            let (endpoint, check) = (Arc::clone(&target.endpoint), Arc::clone(&target.check));
            let transport = target.transport.clone();
            let task = self.tasks.spawn(target.watch(Arc::clone(&self.shared)));
            self.running.insert(key, Running { endpoint, check, transport, task });
        }
    }
}

/// The endpoints that take requests of all Service ports that ask for checks.
fn targets(published: &Published) -> HashMap<usize, Target> {
    let generation = &published.generation.value;
    let upstreams = generation.snapshot.upstreams.iter().zip(&generation.cells);
    let checked =
        upstreams.filter_map(|(upstream, cell)| Some((upstream, cell, upstream.policy.health_check.as_ref()?)));
    let mut targets = HashMap::new();
    for (upstream, cell, check) in checked {
        for endpoint in &cell.load().eligible {
            let Some(transport) = &upstream.transport else { continue };
            let (port, endpoint) = (upstream.port.clone(), Arc::clone(endpoint));
            let target = Target { port, endpoint, check: Arc::clone(check), transport: transport.clone() };
            targets.insert(target.endpoint.key(), target);
        }
    }
    targets
}

impl Target {
    /// Checks for ever.
    async fn watch(self, shared: Arc<Shared>) {
        let mut record = Record::new(self.endpoint.is_unhealthy());
        let speech = Speech::of(&self.transport, &self.check);
        // Spread over the interval, so that a start is no burst.
        tokio::time::sleep(self.check.interval.mul_f64(fastrand::f64())).await;
        loop {
            let result = shared.check(&self, speech.as_ref()).await;
            if let Some(unhealthy) = record.note(result.is_ok(), &self.check) {
                self.change(unhealthy, result, &shared);
            }
            tokio::time::sleep(self.check.interval).await;
        }
    }

    /// Tells the cores, and the log.
    fn change(&self, unhealthy: bool, result: Result<(), Fault>, shared: &Shared) {
        let now = Moment::of(Instant::now());
        self.endpoint.set_unhealthy(unhealthy);
        if !unhealthy {
            // It comes back as slowly as a new one.
            self.endpoint.become_ready(now);
        }
        let count = if unhealthy { &shared.fell_ill } else { &shared.recovered };
        count.fetch_add(1, Ordering::Relaxed);
        if !shared.log.take(now) {
            return;
        }
        let (endpoint, service) = (self.endpoint.address(), &self.port);
        match result {
            Ok(()) => {
                tracing::info!(%endpoint, %service, passed = self.check.healthy_threshold, "endpoint healthy again");
            }
            Err(fault) => {
                let failed = self.check.unhealthy_threshold;
                tracing::warn!(%endpoint, %service, reason = %fault, failed, "endpoint unhealthy");
            }
        }
    }
}

impl Shared {
    async fn check(&self, target: &Target, speech: Result<&Speech, &rustls::Error>) -> Result<(), Fault> {
        let _place = match self.places.try_acquire() {
            Ok(place) => Some(place),
            Err(_) => {
                self.delayed.fetch_add(1, Ordering::Relaxed);
                self.places.acquire().await.ok()
            }
        };
        let result = match speech {
            Ok(speech) => probe(&target.endpoint, &target.check, speech).await,
            Err(error) => Err(Fault::NoTls(error.clone())),
        };
        let count = if result.is_ok() { &self.passed } else { &self.failed };
        count.fetch_add(1, Ordering::Relaxed);
        result
    }
}
