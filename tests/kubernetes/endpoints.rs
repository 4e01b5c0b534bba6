//! Endpoints: from EndpointSlices, written by the tests or by the real controller, to the wire.

use std::{
    collections::BTreeSet,
    net::{Ipv6Addr, SocketAddr},
};

use k8s_openapi::api::{core::v1::Pod, discovery::v1::EndpointSlice};
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;

use crate::harness::{
    Backend, Cluster, Echo, FOLLOW, Objects, Release, eventually, expect, http,
    objects::to_service,
    pod_address,
    service::{POD_PORT, service},
};

#[tokio::test]
async fn slice_changes_take_effect() {
    let (_, gateway) = Release::shared().await;
    let objects = Cluster::shared().await.scratch("slices").await;
    let mut backend = Backend::start(&objects, "greeter", 3).await;
    let proxy = gateway.address("http");
    let host = "slices.example";
    objects.route("greet", to_service(host, "greeter")).await;

    pods_are(proxy, host, &["greeter-0", "greeter-1", "greeter-2"]).await;
    backend.publish(&[(0, json!({"ready": true})), (1, json!({"ready": false}))]).await;
    pods_are(proxy, host, &["greeter-0"]).await;
    backend.publish(&[(1, json!({"ready": true}))]).await;
    pods_are(proxy, host, &["greeter-1"]).await;
    backend.publish(&[]).await;
    expect::status(proxy, host, 503).await;
    backend.publish(&[(0, json!({"ready": true}))]).await;
    pods_are(proxy, host, &["greeter-0"]).await;
    backend.keep(0).await;
    expect::status(proxy, host, 502).await;
}

#[tokio::test]
async fn terminating_pods_serve_only_where_no_other_is_ready() {
    let (_, gateway) = Release::shared().await;
    let objects = Cluster::shared().await.scratch("terminating").await;
    let backend = Backend::start(&objects, "greeter", 2).await;
    let proxy = gateway.address("http");
    let host = "terminating.example";
    let leaving = json!({"ready": false, "serving": true, "terminating": true});
    objects.route("greet", to_service(host, "greeter")).await;

    backend.publish(&[(0, leaving.clone()), (1, json!({"ready": true}))]).await;
    pods_are(proxy, host, &["greeter-1"]).await;
    backend.publish(&[(0, leaving)]).await;
    pods_are(proxy, host, &["greeter-0"]).await;
}

#[tokio::test]
async fn ipv6_pods_are_reached_by_clients_of_both_families() {
    let (_, gateway) = Release::shared().await;
    let objects = Cluster::shared().await.scratch("ipv6").await;
    let _backend = Backend::start_v6(&objects, "greeter", 2).await;

    objects.route("greet", to_service("ipv6.example", "greeter")).await;

    let proxy = gateway.address("http");
    for client in [proxy, (Ipv6Addr::LOCALHOST, proxy.port()).into()] {
        pods_are(client, "ipv6.example", &["greeter-0", "greeter-1"]).await;
    }
}

#[tokio::test]
async fn slices_of_the_real_controller_are_followed() {
    let (_, gateway) = Release::shared().await;
    let objects = Cluster::shared().await.scratch("selector").await;
    let proxy = gateway.address("http");
    let host = "selector.example";
    let mut selecting = service("greeter");
    selecting["spec"]["selector"] = json!({"app": "greeter"});
    objects.apply(selecting).await;
    // The controller leaves out pods of a node that it does not know.
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-0"}});
    objects.apply_cluster_wide(node).await;
    objects.route("greet", to_service(host, "greeter")).await;

    let first = pod(&objects, "greeter-0").await;
    let _second = pod(&objects, "greeter-1").await;
    pods_are(proxy, host, &["greeter-0", "greeter-1"]).await;
    assert!(slices(&objects).await.iter().all(is_by_controller), "the controller must write the slices");
    set_ready(&objects, "greeter-1", false).await;
    pods_are(proxy, host, &["greeter-0"]).await;
    set_ready(&objects, "greeter-1", true).await;
    objects.delete("v1", "Pod", "greeter-0").await;
    pods_are(proxy, host, &["greeter-1"]).await;
    first.kill().await;
}

#[tokio::test]
async fn pods_have_the_share_that_their_labels_ask_for() {
    let release = Release::of_own_class("weights", &["podWeights.enabled=true"]).await;
    let mut gateway = release.start("paifang-0", &["--threads=1"]).await;
    gateway.ready().await;
    let objects = Cluster::shared().await.scratch("weights").await;
    let host = "weights.example";
    let mut selecting = service("greeter");
    selecting["spec"]["selector"] = json!({"app": "greeter"});
    objects.apply(selecting).await;
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-0"}});
    objects.apply_cluster_wide(node).await;
    let mut spec = to_service(host, "greeter");
    spec["className"] = json!(release.namespace());
    spec["balancing"] = json!({"strategy": "WeightedRoundRobin"});
    objects.route("greet", spec).await;

    let _pods = (pod(&objects, "greeter-0").await, pod(&objects, "greeter-1").await);
    let proxy = gateway.address("http");
    shares_are(proxy, host, [10, 10]).await;
    weigh(&objects, "greeter-1", "3").await;
    shares_are(proxy, host, [5, 15]).await;
    weigh(&objects, "greeter-1", "a-lot").await;
    shares_are(proxy, host, [10, 10]).await;
    weigh(&objects, "greeter-1", "4").await;
    shares_are(proxy, host, [4, 16]).await;
}

/// Sets the label of a pod.
async fn weigh(objects: &Objects, pod: &str, weight: &str) {
    let pods: Api<Pod> = Api::namespaced(objects.client(), objects.namespace());
    let patch = json!({"metadata": {"labels": {"paifang.dev/weight": weight}}});
    pods.patch(pod, &PatchParams::default(), &Patch::Merge(patch)).await.expect("a label must be accepted");
}

/// Waits until `greeter-0` and `greeter-1` get these shares of so many requests.
async fn shares_are(proxy: SocketAddr, host: &str, wanted: [usize; 2]) {
    eventually(FOLLOW, &format!("the shares are {wanted:?}"), || async {
        let mut shares = [0, 0];
        for _ in 0..wanted[0] + wanted[1] {
            let reply = http::try_get(proxy, host, "/").await?;
            let pod = if reply.status == 200 { reply.json()["pod"].as_str().map(str::to_owned) } else { None };
            match pod.as_deref() {
                Some("greeter-0") => shares[0] += 1,
                Some("greeter-1") => shares[1] += 1,
                _ => return Err(format!("{}", reply.status)),
            }
        }
        if shares == wanted { Ok(()) } else { Err(format!("{shares:?}")) }
    })
    .await;
}

/// A pod that answers, as a kubelet would report it.
async fn pod(objects: &Objects, name: &str) -> Echo {
    let echo = Echo::start(name, pod_address().into(), POD_PORT).await;
    let container = json!({"name": "greeter", "image": "greeter"});
    let metadata = json!({"name": name, "labels": {"app": "greeter"}});
    let spec = json!({"nodeName": "node-0", "containers": [container]});
    objects.apply(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})).await;
    let ip = echo.address().ip().to_string();
    let status = json!({"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]});
    let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "status": status});
    objects.patch_status(object).await;
    set_ready(objects, name, true).await;
    echo
}

async fn set_ready(objects: &Objects, name: &str, ready: bool) {
    let condition = json!({"type": "Ready", "status": if ready { "True" } else { "False" }});
    let status = json!({"conditions": [condition]});
    objects
        .patch_status(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "status": status}))
        .await;
}

async fn slices(objects: &Objects) -> Vec<EndpointSlice> {
    let api: Api<EndpointSlice> = Api::namespaced(objects.client(), objects.namespace());
    api.list(&ListParams::default()).await.expect("slices must be readable").items
}

fn is_by_controller(slice: &EndpointSlice) -> bool {
    let labels = slice.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get("endpointslice.kubernetes.io/managed-by")).map(String::as_str)
        == Some("endpointslice-controller.k8s.io")
}

/// Waits until just these pods answer for `host`, each of them in a row of requests.
async fn pods_are(proxy: SocketAddr, host: &str, pods: &[&str]) {
    let wanted: BTreeSet<String> = pods.iter().map(|&pod| pod.to_owned()).collect();
    eventually(FOLLOW, &format!("{pods:?} answer for {host}"), || async {
        let mut seen = BTreeSet::new();
        // Each core takes the endpoints in turn, so a few rounds see every one.
        for _ in 0..8 * wanted.len() {
            let reply = http::try_get(proxy, host, "/").await?;
            match reply.status.as_u16() {
                200 => seen.insert(reply.json()["pod"].as_str().unwrap_or_default().to_owned()),
                code => return Err(format!("{code} {:?}", reply.body)),
            };
        }
        if seen == wanted { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
}
