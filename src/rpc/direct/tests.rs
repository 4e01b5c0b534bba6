//! What two generations of `/rpc` called and answered, and where ours does otherwise.

use super::{Direct, ID, NoCall, read, timeout};
use crate::rpc::{
    fault::Fault,
    recordings::{Tally, body, headers, rows},
};
use bytes::Bytes;
use http::{HeaderMap, header};
use proptest::prelude::*;
use serde_json::Value;
use std::time::Duration;

/// The call of a recorded request.
fn ours(request: &Value) -> Result<Direct, NoCall> {
    let target = request["start"].as_str().unwrap().split(' ').nth(1).unwrap();
    let headers = headers(&request["headers"]);
    let content_type = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap());
    read(content_type, target.split_once('?').map(|(_, query)| query), &body(request))
}

/// Why a row says nothing of the reading of a call.
fn not_a_call(row: &Value) -> Option<&'static str> {
    let name = row["name"].as_str().unwrap();
    match row["http"]["request"]["start"].as_str() {
        None => Some("several calls on one connection of the client"),
        Some(start) if !start.starts_with("POST") => Some("another verb than POST, which the handler refuses"),
        Some(_) if name.ends_with("-slash") || name.ends_with("sub-path") => Some("an ordinary path, not /rpc"),
        _ => None,
    }
}

/// Bodies that ours reads otherwise: types of JSON in other spellings are read, text after JSON is refused.
fn is_otherwise(name: &str) -> Option<Result<(), NoCall>> {
    match name.trim_start_matches("rpc-") {
        "json-upper-ct" | "plus-json" => Some(Ok(())),
        "json-trailing" => Some(Err(NoCall::Body)),
        "json-string-trailing" => Some(Err(NoCall::Message)),
        _ => None,
    }
}

/// The message that the service got, nothing being a message without fields.
fn sent(request: &Value) -> Value {
    let bytes = request["messages"]
        .as_array()
        .map_or_else(|| body(request), |messages| messages.first().map(body).unwrap_or_default());
    serde_json::from_slice(&bytes).unwrap_or_else(|_| serde_json::json!({}))
}

fn check_call(ours: &Direct, row: &Value, place: &str) {
    let request = &row["request"];
    let sent_headers = headers(&request["headers"]);
    let pseudo = request["headers"].as_array().into_iter().flatten().find(|pair| pair[0] == ":path");
    let path = pseudo.map(|pair| pair[1].as_str().unwrap().to_owned());
    let (service, method) =
        ours.method.split_once('.').map_or(("", &*ours.method), |(service, method)| (service, method));
    match path {
        Some(path) if service.is_empty() => assert_eq!(path, method, "{place}"),
        Some(path) => assert_eq!(path, format!("/{}.{service}/{method}", ours.service), "{place}"),
        None => {
            assert_eq!(sent_headers["micro-service"], *ours.service, "{place}");
            assert_eq!(sent_headers["micro-endpoint"], *ours.method, "{place}");
        }
    }
    if request["messages"].as_array().is_none_or(|messages| !messages.is_empty()) {
        assert_eq!(serde_json::from_slice::<Value>(&ours.message).unwrap(), sent(request), "{place}");
    }
    let given = timeout(&headers(&row["http"]["request"]["headers"])).unwrap_or(Duration::from_secs(5));
    assert_eq!(sent_headers["timeout"], given.as_nanos().to_string(), "{place}");
}

/// The error of the service as ours would answer it, against the answer of the original.
fn check_error(row: &Value, place: &str) {
    let Some(error) = headers(&row["response"]["headers"]).get("micro-error").cloned() else { return };
    let answered: Value = serde_json::from_slice(&body(&row["http"]["response"])).unwrap();
    // The client's own deadline, which came before the answer.
    if answered["code"] == 408 && answered["id"] == "go.micro.client" {
        return;
    }
    let fault = Fault::from_micro_error(error.as_bytes()).completed(ID, "error during request: ");
    match row["name"].as_str().unwrap() {
        // A code that no error has, and none at all: the origin is kept.
        "rpc-error-code-0" | "rpc-error-code-999" => assert_eq!((fault.code, &*fault.id), (500, "x.y"), "{place}"),
        _ => assert_eq!(serde_json::to_value(fault).unwrap(), answered, "{place}"),
    }
}

#[test]
fn calls_are_those_of_the_recorded_endpoint() {
    for file in ["rpcendpoint-v1.18.jsonl", "rpcendpoint-v2.9.jsonl"] {
        let rows = rows(file);
        let mut tally = Tally::new(file, "direct");
        for (line, row) in &rows {
            let (name, place) = (row["name"].as_str().unwrap(), format!("{file}:{line} {}", row["name"]));
            if let Some(reason) = not_a_call(row) {
                tally.leave(reason);
                continue;
            }
            let (ours, answered) = (ours(&row["http"]["request"]), &row["http"]["response"]);
            match (is_otherwise(name), &ours) {
                (Some(expected), ours) => assert_eq!(ours.clone().map(|_| ()), expected, "{place}"),
                (None, Ok(call)) if row["request"]["headers"].is_array() => check_call(call, row, &place),
                (None, Ok(call)) => assert!(!call.service.is_empty(), "{place}: nothing to call"),
                (None, Err(wrong)) => {
                    assert!(answered["start"].as_str().unwrap().contains(" 400 "), "{place}: {wrong}");
                    let answered: Value = serde_json::from_slice(&body(answered)).unwrap();
                    let ours = serde_json::to_value(wrong.fault()).unwrap();
                    assert_eq!(
                        (&ours["id"], &ours["code"], &ours["status"]),
                        (&answered["id"], &answered["code"], &answered["status"]),
                        "{place}"
                    );
                    // The library's words for broken JSON are its own.
                    let start = |value: &Value| value["detail"].as_str().unwrap().split(':').next().unwrap().to_owned();
                    assert!(
                        *wrong == NoCall::Body || *wrong == NoCall::Type || start(&ours) == start(&answered),
                        "{place}: {ours}"
                    );
                }
            }
            check_error(row, &place);
            tally.ran();
        }
        tally.finish(rows.len());
    }
}

fn json(text: &'static str) -> Result<Direct, NoCall> {
    read(Some("application/json"), None, &Bytes::from_static(text.as_bytes()))
}

#[test]
fn a_message_keeps_its_digits() {
    let message = |text| String::from_utf8(json(text).unwrap().message.to_vec()).unwrap();
    assert_eq!(message(r#"{"service":"s","method":"A.B","request":{"n":1.50}}"#), r#"{"n":1.50}"#);
    assert_eq!(message(r#"{"service":"s","method":"A.B","request":"{\"n\":1.50}"}"#), r#"{"n":1.50}"#);
    assert_eq!(message(r#"{"service":"s","method":"A.B"}"#), "{}");
}

#[test]
fn an_address_is_told_and_not_judged() {
    let call = json(r#"{"service":"s","method":"A.B","address":"10.0.0.1:80"}"#).unwrap();
    assert_eq!(call.address.as_deref(), Some("10.0.0.1:80"));
    assert_eq!(json(r#"{"service":"s","method":"A.B","address":null}"#).unwrap().address, None);
    assert_eq!(json(r#"{"service":"s","method":"A.B","address":5}"#), Err(NoCall::Type));
}

#[test]
fn a_time_is_whole_seconds_and_has_an_end() {
    let time = |text: &str| timeout(&HeaderMap::from_iter([("timeout".parse().unwrap(), text.parse().unwrap())]));
    assert_eq!(time("1"), Some(Duration::from_secs(1)));
    assert_eq!(time("4294967295"), Some(Duration::from_secs(86_400)));
    assert_eq!(["0", "-1", "2s", "", "5000000000"].map(time), [None; 5]);
}

proptest! {
    #[test]
    fn no_body_breaks_it(body in "[{}\\[\\]:,\"a-z0-9=&%]{0,60}", query in ".{0,30}") {
        for content_type in [None, Some("application/json"), Some("application/x-www-form-urlencoded")] {
            let _ = read(content_type, Some(&query), &Bytes::from(body.clone()));
        }
    }
}
