//! Where changes come from: a folder, with the demo's endpoints or without, or a cluster.

#[cfg(feature = "kubernetes")]
mod cluster;
mod folder;

use crate::{
    control::{change::Change, publish::Published, report::ObjectReport},
    lifecycle::{Readiness, vital::Vitals},
    metrics::ControlMetrics,
};
use std::{net::SocketAddr, path::PathBuf, sync::Arc};
use tokio::sync::{mpsc, watch};

/// Where changes are to come from.
#[derive(Debug)]
pub(super) enum SourcePlan {
    /// A folder of YAML files.
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Whether this process plays the pods of the Service `echo`.
        demo: bool,
    },
    /// A Kubernetes cluster.
    #[cfg(feature = "kubernetes")]
    Cluster(Box<crate::cli::args::ServeArgs>),
}

/// What a source is connected to.
#[cfg_attr(not(feature = "kubernetes"), expect(dead_code, reason = "a folder has no status to write"))]
pub(super) struct Wiring {
    pub(super) changes: mpsc::Sender<Change>,
    pub(super) reports: watch::Receiver<Arc<Vec<ObjectReport>>>,
    pub(super) readiness: Readiness,
    pub(super) metrics: ControlMetrics,
    /// Told when a task of the source ends.
    pub(super) vitals: Vitals,
}

/// A source that runs.
pub(super) enum Running {
    Folder(folder::Running),
    #[cfg(feature = "kubernetes")]
    Cluster(Box<cluster::Running>),
}

#[cfg(feature = "kubernetes")]
pub(super) use cluster::watch_settings;

/// Starts the source.
pub(super) async fn start(plan: &SourcePlan, wiring: Wiring) -> Result<Running, String> {
    match plan {
        SourcePlan::Folder { folder, demo } => folder::start(folder, *demo, wiring).await.map(Running::Folder),
        #[cfg(feature = "kubernetes")]
        SourcePlan::Cluster(args) => cluster::start(args, wiring).await.map(Box::new).map(Running::Cluster),
    }
}

impl Running {
    /// Turns true once the source has told all that it has.
    pub(super) fn synced(&mut self) -> watch::Receiver<bool> {
        match self {
            Self::Folder(running) => running.synced(),
            #[cfg(feature = "kubernetes")]
            Self::Cluster(running) => running.synced(),
        }
    }

    /// Tells a newcomer what can be tried.
    pub(super) fn announce(&self, addresses: &[(String, SocketAddr)], published: watch::Receiver<Option<Published>>) {
        match self {
            Self::Folder(running) => running.announce(addresses, published),
            #[cfg(feature = "kubernetes")]
            Self::Cluster(_) => {}
        }
    }

    /// Lets go of what other replicas wait for.
    pub(super) async fn leave(&mut self) {
        match self {
            Self::Folder(_) => {}
            #[cfg(feature = "kubernetes")]
            Self::Cluster(running) => running.leave().await,
        }
    }

    /// Ends what is left, once nobody is served any more.
    pub(super) async fn stop(self) {
        match self {
            Self::Folder(_) => {}
            #[cfg(feature = "kubernetes")]
            Self::Cluster(running) => running.stop().await,
        }
    }
}
