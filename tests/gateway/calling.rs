//! The handlers Rpc and Api against recordings of go-micro's: the same client, the same service, and in between this
//! gateway. Services answer what was recorded, in the encoding that they were called in.
//!
//! What differs by design, on every row: errors are JSON by their type too, and complete; a reply to a request without
//! a type has one; the headers that steer a call are the gateway's alone, and captures of paths travel in messages.

mod endurance;
mod service;
mod told;

use std::io::Write as _;

use crate::harness::{Folder, Gateway};
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

/// Rows that this gateway answers in another way, by the start of the file and the end of the name, and why.
const OTHERWISE: [(&str, &str, &str); 24] = [
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
];
const EMPTY: &str = "nothing is a message without fields in JSON too, and not null";
const COMPLETE: &str = "errors are told in full";

async fn start(dialect: Dialect, routes: &str) -> (Gateway, Service) {
    let service = Service::start(dialect).await;
    let folder = Folder::new();
    let protocol = if dialect == Dialect::Grpc { "grpc" } else { "http" };
    folder.service_speaking("greeter", protocol, &[service.address()]);
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
