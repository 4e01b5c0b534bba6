//! One status: read the object, compare, apply, tell.

use super::{
    FIELD_MANAGER,
    desired::Desired,
    event::{Reporter, event},
    ledger::Job,
    limiter::Limiter,
    merge,
};
use crate::{
    control::{report::ConditionReport, watch::kubernetes::reason_text},
    model::diagnostic::{Kind, ObjectRef},
    resource::{GatewayRoute, GatewayRouteStatus},
};
use k8s_openapi::{
    api::{events::v1::Event, networking::v1::Ingress},
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use std::{future::Future, time::Duration};
use tokio::time::timeout;

/// The longest time that one request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// What every write needs.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) client: Client,
    pub(super) reporter: Reporter,
    pub(super) limiter: std::sync::Arc<Limiter>,
}

/// How a write ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Written,
    /// The API server has it already, or the object is gone.
    Skipped,
    Failed(String),
}

impl Target {
    /// Brings the status of one object to what it shall say.
    pub(super) async fn write(&self, job: &Job) -> Outcome {
        match self.try_write(job).await {
            Ok(true) => Outcome::Written,
            Ok(false) => Outcome::Skipped,
            Err(Refusal::Gone) => Outcome::Skipped,
            Err(Refusal::Failed(message)) => Outcome::Failed(message),
        }
    }

    async fn try_write(&self, job: &Job) -> Result<bool, Refusal> {
        let Some(resource) = resource(job.object.kind) else { return Ok(false) };
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &job.object.namespace, &resource);
        let current = answer("get", &job.object, api.get(&job.object.name)).await?;
        if !job.uid.is_empty() && current.metadata.uid.as_deref() != Some(&*job.uid) {
            return Err(Refusal::Gone);
        }
        let (status, news) = match job.object.kind {
            Kind::Ingress => (ingress_status(&job.desired, &current.data), ingress_news(job)),
            _ => route_status(&job.desired, &current.data),
        };
        let changed = status.is_some();
        if let Some(status) = status {
            self.limiter.take().await;
            let patch = Patch::Apply(apply_body(job, &resource, &status));
            let params = PatchParams::apply(FIELD_MANAGER).force();
            answer("patch status of", &job.object, api.patch_status(&job.object.name, &params, &patch)).await?;
        }
        self.tell(&resource, job, &news).await;
        Ok(changed)
    }

    /// An Event that fails is not tried again: the status says the same.
    async fn tell(&self, resource: &ApiResource, job: &Job, news: &[&ConditionReport]) {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &job.object.namespace);
        for condition in news {
            self.limiter.take().await;
            let about = (resource, &job.object, &*job.uid);
            let event = event(&self.reporter, about, condition, Timestamp::now());
            let params = PostParams::default();
            if let Err(Refusal::Failed(error)) =
                answer("create an Event for", &job.object, api.create(&params, &event)).await
            {
                tracing::debug!("{error}");
            }
        }
    }
}

/// Why nothing was written.
enum Refusal {
    /// The object is gone, or another one has its name.
    Gone,
    Failed(String),
}

async fn answer<T>(
    verb: &str,
    object: &ObjectRef,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, Refusal> {
    match timeout(REQUEST_TIMEOUT, request).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(kube::Error::Api(status))) if status.code == 404 || is_uid_conflict(status.code, &status.message) => {
            Err(Refusal::Gone)
        }
        Ok(Err(kube::Error::Api(status))) if status.code == 403 => Err(Refusal::Failed(format!(
            "{verb} {object}: forbidden by RBAC ({}); set the chart value rbac.create=true, or grant it with a Role",
            status.message
        ))),
        Ok(Err(error)) => Err(Refusal::Failed(format!("{verb} {object}: {}", reason_text(&error)))),
        Err(_) => Err(Refusal::Failed(format!("{verb} {object}: no answer for {} s", REQUEST_TIMEOUT.as_secs()))),
    }
}

/// A write tied to a UID meets another object under the same name.
fn is_uid_conflict(code: u16, message: &str) -> bool {
    code == 409 && message.contains("UID")
}

fn resource(kind: Kind) -> Option<ApiResource> {
    match kind {
        Kind::GatewayRoute => Some(ApiResource::erase::<GatewayRoute>(&())),
        Kind::Ingress => Some(ApiResource::erase::<Ingress>(&())),
        _ => None,
    }
}

fn apply_body(job: &Job, resource: &ApiResource, status: &Value) -> Value {
    let mut metadata = json!({"name": &*job.object.name, "namespace": &*job.object.namespace});
    if !job.uid.is_empty() {
        metadata["uid"] = Value::from(&*job.uid);
    }
    json!({"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, "status": status})
}

/// The status to write, if it differs from the current one, and what to tell.
fn route_status<'a>(desired: &'a Desired, current: &Value) -> (Option<Value>, Vec<&'a ConditionReport>) {
    // A status that does not parse is replaced.
    let current: GatewayRouteStatus = serde_json::from_value(current["status"].clone()).unwrap_or_default();
    let wanted = merge::route_status(desired, &current, Timestamp::now());
    let news = merge::newly_false(desired, &current);
    let status = (!merge::is_written(&wanted, &current)).then(|| json!(wanted));
    (status, news)
}

/// The status to write, if the addresses differ from the current ones.
fn ingress_status(desired: &Desired, current: &Value) -> Option<Value> {
    let wanted = merge::balancer_points(desired.addresses.as_deref()?);
    let current = current["status"]["loadBalancer"]["ingress"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_same = current.len() == wanted.len() && wanted.iter().all(|point| current.contains(point));
    let balancer = if wanted.is_empty() { json!({}) } else { json!({"ingress": wanted}) };
    (!is_same).then(|| json!({"loadBalancer": balancer}))
}

/// What to tell of an Ingress, whose status has no conditions: what this process has not told yet.
fn ingress_news(job: &Job) -> Vec<&ConditionReport> {
    let told = |report: &ConditionReport| {
        let mut old = job.settled.iter().flat_map(merge::failing);
        old.any(|old| old.type_ == report.type_ && old.reason == report.reason)
    };
    merge::failing(&job.desired).filter(|report| !told(report)).collect()
}
