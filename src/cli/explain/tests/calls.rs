//! What is told of requests that call a method.

use super::{args, run};
use crate::cli::OutputForm;
use serde_json::{Value, json};
use std::fs;

const FILES: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: go-micro-api-greeter}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: go-micro-api-v1-users}
spec: {ports: [{port: 80, appProtocol: grpc}]}
---
apiVersion: paifang.dev/v1alpha1
kind: GatewayRoute
metadata: {name: rpc}
spec:
  rules:
  - resolver: {namespace: go-micro-api-}
  - matches: [{path: {value: /web}}]
    resolver: {type: Path, namespace: go-micro-api-}
    handler: {type: Http}
  - matches: [{path: {value: /hello}}]
    handler: {type: Rpc, rpc: {service: go.micro.api.greeter}}
    backends: [{service: go-micro-api-greeter}]
  - matches: [{path: {value: /registry}}]
    handler: {type: Registry}
  - matches: [{path: {value: /fixed}}]
    resolver: {type: Host, namespace: ""}
    handler: {type: Rpc, rpc: {method: Say.Hello}}
"#;

fn explain(url: &str, output: OutputForm) -> (u8, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.yaml"), FILES).unwrap();
    let mut out = Vec::new();
    let code = run(&args(folder.path().to_owned(), url, "POST", &[], output), &mut out).unwrap();
    (code, String::from_utf8(out).unwrap())
}

fn json(url: &str) -> Value {
    serde_json::from_str(&explain(url, OutputForm::Json).1).unwrap()
}

#[test]
fn what_a_request_names_is_told() {
    let answer = json("http://a.example/greeter/say/hello");
    let winner = &answer["winner"];
    assert_eq!(winner["resolver"], json!({"type": "Micro", "namespace": "go-micro-api-"}));
    assert_eq!((&winner["handler"], &winner["dialect"]), (&json!("Api"), &json!("mucp")));
    assert_eq!((&winner["service"], &winner["method"]), (&json!("go-micro-api-greeter"), &json!("Say.Hello")));
    assert_eq!(winner["backends"][0]["service"], "default/go-micro-api-greeter");
    assert_eq!(answer.get("status"), None);

    let winner = &json("http://a.example/v1/users/get")["winner"];
    assert_eq!((&winner["service"], &winner["dialect"]), (&json!("go-micro-api-v1-users"), &json!("gRPC")));
}

#[test]
fn a_list_of_services_is_told_as_one() {
    let answer = json("http://a.example/registry");
    assert_eq!((&answer["winner"]["lists"], answer.get("status")), (&json!("default"), None));
    let (code, text) = explain("http://a.example/registry", OutputForm::Text);
    assert!(code == 0 && text.contains("handler Registry\n  lists the services of namespace default\n"), "{text}");
}

#[test]
fn a_method_that_is_written_need_not_be_named() {
    let winner = &json("http://go-micro-api-greeter:8080/fixed")["winner"];
    assert_eq!((&winner["service"], &winner["method"]), (&json!("go-micro-api-greeter"), &json!("Say.Hello")));
    let winner = &json("http://a.example/hello/say")["winner"];
    assert_eq!((&winner["service"], &winner["method"]), (&json!("go.micro.api.greeter"), &json!("Hello.Say")));
}

#[test]
fn a_service_that_is_not_there_is_named_all_the_same() {
    let answer = json("http://a.example/nobody/say/hello");
    assert_eq!((&answer["status"], &answer["winner"]["service"]), (&json!(404), &json!("go-micro-api-nobody")));
    assert_eq!(answer["reason"], "there is no service go-micro-api-nobody");
    assert_eq!(json("http://a.example/")["reason"], "the request names no service");
}

#[test]
fn a_request_that_is_passed_on_calls_no_method() {
    let (code, text) = explain("http://a.example/web/x", OutputForm::Text);
    assert_eq!(code, 1, "{text}");
    let (code, text) = explain("http://a.example/greeter/say/hello", OutputForm::Text);
    assert_eq!(code, 0);
    let line = "  calls Say.Hello of go-micro-api-greeter by mucp, found by resolver Micro in go-micro-api-\n";
    assert!(text.contains(line) && !text.contains("reaches the backend"), "{text}");
}
