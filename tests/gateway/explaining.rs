//! What `paifang explain` says is what the gateway does.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{Backend, Folder, Gateway, request};

const SPEC: &str = "{rules: [
  {matches: [{path: {value: /raw}}], pathSafety: Raw, backends: [{service: echo}]},
  {matches: [{path: {value: /slash}}], pathSafety: AllowEncodedSlash, backends: [{service: echo}]},
  {matches: [{path: {value: /none}}], backends: [{service: none, port: 80}]},
  {matches: [{path: {value: /weightless}}], backends: [{service: echo, weight: 0}]},
  {matches: [{path: {value: /get}, methods: [GET]}], backends: [{service: echo}]},
  {matches: [{path: {value: /strict}}], backends: [{service: echo}]}]}";

/// The status, and the target that the backend sees.
type Answer = (u16, Option<String>);

fn explained(folder: &Folder, method: &str, target: &str, fields: &[&str]) -> Answer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paifang"));
    command.env_clear().args(["explain", "-o", "json", "-X", method, "--files"]).arg(folder.path());
    for field in fields {
        command.args(["-H", field]);
    }
    let output = command.arg(target).stderr(Stdio::inherit()).output().expect("the binary must start");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("the answer must be JSON");
    let status = answer["status"].as_u64().map_or(200, |status| u16::try_from(status).expect("a status must fit"));
    assert_eq!(output.status.code(), Some(i32::from(status >= 400)), "{answer}");
    let forwarded =
        (status == 200).then(|| answer["winner"]["forwardedPath"].as_str().expect("a path must be told").to_owned());
    (status, forwarded)
}

async fn served(gateway: &Gateway, backend: &Backend, method: &str, target: &str, fields: &[&str]) -> Answer {
    let before = backend.seen().len();
    let reply = gateway.ask(request(&format!("{method} {target}"), fields, "")).await;
    (reply.status, backend.seen().get(before).map(|seen| seen.target.clone()))
}

#[tokio::test]
async fn the_explanation_is_what_the_gateway_does() {
    let backend = Backend::echo("echo").await;
    let folder = || Folder::with(backend.address(), SPEC);
    let gateway = Gateway::start(folder()).await;
    let folder = folder();
    let host = ["Host: a.example"];
    let long = format!("/strict/{}", "a".repeat(9000));
    for target in [
        "/strict/%61//b",
        "/strict/../b",
        "/strict/a;b",
        "/strict/a%2Fb",
        "/slash/a%2fb",
        "/slash/..%2fb",
        "/raw/%61//b",
        "/raw/..%2fb;c",
        "/none",
        "/weightless",
        "/nowhere",
        &long,
    ] {
        let served = served(&gateway, &backend, "GET", target, &host).await;
        assert_eq!(explained(&folder, "GET", target, &host), served, "{target}");
    }
    for (method, fields) in [
        ("POST", &host[..]),
        ("CONNECT", &host),
        ("GET", &["Host: a.example", "Host: a.example"]),
        ("GET", &["Host: a b"]),
        ("GET", &["Host: a.example", "Transfer-Encoding: gzip"]),
        ("GET", &["Host: A.example:80", "X-Forwarded-Proto: https"]),
    ] {
        let served = served(&gateway, &backend, method, "/get", fields).await;
        assert_eq!(explained(&folder, method, "/get", fields), served, "{method} {fields:?}");
    }
}
