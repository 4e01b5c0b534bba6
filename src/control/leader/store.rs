//! The Lease at the API server.

use super::{LEASE_SECONDS, decision::Record};
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};
use std::{future::Future, sync::Arc, time::Duration};

/// Where the Lease is kept. Errors are words for the log.
pub(super) trait LeaseStore: Send + 'static {
    /// The Lease, if there is one.
    fn read(&self) -> impl Future<Output = Result<Option<Record>, String>> + Send;

    /// Writes the Lease with a new version and returns it: over that version, or as a new one.
    /// `acquired`: the holder changes with this write.
    fn write(
        &self,
        record: Record,
        over: Option<Arc<str>>,
        acquired: bool,
    ) -> impl Future<Output = Result<Record, String>> + Send;
}

/// The Lease of a cluster.
pub(super) struct ApiStore {
    api: Api<Lease>,
    namespace: String,
    name: String,
}

impl ApiStore {
    pub(super) fn new(client: &Client, namespace: &str, name: &str) -> Self {
        let api = Api::namespaced(client.clone(), namespace);
        Self { api, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    fn failed(&self, verb: &str, error: &kube::Error) -> String {
        let place = format!("{verb} leases.coordination.k8s.io {}/{}", self.namespace, self.name);
        match error {
            kube::Error::Api(status) if status.code == 403 => format!(
                "{place}: forbidden by RBAC; set the chart value rbac.create=true, or grant get, create, update and \
                 patch on it with a Role"
            ),
            other => format!("{place}: {}", crate::control::watch::kubernetes::reason_text(other)),
        }
    }
}

impl LeaseStore for ApiStore {
    async fn read(&self) -> Result<Option<Record>, String> {
        let lease = self.api.get_opt(&self.name).await.map_err(|error| self.failed("get", &error))?;
        Ok(lease.map(record))
    }

    async fn write(&self, new: Record, over: Option<Arc<str>>, acquired: bool) -> Result<Record, String> {
        let mut lease = match &over {
            // Keeps labels, owners and fields that others set.
            Some(_) => self.api.get(&self.name).await.map_err(|error| self.failed("get", &error))?,
            None => {
                Lease { metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() }, spec: None }
            }
        };
        lease.metadata.resource_version = over.as_deref().map(str::to_owned);
        fill(lease.spec.get_or_insert_default(), &new, acquired);
        let params = PostParams::default();
        let (verb, written) = match over {
            Some(_) => ("update", self.api.replace(&self.name, &params, &lease).await),
            None => ("create", self.api.create(&params, &lease).await),
        };
        written.map(record).map_err(|error| self.failed(verb, &error))
    }
}

/// Times are for people: no candidate compares them.
fn fill(spec: &mut LeaseSpec, new: &Record, acquired: bool) {
    let now = MicroTime(Timestamp::now());
    if acquired || spec.acquire_time.is_none() {
        spec.acquire_time = Some(now.clone());
    }
    spec.renew_time = Some(now);
    spec.holder_identity = Some(new.holder.to_string());
    spec.lease_duration_seconds = Some(i32::try_from(new.duration.as_secs()).unwrap_or(LEASE_SECONDS).max(1));
    spec.lease_transitions = Some(new.transitions);
}

fn record(lease: Lease) -> Record {
    let spec = lease.spec.unwrap_or_default();
    let seconds = spec.lease_duration_seconds.filter(|seconds| *seconds > 0).unwrap_or(LEASE_SECONDS);
    Record {
        holder: spec.holder_identity.unwrap_or_default().into(),
        duration: Duration::from_secs(seconds.unsigned_abs().into()),
        version: lease.metadata.resource_version.unwrap_or_default().into(),
        transitions: spec.lease_transitions.unwrap_or_default(),
    }
}
