//! Objects of one namespace: applied, edited, deleted and read as JSON, as `kubectl` would.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{
    Api, Client, Error,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
    core::{ApiResource, GroupVersionKind, TypeMeta},
};
use serde_json::{Value, json};
use std::time::Duration;

use super::eventually;

/// How long a test waits for the gateway or a controller to follow; the two cores may be busy.
pub(crate) const FOLLOW: Duration = Duration::from_secs(20);

/// A namespace and a client that may do everything in it.
#[derive(Clone)]
pub(crate) struct Objects {
    client: Client,
    namespace: String,
}

impl Objects {
    /// The objects of `namespace`, through `client`.
    pub(crate) fn new(client: Client, namespace: &str) -> Self {
        Self { client, namespace: namespace.to_owned() }
    }

    /// The namespace.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The client.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// The namespaced objects of the kind that `like` has.
    fn api(&self, like: &Value) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource(like))
    }

    /// Creates or changes a namespaced object by server-side apply; panics when it is refused.
    pub(crate) async fn apply(&self, object: Value) -> DynamicObject {
        apply_by(&self.api(&object), &object).await
    }

    /// Creates or changes an object that has no namespace; panics when it is refused.
    pub(crate) async fn apply_cluster_wide(&self, object: Value) -> DynamicObject {
        apply_by(&Api::all_with(self.client.clone(), &resource(&object)), &object).await
    }

    /// Creates or changes a namespaced object, or says why it is refused.
    pub(crate) async fn try_apply(&self, object: &Value) -> Result<DynamicObject, Error> {
        try_apply_by(&self.api(object), object).await
    }

    /// Creates a namespaced object, or says why it is refused.
    pub(crate) async fn create(&self, object: &Value) -> Result<DynamicObject, Error> {
        self.api(object).create(&PostParams::default(), &dynamic(object)).await
    }

    /// Whether the API server would take the object, or why not.
    pub(crate) async fn try_out(&self, object: &Value) -> Result<DynamicObject, String> {
        let params = PostParams { dry_run: true, ..PostParams::default() };
        match self.api(object).create(&params, &dynamic(object)).await {
            Ok(object) => Ok(object),
            Err(Error::Api(status)) => Err(status.message),
            Err(other) => panic!("the API server must answer: {other}"),
        }
    }

    /// Merges `status` into the status of a namespaced object, as its controller would.
    pub(crate) async fn patch_status(&self, object: Value) {
        let patch = Patch::Merge(json!({"status": object["status"]}));
        let patched = self.api(&object).patch_status(name(&object), &PatchParams::default(), &patch).await;
        patched.unwrap_or_else(|error| panic!("the status of {} must be accepted: {error}", name(&object)));
    }

    /// Deletes a namespaced object and does not wait for its end.
    pub(crate) async fn delete(&self, api_version: &str, kind: &str, name: &str) {
        let like = json!({"apiVersion": api_version, "kind": kind});
        let deleted = self.api(&like).delete(name, &DeleteParams::default().grace_period(0)).await;
        deleted.unwrap_or_else(|error| panic!("{kind} {name} must be deletable: {error}"));
    }

    /// Reads a namespaced object.
    pub(crate) async fn get(&self, api_version: &str, kind: &str, name: &str) -> DynamicObject {
        let like = json!({"apiVersion": api_version, "kind": kind});
        let found = self.api(&like).get(name).await;
        found.unwrap_or_else(|error| panic!("{kind} {name} must be readable: {error}"))
    }

    /// Creates or changes a `GatewayRoute` called `name`.
    pub(crate) async fn route(&self, name: &str, spec: Value) -> DynamicObject {
        self.apply(route(name, spec)).await
    }

    /// Reads a `GatewayRoute`.
    pub(crate) async fn get_route(&self, name: &str) -> DynamicObject {
        self.get("paifang.dev/v1alpha1", "GatewayRoute", name).await
    }

    /// Waits until a condition of a route has this status and reason for its newest generation.
    pub(crate) async fn condition(&self, route: &str, type_: &str, status: &str, reason: &str) -> Condition {
        let what = format!("condition {type_}={status} ({reason}) of {}/{route}", self.namespace);
        eventually(FOLLOW, &what, || async {
            let object = self.get_route(route).await;
            let newest = object.metadata.generation;
            let found = conditions(&object);
            let is_wanted = |condition: &&Condition| {
                (condition.type_.as_str(), condition.status.as_str(), condition.reason.as_str())
                    == (type_, status, reason)
                    && condition.observed_generation == newest
            };
            found.iter().find(is_wanted).cloned().ok_or_else(|| format!("{found:?}"))
        })
        .await
    }

    /// Waits until a route is served: all three conditions hold for its newest generation.
    pub(crate) async fn served(&self, route: &str) {
        for (type_, reason) in
            [("Accepted", "Accepted"), ("ResolvedRefs", "ResolvedRefs"), ("Programmed", "Programmed")]
        {
            self.condition(route, type_, "True", reason).await;
        }
    }
}

/// A `GatewayRoute` of the default class, unless its spec names another.
pub(crate) fn route(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "paifang.dev/v1alpha1", "kind": "GatewayRoute", "metadata": {"name": name}, "spec": spec})
}

/// The spec of a route from one host to one port of a Service.
pub(crate) fn to_service(host: &str, service: &str) -> Value {
    json!({"hostnames": [host], "rules": [{"backends": [{"service": service, "port": 80}]}]})
}

/// The conditions in the status of an object.
pub(crate) fn conditions(object: &DynamicObject) -> Vec<Condition> {
    let list = object.data["status"]["conditions"].clone();
    if list.is_null() { Vec::new() } else { serde_json::from_value(list).expect("conditions must be conditions") }
}

async fn apply_by(api: &Api<DynamicObject>, object: &Value) -> DynamicObject {
    try_apply_by(api, object).await.unwrap_or_else(|error| panic!("{object} must be accepted: {error}"))
}

async fn try_apply_by(api: &Api<DynamicObject>, object: &Value) -> Result<DynamicObject, Error> {
    api.patch(name(object), &PatchParams::apply("tests").force(), &Patch::Apply(object)).await
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().expect("an object must have a name")
}

fn dynamic(object: &Value) -> DynamicObject {
    serde_json::from_value(object.clone()).expect("an object must have a kind and metadata")
}

fn resource(like: &Value) -> ApiResource {
    let types: TypeMeta = serde_json::from_value(json!({"apiVersion": like["apiVersion"], "kind": like["kind"]}))
        .expect("an object must have a kind");
    let kind = GroupVersionKind::try_from(&types).expect("an apiVersion must be valid");
    ApiResource::from_gvk(&kind)
}
