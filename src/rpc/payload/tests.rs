//! The messages that go-micro's rpc handler made of requests, and where ours are others.

use super::{MAX_DEPTH, MAX_FIELDS, Media, Parts, PayloadError, message};
use crate::{
    rpc::{
        codec::Codec,
        fault::{Fault, GATEWAY_ID},
        recordings::{Tally, body, headers, rows},
    },
    table::{Captures, Template},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use proptest::prelude::*;
use serde_json::{Value, json};

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

/// What ours makes of the recorded request. Captures are those of the one template that was registered.
fn ours(request: &Value) -> Result<Bytes, PayloadError> {
    let mut start = request["start"].as_str().unwrap().split(' ');
    let (method, target) = (start.next().unwrap().parse().unwrap(), start.next().unwrap());
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let headers = headers(&request["headers"]);
    let media = Media::of(text(&headers, "content-type"));
    let template = Template::parse("/cap/{key}/{user_name}").unwrap();
    let captures = template.captures(path);
    let captures: Vec<(&str, &str)> = captures.iter().flat_map(Captures::iter).collect();
    message(&Parts { method: &method, media, query, body: &body(request) }, captures)
}

/// The message that the handler sent to the service, if it sent one.
fn sent(row: &Value) -> Option<Bytes> {
    let request = &row["request"];
    if let Some(messages) = request["messages"].as_array() {
        return messages.first().map(body);
    }
    let codec = Codec::of(text(&headers(&request["headers"]), "content-type")?)?;
    Some(codec.open_request(&body(request)).unwrap())
}

/// What ours sends where the recording has something else, by the end of the row's name.
fn otherwise(row: &Value, name: &str) -> Option<Value> {
    let first = row["generation"] == "v1.18.0";
    Some(match name {
        // Nothing is a message without fields, not `null`.
        "get-empty" | "get-empty-ct" | "post-empty" => json!({}),
        // A parameter without a value is an empty text, not an error.
        "get-query-noeq" => json!({"flag": ""}),
        // Version 1 knows no nesting by dots, no verbs but GET and POST, no captures, and no query beside a body.
        "get-query-dot" if first => json!({"meta": {"a": "x"}}),
        "put" if first => json!({"key": "put"}),
        "delete" if first => json!({"key": "del"}),
        "post-json-query" if first => json!({"key": "b", "n": 5}),
        "capture" if first => json!({"key": "bob", "user_name": "ann"}),
        // What the path says wins.
        "capture-query" => json!({"key": "bob", "n": 3, "user_name": "ann"}),
        "capture-body" => json!({"key": "bob", "n": "4", "user_name": "ann"}),
        // Forms are read by their real name.
        "post-form" => json!({"key": "bob", "user_name": "ann"}),
        "post-jsonrpc" => json!({"key": "bob"}),
        _ => return None,
    })
}

fn check(row: &Value, place: &str) {
    let full = row["name"].as_str().unwrap();
    let name = full.splitn(4, '-').nth(3).unwrap();
    let ours = ours(&row["http"]["request"]);
    let json = |bytes: &Bytes| serde_json::from_slice::<Value>(bytes).unwrap();
    match (name, otherwise(row, name), sent(row)) {
        // Broken JSON is refused before a service is called.
        ("post-bad-json", ..) => assert_eq!(ours, Err(PayloadError::NotJson), "{place}"),
        // Blocks and plain protobuf work, where the originals answered 500.
        ("post-protorpc" | "post-octet", ..) => assert_eq!(ours.unwrap(), &b"\x0a\x03bob"[..], "{place}"),
        (_, Some(expected), _) => assert_eq!(json(&ours.unwrap()), expected, "{place}"),
        ("post-proto" | "post-grpc", _, Some(sent)) => assert_eq!(ours.unwrap(), sent, "{place}"),
        (_, None, Some(sent)) => assert_eq!(json(&ours.unwrap()), json(&sent), "{place}"),
        (_, None, None) => assert!(full.ends_with("no-route"), "{place}: nothing was sent"),
    }
}

/// What the handler answered: the content type, and the error of a service.
fn check_answer(row: &Value, place: &str) {
    let (request, response) = (&row["http"]["request"], &row["http"]["response"]);
    let (asked, answered) = (headers(&request["headers"]), headers(&response["headers"]));
    let (asked, answered) = (asked.get("content-type"), answered.get("content-type"));
    let media = Media::of(asked.map(|value| value.to_str().unwrap()));
    let start = response["start"].as_str().unwrap();
    if start.contains(" 200 ") && !media.is_form() && answered.is_some_and(|value| !value.is_empty()) {
        assert_eq!(Some(&media.reply_type(asked)), answered, "{place}");
    }
    let error = headers(&row["response"]["headers"]).get("micro-error").cloned();
    if let (Some(error), false) = (error, start.contains(" 200 ")) {
        let fault = Fault::from_micro_error(error.as_bytes()).completed(GATEWAY_ID, "error during request: ");
        assert_eq!(fault.to_json().as_bytes(), &body(response), "{place}");
        assert!(start.contains(&format!(" {} ", fault.status_code().as_str())), "{place}");
    }
}

#[test]
fn messages_are_those_of_the_recorded_handler() {
    for file in ["rpchandler-v1.18.jsonl", "rpchandler-v2.9.jsonl", "rpchandler-v4.10.jsonl"] {
        let rows = rows(file);
        let mut tally = Tally::new(file, "payload");
        for (line, row) in &rows {
            let place = format!("{file}:{line} {}", row["name"]);
            check(row, &place);
            check_answer(row, &place);
            tally.ran();
        }
        tally.finish(rows.len());
    }
}

fn made(method: &Method, query: &str, body: &str, captures: &[(&str, &str)]) -> Result<String, PayloadError> {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let parts = Parts { method, media: Media::of(None), query: Some(query), body: &body };
    message(&parts, captures.iter().copied()).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

fn get(query: &str) -> String {
    made(&Method::GET, query, "", &[]).unwrap()
}

#[test]
fn values_are_json_where_they_read_as_such() {
    assert_eq!(get("a=1&b=true&c=null&d={\"x\":[1]}&e=\"q\""), r#"{"a":1,"b":true,"c":null,"d":{"x":[1]},"e":"q"}"#);
    assert_eq!(get("a=007&b=1+2&c=%7B&d=&e=x%3Dy=z&f"), r#"{"a":"007","b":"1 2","c":"{","d":"","e":"x=y=z","f":""}"#);
    assert_eq!(
        get("n=9007199254740993&x=1.10&y=12345678901234567890123"),
        r#"{"n":9007199254740993,"x":1.10,"y":12345678901234567890123}"#
    );
}

#[test]
fn names_nest_by_brackets_and_dots() {
    assert_eq!(get("a[b][c]=1&a[b][d]=2&a.e=3"), r#"{"a":{"b":{"c":1,"d":2},"e":3}}"#);
    assert_eq!(get("a[]=1&a[]=2&b[][c]=1&b[][c]=2"), r#"{"a":[1,2],"b":[{"c":1},{"c":2}]}"#);
    assert_eq!(get("a=1&a=2&b=1&b[c]=2&d[e]=1&d=2"), r#"{"a":2,"b":{"c":2},"d":2}"#);
    assert_eq!(get("a[b=1&.c=2&d.=3&]e[=4&=5&f]=6"), r#"{"":5,".c":2,"]e[":4,"a[b":1,"d.":3,"f]":6}"#);
}

#[test]
fn a_body_alone_passes_byte_by_byte() {
    for body in ["{ \"a\" : 1.0e0 }\n", "[1, 2]", "null", "\"x\""] {
        assert_eq!(made(&Method::POST, "", body, &[]).as_deref(), Ok(body));
    }
    assert_eq!(made(&Method::POST, "", "", &[]).as_deref(), Ok("{}"));
    assert_eq!(made(&Method::GET, "", "{\"ignored\":1}", &[]).as_deref(), Ok("{}"));
}

#[test]
fn the_body_is_merged_over_the_query_and_the_path_wins() {
    let body = r#"{"user":{"id":"body","name":"ann"},"list":[1],"gone":null,"n":12345678901234567890123}"#;
    let merged = made(&Method::PUT, "user[age]=5&list[]=7&gone=1&kept=2", body, &[("user.id", "a%2Fb")]);
    let expected = r#"{"kept":2,"list":[1],"n":12345678901234567890123,"user":{"age":5,"id":"a/b","name":"ann"}}"#;
    assert_eq!(merged.as_deref(), Ok(expected));
}

#[test]
fn what_cannot_be_merged_is_refused() {
    let merged = |body: &str| made(&Method::POST, "a=1", body, &[]);
    assert_eq!(merged("[1]"), Err(PayloadError::NotObject));
    assert_eq!(merged("{"), Err(PayloadError::NotJson));
    assert_eq!(merged("null").as_deref(), Ok(r#"{"a":1}"#));
    let deep = format!("{}1{}", "{\"a\":".repeat(MAX_DEPTH + 1), "}".repeat(MAX_DEPTH + 1));
    assert_eq!(merged(&deep), Err(PayloadError::TooDeep));
    assert_eq!(made(&Method::GET, &"a=1&".repeat(MAX_FIELDS + 1), "", &[]), Err(PayloadError::TooMany));
    assert_eq!(made(&Method::GET, &format!("a{}=1", "[b]".repeat(40)), "", &[]), Err(PayloadError::TooDeep));
}

#[test]
fn values_nested_without_end_are_only_texts() {
    let bottomless = "[".repeat(8000);
    assert_eq!(get(&format!("a={bottomless}")), format!(r#"{{"a":"{bottomless}"}}"#));
    let deep = format!("{}{}", "[".repeat(4000), "]".repeat(4000));
    assert_eq!(get(&format!("a={deep}")), format!(r#"{{"a":{deep}}}"#));
}

#[test]
fn a_form_is_texts_over_the_query() {
    let parts = Parts {
        method: &Method::POST,
        media: Media::of(Some("application/x-www-form-urlencoded; charset=utf-8")),
        query: Some("n=5&key=q"),
        body: &Bytes::from_static(b"key=1&v=a&v=b&x[y]=z"),
    };
    assert_eq!(message(&parts, []).unwrap(), r#"{"key":"1","n":5,"v":"a,b","x[y]":"z"}"#);
    let json = HeaderValue::from_static("application/json");
    assert_eq!(parts.media.reply_type(Some(&HeaderValue::from_static("application/x-www-form-urlencoded"))), json);
    assert_eq!(Media::of(None).reply_type(None), json);
}

proptest! {
    #[test]
    fn a_merge_is_that_of_the_library(
        query in proptest::collection::btree_map("[a-c]{1,2}", 0_u8..9, 0..4),
        body in "\\{(\"[a-c]{1,2}\":(1|null|\\[2\\]|\\{\"[ab]\":(3|null)\\}))?\\}",
    ) {
        let text: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut expected = json!(query);
        json_patch::merge(&mut expected, &serde_json::from_str(&body).unwrap());
        if !query.is_empty() {
            let ours = made(&Method::POST, &text.join("&"), &body, &[]).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&ours).unwrap(), expected);
        }
    }

    #[test]
    fn no_request_breaks_it(query in "\\PC{0,40}", raw in "[a=&.\\[\\]%{}\",0-9]{0,40}", body in "[\\[\\]{}\",:a0n ]{0,30}") {
        for query in [query, raw] {
            if let Ok(made) = made(&Method::POST, &query, &body, &[("a.b", "%ff")]) {
                prop_assert!(serde_json::from_str::<Value>(&made).is_ok());
            }
        }
    }
}
