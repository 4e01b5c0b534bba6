use super::*;
use crate::{
    app::source::{self, SourcePlan, Wiring},
    lifecycle::vital::Vitals,
    live::generation::Generation,
    metrics::Metrics,
    model::listener::{Listener, Protocol},
    proxy::{
        engine::EngineSettings,
        listener::bind,
        tls::{MinimumVersion, Tls},
    },
    settings::{Drain, Limits, TrustedProxies},
    table::swap,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, watch};

/// Everything that a process stops, without a controller.
struct Process {
    engine: Engine,
    source: Running,
    readiness: Readiness,
    losses: Losses,
    tables: swap::Publisher<Generation>,
    vitals: Vitals,
    /// What the parts are connected to.
    _ends: (mpsc::Receiver<crate::control::change::Change>, watch::Sender<u64>, tempfile::TempDir),
}

async fn process() -> Process {
    let folder = tempfile::tempdir().unwrap();
    let (vitals, losses) = Vitals::new();
    let (metrics, readiness) = (Metrics::new(2, 10).unwrap(), Readiness::default());
    let (changes, changed) = mpsc::channel(10);
    let (_, reports) = watch::channel(Arc::default());
    let wiring = Wiring {
        changes,
        reports,
        readiness: readiness.clone(),
        metrics: metrics.control.clone(),
        vitals: vitals.clone(),
    };
    let plan = SourcePlan::Folder { folder: folder.path().to_owned(), demo: false };
    let source = source::start(&plan, wiring).await.unwrap();
    let (tables, cores, installed) = swap::channel(2);
    let (epoch, endpoints) = watch::channel(0);
    let settings = EngineSettings {
        store: None,
        installed,
        limits: Limits::default(),
        trusted: TrustedProxies::default(),
        proxied: false,
        drain: Drain { delay: Duration::ZERO, timeout: Duration::from_secs(5) },
        access_log: false,
        vitals: vitals.clone(),
    };
    let listener = Listener { name: "http".into(), address: ([127, 0, 0, 1], 0).into(), protocol: Protocol::Http };
    let listener = bind(listener, false).unwrap();
    let tls = Arc::new(Tls::new(MinimumVersion::Tls12, true).unwrap());
    let engine = Engine::start(settings, &metrics, &tls, vec![listener], cores, &endpoints).unwrap();
    Process { engine, source, readiness, losses, tables, vitals, _ends: (changed, epoch, folder) }
}

async fn end(engine: Engine, source: Running, readiness: &Readiness, losses: Losses) -> Failure {
    let stopped = run(engine, source, readiness, losses);
    tokio::time::timeout(Duration::from_secs(30), stopped).await.expect("it must stop").unwrap_err()
}

#[tokio::test]
async fn a_panic_of_the_controller_drains_and_ends_the_process_with_1() {
    let Process { engine, source, readiness, losses, tables: _tables, vitals, _ends } = process().await;
    tokio::spawn(vitals.hold("the controller", async { panic!("as it must") }));
    assert!(readiness.is_ready());
    let failure = end(engine, source, &readiness, losses).await;
    assert_eq!(failure.exit_code(), 1);
    let message = failure.to_string();
    assert!(message.starts_with("the controller has panicked"), "{message}");
    assert!(!readiness.is_ready());
}

#[tokio::test]
async fn a_core_that_gets_no_more_tables_ends_the_process_with_1() {
    let Process { engine, source, readiness, losses, tables, vitals: _vitals, _ends } = process().await;
    drop(tables);
    let failure = end(engine, source, &readiness, losses).await;
    assert_eq!(failure.exit_code(), 1);
    assert!(failure.to_string().starts_with("the install task of core "), "{failure}");
}
