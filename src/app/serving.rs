//! A serving process: from checked flags to running threads, and back down in order.

use super::{
    descriptors,
    failure::Failure,
    source::{self, SourcePlan},
    stopping,
};
use crate::{
    admin::Admin,
    cli::args::{AccessLog, DemoArgs, LocalArgs, PASSWORD, ProcessArgs, ProxyProtocol, StandaloneArgs, TlsVersion},
    control::{
        publish::{Controller, Published},
        report::ObjectReport,
        settle::{Settler, TABLE},
        translate::{Context, Namespaces},
    },
    health::{Checks, census},
    lifecycle::{Readiness, vital::Vitals},
    live::generation::Generation,
    metrics::Metrics,
    model::listener::{Listener, Protocol},
    proxy::{
        engine::{Engine, EngineSettings},
        listener::{Bound, bind},
        tls::{MinimumVersion, Tls},
    },
    settings::{Drain, Limits, TrustedProxies},
    table::swap::{self, Acknowledgements},
};
use rustls::RootCertStore;
use std::{fmt::Display, net::SocketAddr, sync::Arc, time::Duration};
use tokio::sync::{mpsc, watch};

/// How many changes sources may be ahead of the controller.
const CHANGES: usize = 4096;
/// Most series of `paifang_http_requests_total`.
const MOST_SERIES: usize = 1000;

/// What to serve, as the flags say it.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) http: SocketAddr,
    pub(super) https: Option<SocketAddr>,
    pub(super) admin: SocketAddr,
    pub(super) process: ProcessArgs,
    pub(super) source: SourcePlan,
    pub(super) secrets: Namespaces,
    pub(super) watched: Namespaces,
    /// Namespace and name of the pod's ServiceAccount.
    pub(super) account: Option<(String, String)>,
    /// How long draining goes on accepting when the flags do not say.
    pub(super) drain_delay: Duration,
}

impl Serving {
    /// A folder of files.
    pub(super) fn folder(args: StandaloneArgs) -> Self {
        Self::local(args.local, SourcePlan::Folder { folder: args.folder, demo: false })
    }

    /// The quickstart.
    pub(super) fn demo(args: DemoArgs) -> Self {
        let mut serving = Self::local(args.local, SourcePlan::Folder { folder: args.folder, demo: true });
        serving.process.access_log.get_or_insert(AccessLog::Off);
        serving
    }

    fn local(args: LocalArgs, source: SourcePlan) -> Self {
        Self {
            http: args.http,
            https: args.https,
            admin: args.admin,
            process: args.process,
            source,
            secrets: Namespaces::All,
            watched: Namespaces::All,
            account: None,
            drain_delay: Duration::ZERO,
        }
    }

    /// A cluster.
    #[cfg(feature = "kubernetes")]
    pub(super) fn cluster(args: crate::cli::args::ServeArgs) -> Self {
        let watch = source::watch_settings(&args.cluster);
        let only = |names: Vec<Arc<str>>| Namespaces::Only(names.iter().map(ToString::to_string).collect());
        Self {
            http: args.http,
            https: Some(args.https),
            admin: args.admin,
            process: args.process.clone(),
            secrets: watch.tls_namespaces.map_or(Namespaces::All, only),
            watched: if watch.namespaces.is_empty() { Namespaces::All } else { only(watch.namespaces) },
            account: args.cluster.service_account.clone().map(|name| (args.cluster.pod_namespace.clone(), name)),
            source: SourcePlan::Cluster(Box::new(args)),
            drain_delay: Duration::from_secs(10),
        }
    }

    fn context(&self, listeners: Vec<Listener>) -> Context {
        Context {
            class_name: self.process.class_name.clone(),
            controller_name: self.process.controller_name.clone(),
            listeners,
            default_certificate: self.process.default_certificate.clone(),
            ticket_keys: self.process.tls_ticket_keys.clone(),
            secrets: self.secrets.clone(),
            watched: self.watched.clone(),
            service_account: self.account.clone(),
            zone: self.process.zone.as_deref().filter(|zone| !zone.is_empty()).map(Into::into),
            counts_alone: self.process.store.redis.is_none(),
            system_authorities: Arc::new(system_authorities()),
            ..Context::default()
        }
    }

    fn engine_settings(&self, installed: Acknowledgements, vitals: &Vitals) -> Result<EngineSettings, String> {
        let password = std::env::var(PASSWORD).ok().filter(|password| !password.is_empty());
        let limits = self.process.limits.limits();
        Ok(EngineSettings {
            limits: Limits { connections: descriptors::fit(limits.connections), ..limits },
            trusted: TrustedProxies::new(self.process.trusted_proxies.clone()),
            proxied: self.proxied()?,
            drain: Drain {
                delay: self.process.drain_delay.unwrap_or(self.drain_delay),
                timeout: self.process.drain_timeout.unwrap_or(Duration::from_secs(30)),
            },
            access_log: self.process.access_log != Some(AccessLog::Off),
            store: self.process.store.store(password)?,
            installed,
            vitals: vitals.clone(),
        })
    }

    fn proxied(&self) -> Result<bool, String> {
        let required = self.process.proxy_protocol == ProxyProtocol::Required;
        if required && self.process.trusted_proxies.is_empty() {
            return Err(
                "--proxy-protocol required closes every connection, because no proxy is trusted: name the networks of \
                        the load balancers with --trusted-proxies CIDR,..."
                    .to_owned(),
            );
        }
        Ok(required)
    }

    fn cores(&self) -> usize {
        let available = || std::thread::available_parallelism().map_or(1, usize::from);
        self.process.threads.map_or_else(available, usize::from)
    }

    fn bind(&self) -> Result<Vec<Bound>, String> {
        let plain = Some((self.http, "http", Protocol::Http));
        let secure = self.https.map(|address| (address, "https", Protocol::Https));
        let listeners = plain.into_iter().chain(secure);
        listeners
            .map(|(address, name, protocol)| {
                bind(Listener { name: name.into(), address, protocol }, self.process.reuse_port)
            })
            .collect::<Result<_, _>>()
            .map_err(text)
    }
}

fn text(error: impl Display) -> String {
    error.to_string()
}

/// The ends of the channels that the control path runs on.
struct Control {
    changes: mpsc::Receiver<crate::control::change::Change>,
    synced: watch::Receiver<bool>,
    reports: watch::Sender<Arc<Vec<ObjectReport>>>,
    /// Told when a task or thread ends that must not.
    vitals: Vitals,
}

/// Serves until a signal, or until a part is lost that must not be, then drains.
pub(super) fn serve(serving: Serving) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(text)?;
    runtime.block_on(run(serving))
}

async fn run(serving: Serving) -> Result<(), Failure> {
    stopping::ignore_hangups().map_err(text)?;
    let bound = serving.bind()?;
    // Probes and metrics are about one process.
    let admin = Listener { name: "admin".into(), address: serving.admin, protocol: Protocol::Http };
    let admin = bind(admin, false).map_err(text)?;
    let metrics = Arc::new(Metrics::new(serving.cores(), MOST_SERIES).map_err(text)?);
    let readiness = Readiness::default();
    readiness.waits(TABLE, "the first routing table is not installed yet");
    let (vitals, losses) = Vitals::new();
    let (changes_in, changes) = mpsc::channel(CHANGES);
    let (reports, reported) = watch::channel(Arc::default());
    let wiring = source::Wiring {
        changes: changes_in,
        reports: reported,
        readiness: readiness.clone(),
        metrics: metrics.control.clone(),
        vitals: vitals.clone(),
    };
    let addresses = addresses(&bound, &admin);
    let mut source = source::start(&serving.source, wiring).await?;
    let control = Control { changes, synced: source.synced(), reports, vitals: vitals.clone() };
    let (engine, checks, published) = start_engine(&serving, bound, &metrics, &readiness, control)?;
    start_admin(Admin { readiness: readiness.clone(), metrics }, admin, &vitals)?;
    for (name, address) in &addresses {
        tracing::info!(listener = name, address = %address, "listening");
    }
    source.announce(&addresses, published);
    let ended = stopping::run(engine, source, &readiness, losses).await;
    checks.stop();
    ended
}

fn addresses(bound: &[Bound], admin: &Bound) -> Vec<(String, SocketAddr)> {
    bound.iter().chain([admin]).map(|bound| (bound.listener.name.to_string(), bound.address)).collect()
}

fn start_engine(
    serving: &Serving,
    bound: Vec<Bound>,
    metrics: &Arc<Metrics>,
    readiness: &Readiness,
    control: Control,
) -> Result<(Engine, Checks, watch::Receiver<Option<Published>>), String> {
    let minimum = match serving.process.tls_min_version {
        TlsVersion::Tls12 => MinimumVersion::Tls12,
        TlsVersion::Tls13 => MinimumVersion::Tls13,
    };
    let tls = Arc::new(Tls::new(minimum, serving.process.strict_sni).map_err(text)?);
    let (tables, subscribers, installed) = swap::channel::<Generation>(serving.cores());
    let (published, newest) = watch::channel::<Option<Published>>(None);
    let (endpoint_epoch, endpoint_changes) = watch::channel(0);
    let listeners = bound.iter().map(|bound| Listener { address: bound.address, ..bound.listener.clone() }).collect();
    let routes = Arc::clone(&metrics.routes);
    let controller = Controller::new(serving.context(listeners), tables, routes, published, endpoint_epoch);
    let settler = Settler {
        published: newest.clone(),
        endpoint_epoch: endpoint_changes.clone(),
        installed: installed.clone(),
        reports: control.reports,
        readiness: readiness.clone(),
        metrics: metrics.control.clone(),
    };
    let settings = serving.engine_settings(installed, &control.vitals)?;
    let engine = Engine::start(settings, metrics, &tls, bound, subscribers, &endpoint_changes);
    tokio::spawn(control.vitals.hold("the controller", controller.run(control.changes, control.synced)));
    tokio::spawn(control.vitals.hold("the settler", settler.run()));
    census::connect(&newest, &metrics.control);
    let checks = Checks::start(newest.clone(), endpoint_changes, &metrics.control, &control.vitals).map_err(text)?;
    engine.map(|engine| (engine, checks, newest)).map_err(text)
}

fn start_admin(admin: Admin, bound: Bound, vitals: &Vitals) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(text)?;
    let vital = vitals.guard("the admin listener");
    let serve = move || {
        let _vital = vital;
        if let Err(error) = runtime.block_on(admin.serve(bound.into_socket())) {
            tracing::error!(%error, "the admin listener has stopped");
        }
    };
    // It serves until the process ends, so that probes see the drain to its end.
    std::thread::Builder::new().name("admin".to_owned()).spawn(serve).map_err(text)?;
    Ok(())
}

/// The authorities that the system trusts. What cannot be read is left out: where all are, no
/// certificate of an endpoint is believed without authorities of its own.
fn system_authorities() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "authorities of the system cannot be read");
    }
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(found.certs);
    authorities
}
