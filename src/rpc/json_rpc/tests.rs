//! The examples of the specification, and the limits.

use super::{Call, Failure, Id, MAX_BATCH, Requests, answer, failure, is_version_two, read, success};
use crate::rpc::fault::Fault;
use bytes::Bytes;
use http::StatusCode;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A server that knows `subtract`, `sum` and `get_data`, and answers everything else with an error.
fn serve(body: &str) -> Option<Value> {
    let run = |call: Result<Call, (Id, Failure)>| match call {
        Err((id, wrong)) => Some(failure(&id, &wrong)),
        Ok(call) => {
            let outcome = match &*call.method {
                "subtract" | "sum" => call.message().map(|message| Bytes::from(message.to_vec())),
                "get_data" => Ok(Bytes::from_static(br#"["hello",5]"#)),
                _ => Err(Failure::method_not_found()),
            };
            call.id.map(|id| outcome.map_or_else(|wrong| failure(&id, &wrong), |result| success(&id, &result)))
        }
    };
    let (is_batch, replies) = match read(&Bytes::copy_from_slice(body.as_bytes())) {
        Requests::One(call) => (false, run(call).into_iter().collect::<Vec<_>>()),
        Requests::Batch(calls) => (true, calls.into_iter().filter_map(run).collect()),
    };
    answer(is_batch, &replies).map(|body| serde_json::from_slice(&body).unwrap())
}

fn error(code: i32, message: &str, id: &Value) -> Value {
    json!({"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": id})
}

#[test]
fn one_request_has_one_reply() {
    let request = r#"{"jsonrpc":"2.0","method":"subtract","params":{"a":42,"b":12345678901234567890.10},"id":"x"}"#;
    let id = Id(serde_json::from_str("\"x\"").unwrap());
    let reply = success(&id, br#"{"a":42,"b":12345678901234567890.10}"#);
    assert_eq!(reply, r#"{"jsonrpc":"2.0","result":{"a":42,"b":12345678901234567890.10},"id":"x"}"#);
    assert_eq!(serve(request).unwrap()["id"], "x");
    let one = serve(r#"{"jsonrpc":"2.0","method":"sum","params":[{"a":1}],"id":null}"#);
    assert_eq!(one, Some(json!({"jsonrpc": "2.0", "result": {"a": 1}, "id": null})));
    let none = serve(r#"{"jsonrpc":"2.0","method":"sum","id":1.5}"#);
    assert_eq!(none, Some(json!({"jsonrpc": "2.0", "result": {}, "id": 1.5})));
}

#[test]
fn a_notification_has_no_reply() {
    assert_eq!(serve(r#"{"jsonrpc":"2.0","method":"update","params":[1,2,3]}"#), None);
    assert_eq!(serve(r#"[{"jsonrpc":"2.0","method":"a"},{"jsonrpc":"2.0","method":"b","params":[7]}]"#), None);
}

#[test]
fn errors_have_the_codes_of_the_specification() {
    let null = Value::Null;
    assert_eq!(serve(r#"{"jsonrpc":"2.0","method":"foobar,"#), Some(error(-32700, "Parse error", &null)));
    assert_eq!(serve("[]"), Some(error(-32600, "Invalid Request", &null)));
    assert_eq!(serve(r#"{"jsonrpc":"2.0","method":1,"params":"bar"}"#), Some(error(-32600, "Invalid Request", &null)));
    assert_eq!(
        serve(r#"{"jsonrpc":"2.0","method":"foobar","id":"1"}"#),
        Some(error(-32601, "Method not found", &json!("1")))
    );
    let two = serve(r#"{"jsonrpc":"2.0","method":"sum","params":[1,2],"id":1}"#).unwrap();
    assert_eq!(two["error"]["code"], -32602);
}

#[test]
fn what_is_no_request_keeps_an_id_that_can_be_read() {
    for body in [
        r#"{"jsonrpc":"1.0","method":"a","id":7}"#,
        r#"{"method":"a","id":7}"#,
        r#"{"jsonrpc":"2.0","method":"a","params":5,"id":7}"#,
        r#"{"jsonrpc":"2.0","id":7}"#,
    ] {
        assert_eq!(serve(body), Some(error(-32600, "Invalid Request", &json!(7))), "{body}");
    }
    for id in ["{}", "[1]", "true"] {
        let body = format!(r#"{{"jsonrpc":"2.0","method":"a","id":{id}}}"#);
        assert_eq!(serve(&body), Some(error(-32600, "Invalid Request", &Value::Null)), "{id}");
    }
}

#[test]
fn a_batch_has_a_reply_for_each_request() {
    let body = r#"[
        {"jsonrpc":"2.0","method":"sum","params":[{"a":1}],"id":"1"},
        {"jsonrpc":"2.0","method":"notify_hello","params":[7]},
        {"foo":"boo"}, 1,
        {"jsonrpc":"2.0","method":"foo.get","params":{"name":"myself"},"id":"5"},
        {"jsonrpc":"2.0","method":"get_data","id":"9"}
    ]"#;
    let replies = json!([
        {"jsonrpc": "2.0", "result": {"a": 1}, "id": "1"},
        error(-32600, "Invalid Request", &Value::Null),
        error(-32600, "Invalid Request", &Value::Null),
        error(-32601, "Method not found", &json!("5")),
        {"jsonrpc": "2.0", "result": ["hello", 5], "id": "9"},
    ]);
    assert_eq!(serve(body), Some(replies));
}

#[test]
fn a_batch_is_bounded() {
    let batch = |count: usize| format!("[{}]", vec![r#"{"jsonrpc":"2.0","method":"sum","id":1}"#; count].join(","));
    assert_eq!(serve(&batch(MAX_BATCH)).unwrap().as_array().unwrap().len(), MAX_BATCH);
    let refused = serve(&batch(MAX_BATCH + 1)).unwrap();
    assert_eq!((&refused["error"]["code"], &refused["id"]), (&json!(-32600), &Value::Null));
}

#[test]
fn a_version_is_told_from_the_first() {
    assert!(is_version_two(br#" {"method":"a","jsonrpc":"2.0"}"#));
    assert!(is_version_two(br#"[{"jsonrpc":"2.0"}, 1]"#));
    for body in [r#"{"method":"a","params":[{}],"id":"1"}"#, "[]", "{", "5", r#"{"jsonrpc":2.0}"#] {
        assert!(!is_version_two(body.as_bytes()), "{body}");
    }
}

#[test]
fn the_error_of_a_service_stands_beside_the_message() {
    let fault = Fault::new("greeter", StatusCode::CONFLICT, "version 3 exists");
    let reply: Value = serde_json::from_slice(&failure(&Id::null(), &Failure::from(&fault))).unwrap();
    assert_eq!(reply["error"], json!({"code": -32000, "message": "version 3 exists", "data": fault}));
    assert_eq!(Failure::from(&Fault::parse("rpc: can't find method Nope")).code(), -32601);
    let broken: Value = serde_json::from_slice(&success(&Id::null(), b"{")).unwrap();
    assert_eq!(broken["error"]["code"], -32603);
}

proptest! {
    #[test]
    fn no_body_breaks_it(body in "[\\[\\]{}\",:a0n2.]{0,60}", bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let _ = (serve(&body), is_version_two(&bytes), read(&Bytes::from(bytes.clone())));
    }
}
