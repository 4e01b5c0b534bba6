//! Services that registered themselves, found by name and by the paths that they ask for.

use std::{net::SocketAddr, process::Command};

use http_body_util::Full;
use hyper::{Response, body::Bytes};
use serde_json::{Value, json};

use crate::harness::{Backend, Folder, Gateway, request};

/// A service that speaks mucp and tells the method that it was called by.
async fn service() -> Backend {
    Backend::answering(|seen| {
        let told = json!({"method": seen.one("micro-endpoint"), "body": String::from_utf8_lossy(&seen.body)});
        let body = Full::new(Bytes::from(told.to_string()));
        Response::builder().header("content-type", "application/json").body(body).expect("an answer must be one")
    })
    .await
}

/// `<name>.pod.json`: a Pod with this node of `go.micro.api.greeter`.
fn pod(folder: &Folder, name: &str, address: SocketAddr) {
    let metadata = json!({"endpoint": "Say.Hello", "handler": "rpc", "method": "GET,POST", "path": "/hello/{key}"});
    let node = json!({"id": name, "address": address.to_string(), "metadata": {"protocol": "mucp"}});
    let service = json!({"name": "go.micro.api.greeter", "version": "1", "nodes": [node],
        "endpoints": [{"name": "Say.Hello", "metadata": metadata}]});
    write(folder, name, &service.to_string());
}

fn write(folder: &Folder, name: &str, annotation: &str) {
    let metadata = json!({"name": name, "labels": {"micro.mu/type": "service"},
        "annotations": {"micro.mu/service-go.micro.api.greeter": annotation}});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata});
    folder.write(&format!("{name}.pod.json"), &pod.to_string());
}

async fn call(gateway: &Gateway, target: &str) -> (u16, Value) {
    let reply = gateway
        .ask(request(&format!("POST {target}"), &["Host: a.example", "Content-Type: application/json"], "{}"))
        .await;
    (reply.status, serde_json::from_slice(reply.text().as_bytes()).unwrap_or_default())
}

#[tokio::test]
async fn a_service_is_called_by_its_name_and_by_its_paths() {
    let service = service().await;
    let folder = Folder::new();
    pod(&folder, "greeter-1", service.address());
    folder.route("rpc", "{rules: [{resolver: {}, handler: {type: Rpc}}]}");
    let gateway = Gateway::start(folder).await;
    assert_eq!(call(&gateway, "/greeter/say/other").await, (200, json!({"method": "Say.Other", "body": "{}"})));
    assert_eq!(call(&gateway, "/hello/bob").await, (200, json!({"method": "Say.Hello", "body": r#"{"key":"bob"}"#})));
    assert_eq!(call(&gateway, "/nobody/say/hello").await.0, 404);

    let explain = |target: &str| -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paifang"));
        command.env_clear().args(["explain", "-o", "json", "-X", "POST", "--files"]).arg(gateway.folder.path());
        let output = command.arg(target).output().expect("the binary must start");
        serde_json::from_slice(&output.stdout).expect("the answer must be JSON")
    };
    for (target, method) in [("/greeter/say/other", "Say.Other"), ("/hello/bob", "Say.Hello")] {
        let winner = &explain(target)["winner"];
        let told = (&winner["service"], &winner["method"], &winner["dialect"]);
        assert_eq!(told, (&json!("go.micro.api.greeter"), &json!(method), &json!("mucp")), "{winner}");
        assert_eq!(winner["backends"][0]["ready"], 1, "{winner}");
    }
    assert_eq!(explain("/nobody/say/hello")["status"], 404);
}

#[tokio::test]
async fn nodes_come_and_go_and_a_bad_annotation_harms_nobody() {
    let (a, b) = (Backend::echo("a").await, Backend::echo("b").await);
    let folder = Folder::new();
    pod(&folder, "greeter-1", a.address());
    folder.route("web", "{rules: [{resolver: {type: Path, namespace: go.micro.api}, handler: {type: Web}}]}");
    let gateway = Gateway::start(folder).await;
    assert_eq!(gateway.get("/greeter/x").await.backend(), Some("a"));
    pod(&gateway.folder, "greeter-2", b.address());
    gateway.until("a.example", "/greeter/x", |reply| reply.backend() == Some("b")).await;
    gateway.folder.remove("greeter-1.pod.json");
    write(&gateway.folder, "greeter-3", "{");
    let spec = "{rules: [{matches: [{path: {value: /other}}], backends: [{service: none, port: 80}]}]}";
    gateway.folder.route("other", spec);
    gateway.until("a.example", "/other/x", |reply| reply.status == 500).await;
    for _ in 0..4 {
        assert_eq!(gateway.get("/greeter/x").await.backend(), Some("b"));
    }
    gateway.folder.remove("greeter-2.pod.json");
    gateway.until("a.example", "/greeter/x", |reply| reply.status == 404).await;
}
