//! Who writes status: one replica, elected by a Lease. The data plane never waits for it.
//!
//! The algorithm is that of Kubernetes' own controllers: a holder renews every two seconds; it
//! stops believing in itself ten seconds after its last renewal, and others take the Lease over
//! fifteen seconds after they last saw it change. Each measures these times by its own monotonic
//! clock from what it saw itself, so clocks that differ between nodes cannot make two leaders.

mod decision;
mod election;
mod store;
#[cfg(test)]
mod tests;

use crate::lifecycle::vital::Vitals;
use election::Election;
use kube::Client;
use std::{sync::Arc, time::Duration};
use store::ApiStore;
use tokio::{sync::watch, task::JoinHandle};

/// How long others wait after they last saw the Lease change, in seconds.
const LEASE_SECONDS: i32 = 15;
/// A holder that could not renew for this long is no leader any more.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// Time between renewals, and between looks at a Lease that somebody else holds.
const RETRY_PERIOD: Duration = Duration::from_secs(2);
/// A release that takes longer is given up: the Lease then expires by itself.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(3);

/// Which Lease, and who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseSettings {
    /// The namespace of the Lease: the pod's own.
    pub namespace: String,
    /// The name of the Lease.
    pub name: String,
    /// The pod's name. A random suffix is added, so that a restarted process is somebody else.
    pub pod_name: String,
}

/// A candidate for leadership. Dropping it ends the candidacy without a release.
#[derive(Debug)]
pub struct Leader {
    identity: Arc<str>,
    is_leader: watch::Receiver<bool>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Leader {
    /// Starts to stand for election on the current runtime.
    #[must_use]
    pub fn start(client: &Client, settings: &LeaseSettings, vitals: &Vitals) -> Self {
        let store = ApiStore::new(client, &settings.namespace, &settings.name);
        let identity = format!("{}_{:08x}", settings.pod_name, fastrand::u32(..));
        Self::start_with(store, identity.into(), vitals)
    }

    fn start_with(store: impl store::LeaseStore, identity: Arc<str>, vitals: &Vitals) -> Self {
        let (leading, is_leader) = watch::channel(false);
        let (stop, stopped) = watch::channel(false);
        let election = Election::new(store, Arc::clone(&identity), leading);
        Self {
            identity,
            is_leader,
            stop,
            task: tokio::spawn(vitals.hold("the leader election", election.run(stopped))),
        }
    }

    /// The name in the Lease while this process leads.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Whether this process leads, now and at every change.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<bool> {
        self.is_leader.clone()
    }

    /// Stops leading at once and gives the Lease back, within three seconds at most.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if (&mut self.task).await.is_err() {
            tracing::error!("the leader election ended by a panic");
        }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.task.abort();
    }
}
