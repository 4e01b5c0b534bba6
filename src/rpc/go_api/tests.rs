//! What the api handlers of three generations made of requests, and of the answers to them.

use super::{BadResponse, Event, Incoming, NotAMessage, NotText, Pair, Request, Response, decode, encode};
use crate::rpc::{
    codec::Codec,
    fault::{Codes, Fault, GATEWAY_ID, GrpcFault, read_trailers},
    recordings::{Tally, body, headers, rows},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use proptest::prelude::*;
use serde_json::{Value, json};

fn codec(message: &Value) -> Option<Codec> {
    let headers = headers(&message["headers"]);
    Codec::of(headers.get(header::CONTENT_TYPE)?.to_str().unwrap())
}

/// The one message of a request or reply.
fn inner(message: &Value) -> Bytes {
    message["messages"]
        .as_array()
        .map_or_else(|| body(message), |messages| messages.first().map(body).unwrap_or_default())
}

/// What ours makes of the recorded request, from the address that all of them came from.
fn ours(request: &Value) -> Result<Request, NotText> {
    let mut start = request["start"].as_str().unwrap().split(' ');
    let method: Method = start.next().unwrap().parse().unwrap();
    let target = start.next().unwrap();
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let mut headers = headers(&request["headers"]);
    let host = headers.remove(header::HOST).unwrap();
    // Who appends the address is the proxy; the originals lost it where there was one.
    headers.entry("x-forwarded-for").or_insert(HeaderValue::from_static("127.0.0.1"));
    let incoming = Incoming { method: &method, path, query, host: host.to_str().unwrap(), headers: &headers };
    Request::of_http(&incoming, &body(request))
}

fn check_request(row: &Value, place: &str) {
    let ours = ours(&row["http"]["request"]);
    if place.contains("binary-body") {
        assert_eq!(ours, Err(NotText), "{place}");
        return;
    }
    let Some(codec) = codec(&row["request"]) else { return };
    let recorded: Request = decode(&inner(&row["request"]), codec).unwrap();
    let ours = ours.unwrap();
    assert_eq!(ours, recorded, "{place}");
    assert_eq!(decode::<Request>(&encode(&ours, codec), codec), Ok(recorded), "{place}");
}

/// The error of the service, in either dialect.
fn fault(row: &Value) -> Option<Fault> {
    let head = headers(&row["response"]["headers"]);
    if let Some(error) = head.get("micro-error") {
        return Some(Fault::from_micro_error(error.as_bytes()));
    }
    let end = if head.contains_key("grpc-status") { head } else { headers(&row["response"]["trailers"]) };
    match read_trailers(&end, Codes::Micro) {
        Err(GrpcFault::Answered(fault)) => Some(fault),
        _ => None,
    }
}

fn check_error(fault: Fault, recorded: &Value, place: &str) {
    let answered: Value = serde_json::from_slice(&body(recorded)).unwrap();
    let fault = fault.completed(GATEWAY_ID, "");
    assert_eq!(answered["detail"], *fault.detail, "{place}");
    // An unknown method, which clients of version 1 and 2 call 500, is said in the code of later ones.
    if fault.code != 501 {
        let status = fault.status_code().to_string();
        assert!(recorded["start"].as_str().unwrap().contains(&status), "{place}: {status}");
        // Where the originals said nothing of the origin, ours does.
        if answered["code"].as_i64().is_some_and(|code| code > 0) {
            assert_eq!(serde_json::to_value(&fault).unwrap(), answered, "{place}");
        }
    }
}

fn lines(headers: &HeaderMap) -> Vec<(String, Bytes)> {
    let mut lines: Vec<(String, Bytes)> =
        headers.iter().map(|(name, value)| (name.to_string(), Bytes::copy_from_slice(value.as_bytes()))).collect();
    lines.retain(|(name, _)| name != "date" && name != "content-length");
    lines.sort();
    lines
}

fn check_response(row: &Value, place: &str) -> bool {
    let (response, recorded) = (&row["response"], &row["http"]["response"]);
    if response.is_null() || recorded.is_null() || place.contains("binary-body") {
        return false;
    }
    if let Some(fault) = fault(row) {
        check_error(fault, recorded, place);
        return true;
    }
    let answered: Response = decode(&inner(response), codec(&row["request"]).unwrap()).unwrap();
    let ours = answered.into_http().unwrap();
    assert!(recorded["start"].as_str().unwrap().contains(ours.status().as_str()), "{place}");
    assert_eq!(lines(ours.headers()), lines(&headers(&recorded["headers"])), "{place}");
    if !row["http"]["request"]["start"].as_str().unwrap().starts_with("HEAD") {
        assert_eq!(*ours.body(), body(recorded), "{place}");
    }
    true
}

#[test]
fn requests_and_responses_are_those_of_the_recorded_handler() {
    for file in ["goapi-v1.18.jsonl", "goapi-v2.9.jsonl", "goapi-v4.10.jsonl"] {
        let rows = rows(file);
        let mut tally = Tally::new(file, "go_api");
        for (line, row) in &rows {
            let place = format!("{file}:{line} {}", row["name"]);
            check_request(row, &place);
            let answered = check_response(row, &place);
            if answered || !row["request"].is_null() || place.contains("binary-body") {
                tally.ran();
            } else {
                tally.leave("no service was called");
            }
        }
        tally.finish(rows.len());
    }
}

fn built(content_type: Option<&'static str>, body: &[u8]) -> Request {
    let mut headers = HeaderMap::new();
    headers.extend(content_type.map(|text| (header::CONTENT_TYPE, HeaderValue::from_static(text))));
    let incoming = Incoming { method: &Method::POST, path: "/a%20b", query: None, host: "h", headers: &headers };
    Request::of_http(&incoming, body).unwrap()
}

#[test]
fn a_content_type_that_is_none_is_plain_text() {
    for content_type in [None, Some("a/b/c;;"), Some(""), Some("json")] {
        let request = built(content_type, b"x");
        assert_eq!(request.header["Content-Type"].values, ["text/plain; charset=UTF-8"], "{content_type:?}");
        assert_eq!((&*request.body, &*request.path, &*request.url), ("x", "/a b", "/a%20b"));
    }
}

fn answer(response: &Value) -> Result<http::Response<Bytes>, BadResponse> {
    decode::<Response>(response.to_string().as_bytes(), Codec::Json).unwrap().into_http()
}

#[test]
fn a_service_cannot_frame_the_response() {
    let pair = |name: &str, value: &str| json!({"statusCode": 200, "header": {"x": {"key": name, "values": [value]}}});
    for name in ["Content-Length", "Transfer-Encoding", "Connection", "Upgrade"] {
        let response = answer(&pair(name, "5")).unwrap();
        assert_eq!(response.headers().len(), 1, "{name}");
    }
    assert_eq!(answer(&pair("a b", "5")).unwrap_err(), BadResponse::Header("a b".to_owned()));
    assert_eq!(answer(&pair("a", "5\r\nb: c")).unwrap_err(), BadResponse::Header("a".to_owned()));
}

#[test]
fn a_status_ends_the_request() {
    assert_eq!(answer(&json!({})).unwrap().status(), StatusCode::OK);
    assert_eq!(answer(&json!({"statusCode": 299, "header": null, "body": null})).unwrap().status().as_u16(), 299);
    for status in [1, 101, 1000, -1] {
        assert_eq!(answer(&json!({"statusCode": status})).unwrap_err(), BadResponse::Status(status));
    }
}

#[test]
fn an_event_has_the_names_of_go() {
    let pair = Pair { key: "A".to_owned(), values: vec!["1".to_owned()] };
    let event =
        Event { name: "login".to_owned(), timestamp: 5, header: [("A".to_owned(), pair)].into(), ..Event::default() };
    let text = r#"{"name":"login","timestamp":5,"header":{"A":{"key":"A","values":["1"]}}}"#;
    assert_eq!(encode(&event, Codec::Json), text);
    assert_eq!(decode::<Event>(&encode(&event, Codec::Protobuf), Codec::Protobuf), Ok(event));
}

proptest! {
    #[test]
    fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..60), path in ".{0,20}", query in ".{0,20}") {
        for codec in [Codec::Json, Codec::Protobuf] {
            let _ = decode::<Response>(&bytes, codec).map(Response::into_http);
        }
        let incoming = Incoming { method: &Method::POST, path: &path, query: Some(&query), host: "", headers: &HeaderMap::new() };
        let _ = Request::of_http(&incoming, &bytes);
        prop_assert_eq!(decode::<Response>(b"[", Codec::Json), Err(NotAMessage));
    }
}
