//! The recorded tables of go-micro's resolvers and endpoints, row by row through the answer of `explain -o json`.

use super::super::{Answer, Asked, Files};
use crate::{
    control::translate::Context,
    rpc::{
        endpoint::{self, Handler},
        resolver::{
            self, Wanted,
            tests::{Answered, Cell},
        },
    },
};
use serde_json::{Value, json};
use std::{collections::HashMap, fs};

fn files(objects: &[Value]) -> Files {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    fs::write(&path, json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()).unwrap();
    Files::read(&[path], &Context::default()).unwrap()
}

fn route(rule: &Value) -> Value {
    json!({"apiVersion": "paifang.dev/v1alpha1", "kind": "GatewayRoute", "metadata": {"name": "all"},
        "spec": {"rules": [rule]}})
}

fn ask(files: &Files, target: &str, method: &str, host: &str) -> Value {
    let headers: Vec<_> = Some(format!("Host: {host}")).filter(|_| !host.is_empty()).into_iter().collect();
    let asked = Asked::parse(target, method, &headers).unwrap();
    serde_json::to_value(Answer::of(files, &asked)).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[test]
fn services_and_methods_are_those_of_the_recorded_table() {
    let mut made: HashMap<String, Files> = HashMap::new();
    let ours = |cell: &Cell<'_>| -> Answered {
        let handler = if cell.wanted == Wanted::Method { "Rpc" } else { "Http" };
        let resolver = json!({"type": format!("{:?}", cell.kind), "namespace": resolver::tests::namespace(cell)});
        // Paths that the strict default refuses were recorded too.
        let rule = json!({"resolver": resolver, "handler": {"type": handler}, "pathSafety": "Raw"});
        let files = made.entry(rule.to_string()).or_insert_with(|| files(&[route(&rule)]));
        let answer = ask(files, cell.target, cell.method, cell.host);
        let winner = &answer["winner"];
        assert_eq!(winner["resolver"], resolver, "{answer}");
        match (winner["service"].as_str(), winner["method"].as_str()) {
            (None, _) if answer["reason"] == "the request names no service" => Err("no service"),
            (None, _) => Err("bad name"),
            (Some(_), None) if cell.wanted == Wanted::Method => Err("no method"),
            (Some(service), method) => Ok((service.to_owned(), method.unwrap_or_default().to_owned())),
        }
    };
    resolver::tests::replay("explain, by cell", ours);
}

/// A Pod that registers these endpoints, each service by itself.
fn pod(endpoints: &Value) -> Value {
    let mut services: HashMap<&str, Vec<Value>> = HashMap::new();
    for endpoint in endpoints.as_array().unwrap() {
        let of = services.entry(endpoint["service"].as_str().unwrap()).or_default();
        of.push(json!({"name": endpoint["endpoint"], "metadata": endpoint["metadata"]}));
    }
    let nodes = json!([{"id": "n", "address": "10.0.0.1:80", "metadata": {"protocol": "mucp"}}]);
    let annotation = |(name, endpoints): (&str, Vec<Value>)| {
        let service = json!({"name": name, "endpoints": endpoints, "nodes": nodes});
        (format!("micro.mu/service-{name}"), Value::String(service.to_string()))
    };
    let annotations: serde_json::Map<_, _> = services.into_iter().map(annotation).collect();
    let labels = json!({"micro.mu/type": "service"});
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": labels, "annotations": annotations}})
}

#[test]
fn requests_reach_the_recorded_endpoints() {
    let made = |endpoints: &Value| {
        let rule = json!({"resolver": {"namespace": "none"}, "handler": {"type": "Rpc"}, "pathSafety": "Raw"});
        files(&[pod(endpoints), route(&rule)])
    };
    let ours = |files: &Files, row: &Value| {
        let answer =
            ask(files, row["target"].as_str().unwrap(), row["method"].as_str().unwrap(), row["host"].as_str().unwrap());
        let winner = &answer["winner"];
        if winner.is_null() || winner.get("resolver").is_some() {
            return None;
        }
        let handler = match winner["handler"].as_str().unwrap() {
            "Rpc" => Handler::Rpc,
            "Http" => Handler::Http,
            other => panic!("{other}"),
        };
        let service = text(&winner["backends"][0]["service"]).trim_start_matches("default/").to_owned();
        if handler == Handler::Rpc {
            assert_eq!((&winner["service"], &winner["method"]), (&json!(service), &winner["name"]), "{answer}");
        }
        let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
        let captures = winner["captures"].as_object().into_iter().flatten();
        let captures = captures.map(|(name, value)| (name.clone(), decoded(value.as_str().unwrap()))).collect();
        Some((service, text(&winner["name"]), handler, captures))
    };
    endpoint::tests::replay("explain", made, ours);
}
