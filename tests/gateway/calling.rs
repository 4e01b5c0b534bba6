//! The handlers Rpc and Api against recordings of go-micro's: the same client, the same service, and in between this
//! gateway. Services answer what was recorded, in the encoding that they were called in.
//!
//! What differs by design, on every row: errors are JSON by their type too, and complete; a reply to a request without
//! a type has one; the headers that steer a call are the gateway's alone, and captures of paths travel in messages.

mod endurance;
mod failing;
mod service;
mod sockets;
mod streaming;
mod told;

use std::io::Write as _;

use crate::harness::{Backend, Folder, Gateway, request};
use hyper::Response;
use service::{Dialect, Service};
use told::{Row, rows};

/// What a handler has to be told of a recorded path.
const RPC: &str = "{proxy: {requestTimeout: 400ms}, rules: [
    {matches: [{path: {type: Exact, value: /say/echo}}], handler: {type: Rpc, rpc: {service: S, method: Say.Echo}}, backends: [{service: greeter}]},
    {matches: [{path: {type: Exact, value: /say/plainerror}}], handler: {type: Rpc, rpc: {service: S, method: Say.PlainError}}, backends: [{service: greeter}]},
    {matches: [{path: {type: Template, value: '/cap/{key}/{user_name}'}}], handler: {type: Rpc, rpc: {service: S, method: Say.Cap}}, backends: [{service: greeter}]},
    {matches: [{path: {value: /say}}], handler: {type: Rpc, rpc: {service: S}}, backends: [{service: greeter}]},
    {resolver: {type: Micro}, handler: {type: Rpc}}]}";

/// The same for the handler Api: everything but a method that is fixed is one of `Api`.
const API: &str = "{rules: [
    {matches: [{path: {value: /greeter/json}}], handler: {type: Api, api: {service: S, method: Api.Json}}, backends: [{service: greeter}]},
    {matches: [{path: {value: /greeter/teapot}}], handler: {type: Api, api: {service: S, method: Api.Teapot}}, backends: [{service: greeter}]},
    {matches: [{path: {value: /greeter/redirect}}], handler: {type: Api, api: {service: S, method: Api.Redirect}}, backends: [{service: greeter}]},
    {matches: [{path: {value: /greeter/bad}}], handler: {type: Api, api: {service: S, method: Api.Bad}}, backends: [{service: greeter}]},
    {matches: [{path: {value: /greeter/plain}}], handler: {type: Api, api: {service: S, method: Api.Plain}}, backends: [{service: greeter}]},
    {matches: [{path: {value: /greeter/nope}}], handler: {type: Api, api: {service: S, method: Api.Nope}}, backends: [{service: greeter}]},
    {matches: [{path: {value: /greeter}}], pathSafety: Raw, handler: {type: Api, api: {service: S, method: Api.Call}}, backends: [{service: greeter}]},
    {resolver: {type: Micro}}]}";

/// And for `/rpc`.
const ENDPOINT: &str = "{proxy: {requestTimeout: 4s}, rules: [{resolver: {type: Micro, namespace: ''}}]}";

/// Rows that this gateway answers in another way, by the start of the file and the end of the name, and why.
const OTHERWISE: [(&str, &str, &str); 64] = [
    ("rpc", "-get-query-noeq", "a parameter without a value is empty, and no error"),
    ("rpc", "-get-empty", EMPTY),
    ("rpchandler-v1", "-get-empty-ct", EMPTY),
    ("rpchandler-v1", "-post-empty", EMPTY),
    ("rpchandler-v1", "-get-query-dot", "dots in names nest, as from version 2 on"),
    ("rpchandler-v1", "-post-json-query", "query and body are merged, as from version 2 on"),
    ("rpchandler-v1", "-put", "PUT is called, as from version 2 on"),
    ("rpchandler-v1", "-delete", "DELETE is called, as from version 2 on"),
    ("rpchandler-v1", "-capture", "paths have templates, as from version 2 on"),
    ("rpc", "-post-bad-json", "what the client got wrong is 400"),
    ("rpc", "-post-octet", "bytes are a message, which go-micro could not read"),
    ("rpc", "-post-protorpc", "proto-rpc is read, which go-micro could not"),
    ("rpc", "-post-form", "forms are read, for which go-micro tested a type that is none, and are answered in JSON"),
    ("rpc", "grpc-protobuf-post-jsonrpc", "the envelope is taken off before the call"),
    ("", "-error-nomethod", "a method that is unknown is 404"),
    ("", "-no-route", "a service that is unknown is 404"),
    ("rpc", "-capture-query", "captures of paths win over the query"),
    ("rpc", "-capture-body", "captures of paths win over the body"),
    ("goapi", "-post-bad-ct", "a type that is none counts as text"),
    ("goapi", "-binary-body", "bytes that are no text are refused, and not changed"),
    ("goapi", "-cookies", "cookies are joined as RFC 6265 has it"),
    ("goapi", "-xff", "the address of the client is appended, which go-micro forgot"),
    ("goapi", "mucp-json-error-plain", COMPLETE),
    ("goapi", "mucp-protobuf-error-plain", COMPLETE),
    ("rpcendpoint", "-upper-ct", JSON),
    ("rpcendpoint", "-plus-json", JSON),
    ("rpcendpoint", "-json-trailing", "text behind the JSON is refused"),
    ("rpcendpoint", "-string-trailing", "text behind the JSON is refused"),
    ("rpcendpoint", "-bad-string", WORDS),
    ("rpcendpoint", "-empty-string", WORDS),
    ("rpcendpoint", "-json-bad", WORDS),
    ("rpcendpoint", "-json-empty", WORDS),
    ("rpcendpoint", "-array-body", WORDS),
    ("rpcendpoint", "-wrong-type", WORDS),
    ("rpcendpoint", "-form-no-request", WORDS),
    ("rpcendpoint", "-form-bad-request", WORDS),
    ("rpcendpoint", "-multipart", WORDS),
    ("rpcendpoint", "-no-ct", WORDS),
    ("rpcendpoint", "rpc-text", WORDS),
    ("rpcendpoint", "rpc-protobuf", WORDS),
    ("rpcendpoint-v2", "-timeout-1", WORDS),
    ("rpcendpoint-v2", "-form-timeout", WORDS),
    ("rpcendpoint", "-address", ADDRESS),
    ("rpcendpoint", "-address-unknown-service", ADDRESS),
    ("rpcendpoint", "-address-closed", ADDRESS),
    ("rpcendpoint", "-address-bad", ADDRESS),
    ("rpcendpoint", "-unknown-service", "a service that is unknown is 404"),
    ("rpcendpoint", "-no-node", "a service that is unknown is 404"),
    ("rpcendpoint", "-backend-down", "a service that is unknown is 404"),
    ("rpcendpoint", "-sub-path", "a service that is unknown is 404"),
    ("rpcendpoint", "-trailing-slash", "a service that is unknown is 404"),
    ("rpcendpoint", "-short-name", "a Service of this name is there"),
    ("rpcendpoint", "-unknown-method", "a method that is unknown is 404"),
    ("rpcendpoint", "-unknown-handler", "a method that is unknown is 404"),
    ("rpcendpoint", "-malformed-method", "a method that is unknown is 404"),
    ("rpcendpoint-v2", "-error-ctxerror", "statuses of gRPC are read as by clients of version 4 and later"),
    ("rpcendpoint", "-code-0", "errors are told in full"),
    ("rpcendpoint", "-code-999", "a code that is no status of an error is 500"),
    ("rpcendpoint", "-verb-get", ALLOW),
    ("rpcendpoint", "-verb-put", ALLOW),
    ("rpcendpoint", "-verb-patch", ALLOW),
    ("rpcendpoint", "-verb-delete", ALLOW),
    ("rpcendpoint", "-verb-head", ALLOW),
    ("rpcendpoint", "-verb-options", ALLOW),
];
const JSON: &str = "a type of JSON is one in any case and form";
const WORDS: &str = "the error is told in other words";
const ADDRESS: &str = "clients name no nodes unless they may";
const ALLOW: &str = "what is allowed is told, in JSON";
const EMPTY: &str = "nothing is a message without fields in JSON too, and not null";
const COMPLETE: &str = "errors are told in full";

async fn start(dialect: Dialect, routes: &str) -> (Gateway, Service) {
    let service = Service::start(dialect).await;
    let folder = Folder::new();
    let protocol = if dialect == Dialect::Grpc { "grpc" } else { "http" };
    folder.service_speaking("greeter", protocol, &[service.address()]);
    folder.service_speaking("go.micro.api.greeter", protocol, &[service.address()]);
    folder.route(
        "calls",
        &routes
            .replace("service: S,", "service: go.micro.api.greeter,")
            .replace("service: S}", "service: go.micro.api.greeter}"),
    );
    (Gateway::start_with(folder, &["--trusted-proxies", "127.0.0.0/8"]).await, service)
}

async fn replay(row: &Row, gateway: &Gateway, service: &Service) -> Vec<String> {
    service.play(row.reply.clone());
    let mut wire = gateway.open().await;
    wire.send(&row.sent.bytes).await;
    let reply = if row.sent.start.starts_with("HEAD ") { wire.reply_to_head().await } else { wire.reply().await };
    let mut differences = match (&row.called, service.called()) {
        (Some(recorded), Some(ours)) => recorded.differences(&ours),
        (Some(_), None) => vec!["the service was not called".to_owned()],
        (None, Some(_)) => vec!["the service was called".to_owned()],
        (None, None) => Vec::new(),
    };
    differences.extend(told::differences(row, &reply));
    differences
}

async fn replay_all(file: &str, routes: &str) {
    let (mut ran, mut left, mut otherwise, mut wrong) = (0, Vec::new(), Vec::new(), Vec::new());
    for dialect in [Dialect::Mucp, Dialect::Grpc] {
        let rows: Vec<_> = rows(file).into_iter().filter(|row| row.dialect() == dialect).collect();
        if rows.is_empty() {
            continue;
        }
        let (gateway, service) = start(dialect, routes).await;
        for row in rows {
            let row = match Row::of(&row) {
                Ok(row) => row,
                Err(why) => {
                    left.push(format!("{} ({why})", row.name()));
                    continue;
                }
            };
            let differences = replay(&row, &gateway, &service).await;
            ran += 1;
            let is_known = |known: &&(&str, &str, &str)| file.starts_with(known.0) && row.name.ends_with(known.1);
            match OTHERWISE.iter().find(is_known) {
                Some((_, _, why)) if !differences.is_empty() => otherwise.push(format!("{} ({why})", row.name)),
                Some(_) => wrong.push(format!("{}: it does not differ, and is in the list for nothing", row.name)),
                None => wrong.extend(differences.into_iter().map(|difference| format!("{}: {difference}", row.name))),
            }
        }
    }
    let (differ, not_run) = (otherwise.join(", "), left.join(", "));
    let told = format!(
        "recorded {file}: {ran} ran, {} differ by design: {differ}; {} not: {not_run}\n",
        otherwise.len(),
        left.len()
    );
    // Past the capture of the test runner: everybody should see what ran.
    let _ = std::io::stdout().lock().write_all(told.as_bytes());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_rpc_handler_of_go_micro_1_is_matched() {
    replay_all("rpchandler-v1.18.jsonl", RPC).await;
}

#[tokio::test]
async fn the_rpc_handler_of_go_micro_2_is_matched() {
    replay_all("rpchandler-v2.9.jsonl", RPC).await;
}

#[tokio::test]
async fn the_rpc_handler_of_go_micro_4_is_matched() {
    replay_all("rpchandler-v4.10.jsonl", RPC).await;
}

#[tokio::test]
async fn the_api_handler_of_go_micro_1_is_matched() {
    replay_all("goapi-v1.18.jsonl", API).await;
}

#[tokio::test]
async fn the_api_handler_of_go_micro_2_is_matched() {
    replay_all("goapi-v2.9.jsonl", API).await;
}

#[tokio::test]
async fn the_api_handler_of_go_micro_4_is_matched() {
    replay_all("goapi-v4.10.jsonl", API).await;
}

#[tokio::test]
async fn the_rpc_endpoint_of_go_micro_1_is_matched() {
    replay_all("rpcendpoint-v1.18.jsonl", ENDPOINT).await;
}

#[tokio::test]
async fn the_rpc_endpoint_of_go_micro_2_is_matched() {
    replay_all("rpcendpoint-v2.9.jsonl", ENDPOINT).await;
}

const SAY_HELLO: &str = r#"{"service":"other","method":"Say.Hello","request":{"key":"bob"},"address":"ADDRESS"}"#;

#[tokio::test]
async fn a_client_names_a_node_only_where_it_may() {
    let node = Backend::answering(|_| {
        let answer = Response::builder().header("content-type", "application/json");
        answer.body(r#"{"key":"hello bob"}"#.into()).expect("a response must be valid")
    })
    .await;
    let folder = Folder::new();
    folder.route("calls", ENDPOINT);
    let gateway = Gateway::start_with(folder, &["--rpc-addresses", "127.0.0.0/30"]).await;
    let port = node.address().port();
    for (address, status) in [
        (format!("127.0.0.1:{port}"), 200),
        (format!("127.0.0.9:{port}"), 403),
        (format!("localhost:{port}"), 403),
        ("127.0.0.1".to_owned(), 403),
        (format!("[::ffff:127.0.0.9]:{port}"), 403),
    ] {
        let body = SAY_HELLO.replace("ADDRESS", &address);
        let fields = ["Host: a.example", "Content-Type: application/json"];
        let reply = gateway.ask(request("POST /rpc", &fields, &body)).await;
        assert_eq!(reply.status, status, "{address}: {reply:?}");
    }
    assert_eq!(node.seen().len(), 1);
    assert_eq!((node.last().one("micro-service"), node.last().one("micro-method")), (Some("other"), Some("Say.Hello")));
}

#[tokio::test]
async fn the_root_of_a_route_with_the_resolver_micro_tells_the_version() {
    let folder = Folder::new();
    folder.route("calls", ENDPOINT);
    let gateway = Gateway::start(folder).await;
    let reply = gateway.get("/").await;
    let version: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!((reply.status, &version["version"]), (200, &env!("CARGO_PKG_VERSION").into()));
    assert_eq!(gateway.get("/rpc/").await.status, 404, "only the path itself is reserved");
}
