//! The cluster source: one watch per kind and namespace, all into one channel of changes.
//!
//! Every watch lists, then follows. A list is buffered and delivered whole as one `Replace`, so a
//! consumer never sees half of it. A failure is retried with back-off for ever: what was delivered
//! before goes on serving meanwhile. An object that cannot be parsed is reported as such and never
//! stops its watch.

mod backoff;
mod client;
mod failure;
mod guard;
mod kinds;
mod metrics;
mod named;
mod optional;
mod relist;
mod session;
mod sync;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;

pub use client::{ClientError, QUIET_LOG_TARGETS, client};
pub use metrics::WatchMetrics;
pub use named::{Named, watch_named};
pub use sync::{ScopeState, SyncState};

pub(crate) use backoff::Backoff;
pub(crate) use failure::{mend_rights, reason_text};
pub(crate) use kinds::resource_name;

use crate::{
    control::change::{Change, PodMeta, Scope},
    lifecycle::vital::{Vital, Vitals},
    model::diagnostic::Kind,
    resource::GatewayRoute,
};
use k8s_openapi::api::{
    core::v1::{Namespace, Secret, Service},
    discovery::v1::EndpointSlice,
    networking::v1::{Ingress, IngressClass},
};
use kinds::{RegisteredPod, Watched};
use session::Context;
use std::sync::Arc;
use sync::Board;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

/// What to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchSettings {
    /// Namespaces to watch. Empty: all of them, and then cluster-scoped kinds are watched too.
    pub namespaces: Vec<Arc<str>>,
    /// Namespaces whose TLS Secrets are read. `None`: the whole cluster.
    pub tls_namespaces: Option<Vec<Arc<str>>>,
    /// Whether Pods that ask for a weight are watched.
    pub pod_weights: bool,
    /// Whether Pods that registered services are watched.
    pub pod_registrations: bool,
}

impl WatchSettings {
    /// Whether only named namespaces may be read, and nothing that is cluster-scoped.
    #[must_use]
    pub fn is_namespaced(&self) -> bool {
        !self.namespaces.is_empty()
    }

    /// Every watch that these settings ask for, in the order of `Kind`.
    #[must_use]
    pub fn scopes(&self) -> Vec<Scope> {
        let mut scopes: Vec<Scope> = Kind::ALL.into_iter().flat_map(|kind| self.scopes_of(kind)).collect();
        scopes.sort();
        scopes.dedup();
        scopes
    }

    fn scopes_of(&self, kind: Kind) -> Vec<Scope> {
        let namespaces: Option<&[Arc<str>]> = match kind {
            Kind::Namespace | Kind::IngressClass if self.is_namespaced() => return Vec::new(),
            Kind::Pod if !self.pod_weights => return Vec::new(),
            Kind::PodRegistration if !self.pod_registrations => return Vec::new(),
            Kind::Secret => self.tls_namespaces.as_deref(),
            _ => self.is_namespaced().then_some(&self.namespaces),
        };
        match namespaces {
            None => vec![Scope { kind, namespace: None }],
            Some(list) => list.iter().map(|name| Scope { kind, namespace: Some(Arc::clone(name)) }).collect(),
        }
    }
}

/// The running watches. Dropping it ends them.
#[derive(Debug)]
pub struct Sources {
    scopes: Vec<Scope>,
    sync: watch::Receiver<SyncState>,
    tasks: JoinSet<()>,
}

impl Sources {
    /// Starts every watch on the current runtime. Each delivers one `Replace` for its scope first,
    /// an empty one where an optional kind is not installed. They end when the receiver of
    /// `changes` is dropped.
    #[must_use]
    pub fn start(
        client: &kube::Client,
        settings: &WatchSettings,
        changes: &mpsc::Sender<Change>,
        metrics: &Arc<WatchMetrics>,
        vitals: &Vitals,
    ) -> Self {
        let scopes = settings.scopes();
        let (board, sync) = Board::new(&scopes);
        let mut tasks = JoinSet::new();
        for scope in &scopes {
            spawn(
                &mut tasks,
                vitals,
                Context {
                    client: client.clone(),
                    scope: scope.clone(),
                    changes: changes.clone(),
                    board: board.clone(),
                    metrics: Arc::clone(metrics),
                },
            );
        }
        Self { scopes, sync, tasks }
    }

    /// What is watched: a consumer is synced once it applied one `Replace` for each.
    #[must_use]
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// Which scopes are delivered and why the others are not.
    #[must_use]
    pub fn sync(&self) -> watch::Receiver<SyncState> {
        self.sync.clone()
    }

    /// Ends every watch and waits until each is gone.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

fn spawn(tasks: &mut JoinSet<()>, vitals: &Vitals, context: Context) {
    let vital = vitals.guard(&format!("the watch of {}", context.scope.kind));
    match context.scope.kind {
        Kind::GatewayRoute => spawn_kind::<GatewayRoute>(tasks, vital, context),
        Kind::Service => spawn_kind::<Service>(tasks, vital, context),
        Kind::EndpointSlice => spawn_kind::<EndpointSlice>(tasks, vital, context),
        Kind::Secret => spawn_kind::<Secret>(tasks, vital, context),
        Kind::Namespace => spawn_kind::<Namespace>(tasks, vital, context),
        Kind::Ingress => spawn_kind::<Ingress>(tasks, vital, context),
        Kind::IngressClass => spawn_kind::<IngressClass>(tasks, vital, context),
        Kind::Pod => spawn_kind::<PodMeta>(tasks, vital, context),
        Kind::PodRegistration => spawn_kind::<RegisteredPod>(tasks, vital, context),
        Kind::ReferenceGrant => {
            tasks.spawn(async move {
                let _vital = vital;
                optional::run(context).await;
            });
        }
    }
}

fn spawn_kind<K: Watched>(tasks: &mut JoinSet<()>, vital: Vital, context: Context) {
    tasks.spawn(async move {
        let _vital = vital;
        session::run::<K>(context).await;
    });
}
