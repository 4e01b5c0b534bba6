//! A Kubernetes cluster as the source: watches in, status and leadership out.

use super::Wiring;
use crate::{
    cli::args::{ClusterArgs, ServeArgs},
    control::{
        change::{Change, Object},
        leader::{Leader, LeaseSettings},
        status::{Publish, StatusInputs, StatusMetrics, StatusWriter},
        watch::kubernetes::{Named, Sources, SyncState, WatchMetrics, WatchSettings, client, watch_named},
    },
    lifecycle::{Readiness, vital::Vitals},
    metrics::{ControlMetrics, Reading},
    model::diagnostic::Kind,
};
use k8s_openapi::api::core::v1::Secret;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// The part of readiness that the watches settle.
const SOURCES: &str = "sources";

/// What runs for a cluster.
pub(in crate::app) struct Running {
    sources: Sources,
    status: StatusWriter,
    /// Until this replica leaves.
    leader: Option<Leader>,
    synced: watch::Receiver<bool>,
}

/// Starts the watches, stands for election, and writes status when elected.
pub(super) async fn start(args: &ServeArgs, wiring: Wiring) -> Result<Running, String> {
    let client = client(args.cluster.kubeconfig.as_deref(), args.cluster.context.as_deref())
        .await
        .map_err(|error| error.to_string())?;
    let settings = watch_settings(&args.cluster);
    let watched = Arc::new(WatchMetrics::default());
    let sources = Sources::start(&client, &settings, &wiring.changes, &watched, &wiring.vitals);
    if let Some(name) = &args.process.tls_ticket_keys {
        follow_ticket_keys(&client, name, wiring.changes.clone(), &wiring.vitals);
    }
    let synced = follow_sync(sources.sync(), wiring.readiness, &wiring.vitals);
    let pod_name = args.pod_name.clone().unwrap_or_else(|| "paifang".to_owned());
    let lease = LeaseSettings {
        namespace: args.cluster.pod_namespace.clone(),
        name: args.cluster.lease_name.clone(),
        pod_name: pod_name.clone(),
    };
    let leader = Leader::start(&client, &lease, &wiring.vitals);
    follow_leader(leader.subscribe(), wiring.metrics.clone());
    let written = Arc::new(StatusMetrics::default());
    let status = StatusWriter::start(
        &client,
        StatusInputs {
            reports: wiring.reports,
            leader: leader.subscribe(),
            publish: publish(args, &client),
            controller: args.process.controller_name.clone(),
            pod_name,
            metrics: Arc::clone(&written),
        },
        &wiring.vitals,
    );
    wiring.metrics.watch_errors.read(watch_readings(&watched));
    wiring.metrics.status_writes.read(status_readings(&written));
    Ok(Running { sources, status, leader: Some(leader), synced })
}

/// What the flags ask to watch.
pub(in crate::app) fn watch_settings(args: &ClusterArgs) -> WatchSettings {
    let names =
        |list: &[String]| list.iter().filter(|name| !name.is_empty()).map(|name| name.as_str().into()).collect();
    let tls: Vec<Arc<str>> = names(&args.tls_namespaces);
    let tls_namespaces = match tls.as_slice() {
        [] => Some(vec![args.pod_namespace.as_str().into()]),
        list if list.iter().any(|name| &**name == "*") => None,
        _ => Some(tls),
    };
    WatchSettings {
        namespaces: names(&args.watch_namespaces),
        tls_namespaces,
        pod_weights: args.pod_weights,
        pod_registrations: args.pod_registrations,
    }
}

/// The Secret with session ticket keys is not a certificate, so that the watches leave it out.
fn follow_ticket_keys(
    client: &kube::Client,
    (namespace, name): &(String, String),
    changes: mpsc::Sender<Change>,
    vitals: &Vitals,
) {
    let mut newest = watch_named::<Secret>(client, namespace, name);
    tokio::spawn(vitals.hold("the watch of the ticket keys", async move {
        while newest.changed().await.is_ok() {
            let Named::Found(secret) = newest.borrow_and_update().clone() else { continue };
            if changes.send(Change::Upsert(Object::Secret(secret))).await.is_err() {
                return;
            }
        }
    }));
}

fn publish(args: &ServeArgs, client: &kube::Client) -> Publish {
    if let Some((namespace, name)) = &args.cluster.publish_service {
        return Publish::Service(watch_named(client, namespace, name));
    }
    let addresses: Vec<_> = args.publish_address.iter().map(|address| address.as_str().into()).collect();
    if addresses.is_empty() { Publish::Nothing } else { Publish::Addresses(addresses) }
}

/// Turns true once every watch has told all that it has, and says meanwhile what is missing.
fn follow_sync(mut state: watch::Receiver<SyncState>, readiness: Readiness, vitals: &Vitals) -> watch::Receiver<bool> {
    let (sender, synced) = watch::channel(false);
    readiness.waits(SOURCES, "no answer from the API server yet");
    tokio::spawn(vitals.hold("the synchronisation", async move {
        loop {
            let now = describe(&state.borrow_and_update());
            match now {
                None => break,
                Some(waiting) => readiness.waits(SOURCES, &waiting),
            }
            if state.changed().await.is_err() {
                return;
            }
        }
        readiness.done(SOURCES);
        sender.send_replace(true);
        // The receivers need the sender for as long as they look.
        sender.closed().await;
    }));
    synced
}

fn describe(state: &SyncState) -> Option<String> {
    let waiting: Vec<_> = state
        .waiting()
        .map(|(scope, reason)| match &scope.namespace {
            Some(namespace) => format!("{} in {namespace}: {reason}", scope.kind),
            None => format!("{}: {reason}", scope.kind),
        })
        .collect();
    (!state.is_synced()).then(|| waiting.join("; "))
}

fn follow_leader(mut leader: watch::Receiver<bool>, metrics: ControlMetrics) {
    tokio::spawn(async move {
        loop {
            metrics.leader.set(i64::from(*leader.borrow_and_update()));
            if leader.changed().await.is_err() {
                return;
            }
        }
    });
}

fn watch_readings(metrics: &Arc<WatchMetrics>) -> Vec<Reading> {
    let reading = |kind: Kind| {
        let metrics = Arc::clone(metrics);
        Reading::new(kind.as_str(), move || metrics.errors(kind))
    };
    Kind::ALL.into_iter().map(reading).collect()
}

fn status_readings(metrics: &Arc<StatusMetrics>) -> Vec<Reading> {
    let reading = |result, read: fn(&StatusMetrics) -> u64| {
        let metrics = Arc::clone(metrics);
        Reading::new(result, move || read(&metrics))
    };
    vec![
        reading("written", StatusMetrics::written),
        reading("failed", StatusMetrics::failed),
        reading("skipped", StatusMetrics::skipped),
    ]
}

impl Running {
    pub(super) fn synced(&self) -> watch::Receiver<bool> {
        self.synced.clone()
    }

    /// Gives the Lease back, so that another replica writes status while this one drains. The
    /// watches go on: requests that are still taken go to the newest endpoints.
    pub(super) async fn leave(&mut self) {
        if let Some(leader) = self.leader.take() {
            leader.stop().await;
        }
    }

    pub(super) async fn stop(mut self) {
        self.leave().await;
        self.status.stop().await;
        self.sources.stop().await;
    }
}
