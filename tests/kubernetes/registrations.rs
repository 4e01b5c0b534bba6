//! Services of go-micro that register themselves: the recorded words of each generation, at a real API server.

use std::{fs, net::SocketAddr};

use http_body_util::Full;
use hyper::{Request, body::Bytes, header::HOST};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::harness::{Cluster, Echo, FOLLOW, Objects, Release, eventually, http, pod_address, service::POD_PORT};

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/go-micro/registry-annotations.jsonl");
const SERVICE: &str = "go.micro.api.greeter";

fn recorded() -> Vec<Value> {
    let text = fs::read_to_string(RECORDED).expect("the recording must be there");
    text.lines().map(|line| serde_json::from_str(line).expect("a record must be JSON")).collect()
}

/// What the Kubernetes registry of a generation sent to the API server: as it was, or, for one that has no such
/// registry, what a service of it registered elsewhere, in the same place.
fn patch(rows: &[Value], generation: &str, verb: &str) -> Value {
    let named = |name: &str| rows.iter().find(|row| row["generation"] == generation && row["name"] == name);
    if let Some(row) = named(&format!("kubernetes-{verb}-{SERVICE}")) {
        let body = row["request"]["body_text"].as_str().expect("a request has a body");
        return serde_json::from_str(body).expect("a patch must be JSON");
    }
    let service = named("registered-service-mucp").expect("every generation registers")["service"].to_string();
    let value = if verb == "register" { Value::String(service) } else { Value::Null };
    json!({"metadata": {"labels": {"micro.mu/type": "service"}, "annotations": {"micro.mu/service-go.micro.api.greeter": value}}})
}

/// The patch, with the address of the Pod in place of the recorded one.
fn at(patch: Value, address: SocketAddr) -> Value {
    let mut patch = patch;
    let value = &mut patch["metadata"]["annotations"]["micro.mu/service-go.micro.api.greeter"];
    let mut service: Value =
        serde_json::from_str(value.as_str().expect("a service is a text")).expect("it must be JSON");
    service["nodes"][0]["address"] = json!(address.to_string());
    *value = json!(service.to_string());
    patch
}

/// A Pod that runs, of which no Service knows. It answers calls by mucp: a request of HTTP, whose reply is its body.
async fn pod(objects: &Objects) -> Echo {
    let echo = Echo::start("greeter", pod_address().into(), POD_PORT).await;
    let spec = json!({"containers": [{"name": "greeter", "image": "greeter"}]});
    let object =
        |more: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "greeter"}, "spec": more});
    objects.apply(object(spec)).await;
    let status = json!({"phase": "Running"});
    objects
        .patch_status(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "greeter"}, "status": status}))
        .await;
    echo
}

async fn send(objects: &Objects, patch: &Value) {
    let pods: Api<Pod> = Api::namespaced(objects.client(), objects.namespace());
    pods.patch("greeter", &PatchParams::default(), &Patch::Strategic(patch)).await.expect("the patch must be accepted");
}

/// Waits until a POST calls this method of the service; an empty one, until nothing is called.
async fn calls(proxy: SocketAddr, host: &str, path: &str, method: &str) {
    eventually(FOLLOW, &format!("{path} for {host} calls {method:?}"), || async {
        let request = Request::post(path).header(HOST, host).header("content-type", "application/json");
        let request = request.body(Full::from(Bytes::from_static(b"{}"))).expect("the request must be one");
        let reply = http::send(proxy, request).await?;
        let seen: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let called = (&seen["headers"]["micro-service"][0], &seen["headers"]["micro-endpoint"][0]);
        match method {
            "" if reply.status.as_u16() == 404 => Ok(()),
            method if !method.is_empty() && called == (&json!(SERVICE), &json!(method)) => Ok(()),
            _ => Err(format!("{} {seen}", reply.status)),
        }
    })
    .await;
}

/// Waits until the list of services has this one with a node at that address; `None`, until it has not this one.
async fn lists(proxy: SocketAddr, host: &str, address: Option<SocketAddr>) {
    let address = address.map(|address| json!(address.to_string()));
    eventually(FOLLOW, &format!("the list for {host} has {address:?}"), || async {
        let request = Request::get("/registry").header(HOST, host).body(Full::default());
        let reply = http::send(proxy, request.expect("the request must be one")).await?;
        let listed: Vec<Value> = serde_json::from_slice(&reply.body).map_err(|error| error.to_string())?;
        let service = listed.iter().find(|service| service["name"] == SERVICE);
        let found = service.map(|service| service["nodes"][0]["address"].clone());
        if found == address { Ok(()) } else { Err(format!("{listed:?}")) }
    })
    .await;
}

#[tokio::test]
async fn services_of_every_generation_are_found_by_what_they_register() {
    let release = Release::of_own_class("registrations", &["podRegistrations.enabled=true"]).await;
    let mut gateway = release.start("paifang-0", &["--threads=1"]).await;
    gateway.ready().await;
    let proxy = gateway.address("http");
    let rows = recorded();
    for (generation, path, method) in [
        ("v1.18.0", "/hello/bob", "Say.Hello"),
        ("v2.9.1", "/hello/bob", "Say.Hello"),
        ("v4.10.2", "/hello/bob", "Say.Hello"),
        ("v6.10.0", "/echo/bob", "Say.Echo"),
    ] {
        let name = generation.replace('.', "-");
        let objects = Cluster::shared().await.scratch(&name).await;
        let host = format!("{name}.example.org");
        let rule = json!({"resolver": {"type": "Micro"}, "handler": {"type": "Rpc"}});
        let list = json!({"matches": [{"path": {"value": "/registry"}}], "handler": {"type": "Registry"}});
        let spec = json!({"className": release.namespace(), "hostnames": [host], "rules": [list, rule]});
        objects.route("by-name", spec).await;
        let echo = pod(&objects).await;
        calls(proxy, &host, "/greeter/say/meta", "").await;

        send(&objects, &at(patch(&rows, generation, "register"), echo.address())).await;
        calls(proxy, &host, "/greeter/say/meta", "Say.Meta").await;
        calls(proxy, &host, path, method).await;
        lists(proxy, &host, Some(echo.address())).await;
        objects.served("by-name").await;
        eventually(FOLLOW, "the node is counted in the status", || async {
            let endpoints = objects.get_route("by-name").await.data["status"]["endpoints"].clone();
            if endpoints["summary"] == "1/1" { Ok(()) } else { Err(endpoints.to_string()) }
        })
        .await;

        send(&objects, &patch(&rows, generation, "deregister")).await;
        calls(proxy, &host, "/greeter/say/meta", "").await;
        lists(proxy, &host, None).await;
    }
}
