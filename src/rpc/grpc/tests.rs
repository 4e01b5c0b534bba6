//! What four generations of clients sent and services answered by gRPC.

use super::{Call, NoCall, NoReply, content_type, path, read_head, read_reply, write_timeout};
use crate::rpc::{
    codec::Codec,
    fault::{Codes, Fault},
    frame::{self, Decoder},
    metadata,
    recordings::{Message, Tally, body, headers, message, rows},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;
use serde_json::Value;
use std::time::Duration;

const GENERATIONS: [&str; 4] = ["v1.18", "v2.9", "v4.10", "v6.10"];

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| std::str::from_utf8(value.as_bytes()).unwrap())
}

fn pseudo<'a>(message: &'a Value, name: &str) -> &'a str {
    let pairs = message["headers"].as_array().into_iter().flatten();
    pairs.into_iter().find(|pair| pair[0] == name).map_or("", |pair| pair[1].as_str().unwrap())
}

/// Messages of one direction, with their prefixes.
fn framed(direction: &Value) -> Vec<u8> {
    let messages = direction["messages"].as_array().into_iter().flatten();
    messages
        .flat_map(|message| {
            let mut bytes = frame::write(&body(message)).unwrap().to_vec();
            bytes[0] = u8::try_from(message["flag"].as_u64().unwrap()).unwrap();
            bytes
        })
        .collect()
}

fn is_cut(direction: &Value) -> bool {
    direction.get("data_len").is_some()
        || direction["messages"].as_array().into_iter().flatten().any(|m| m.get("body_len").is_some())
}

/// What the client says that its messages are; the transport's type is made of it.
fn logical(recorded: &HeaderMap) -> Codec {
    Codec::of(text(recorded, "x-content-type")).unwrap()
}

/// Service and method of a recorded path.
fn named(path: &str) -> (&str, String) {
    let (service, method) = path[1..].split_once('/').unwrap();
    match service.rsplit_once('.') {
        Some((package, receiver)) => (package, format!("{receiver}.{method}")),
        None => ("", format!("{service}.{method}")),
    }
}

/// Everything that a service sees of a request, but the client's own clock and name.
fn is_sent_the_same(request: &Value, streams: bool, place: &str) {
    let recorded = headers(&request["headers"]);
    let (sent_path, codec) = (pseudo(request, ":path"), logical(&recorded));
    let (service, method) = named(sent_path);
    let timeout = recorded.get("timeout").map(|value| Duration::from_nanos(value.to_str().unwrap().parse().unwrap()));
    let call = Call { service, method: &method, codec, timeout, metadata: &metadata::of_headers(&recorded) };
    let ours = if streams { call.open().unwrap().map(|()| Bytes::new()) } else { call.request(&Bytes::new()).unwrap() };
    assert_eq!((ours.method().as_str(), ours.uri().path()), ("POST", sent_path), "{place}");
    assert_eq!(text(ours.headers(), "te"), "trailers", "{place}");
    assert_eq!(text(ours.headers(), "x-content-type"), text(&recorded, "x-content-type"), "{place}");
    // Version 1 names no encoding on streams, and then understands protobuf alone.
    if !(streams && text(&recorded, "content-type") == "application/grpc") {
        assert_eq!(text(ours.headers(), "content-type"), text(&recorded, "content-type"), "{place}");
    }
    if !streams {
        assert_eq!(text(ours.headers(), "timeout"), text(&recorded, "timeout"), "{place}");
    }
    for (name, value) in metadata::of_headers(&recorded) {
        assert_eq!(ours.headers().get(name.unwrap()), Some(&value), "{place}");
    }
    for message in request["messages"].as_array().into_iter().flatten() {
        let sealed = call.seal(&body(message)).unwrap();
        assert_eq!(frame::only(&sealed).unwrap().bytes, body(message), "{place}");
    }
}

/// The reply to a call with one message, from its head to its end.
fn read(response: &Value) -> Result<Bytes, NoReply> {
    let (head, trailers) = (headers(&response["headers"]), headers(&response["trailers"]));
    let status = pseudo(response, ":status").parse().unwrap();
    read_head(status, &head, Codes::Micro)?;
    let end = if head.contains_key("grpc-status") { &head } else { &trailers };
    read_reply(&framed(response), end, Codes::Micro)
}

/// Statuses that clients of version 1 and 2 turn into 500, where later ones say what they mean.
fn is_500_to_old(fault: &Fault) -> bool {
    matches!(fault.code, 408 | 501) && fault.id == "go.micro.client"
}

fn is_read_the_same(codec: Codec, outcome: &Result<Bytes, NoReply>, result: &Value, place: &str) {
    match (outcome, result["ok"].as_bool()) {
        (Ok(bytes), Some(true)) => assert_eq!(message(codec, bytes), Message::of(&result["value"]), "{place}"),
        (Err(NoReply::Fault(fault)), Some(false)) => {
            assert_eq!(result["detail"], *fault.detail, "{place}");
            assert!(
                result["code"] == fault.code || (result["code"] == 500 && is_500_to_old(fault)),
                "{place}: {fault:?}"
            );
            assert_eq!(result["id"], *fault.id, "{place}");
        }
        // An error with the code 200 in version 1.
        (Err(NoReply::NoMessage), Some(false)) => assert_eq!(result["detail"], "EOF", "{place}"),
        other => panic!("{place}: {other:?}, recorded {result}"),
    }
}

fn client(row: &Value, tally: &mut Tally, place: &str) {
    let exchanges: Vec<&Value> =
        row.get("streams").and_then(Value::as_array).map_or_else(|| vec![row], |list| list.iter().collect());
    if exchanges.iter().any(|exchange| is_cut(&exchange["request"]) || is_cut(&exchange["response"])) {
        return tally.leave("a large body, recorded by length and hash");
    }
    if exchanges.iter().any(|exchange| exchange["request"]["headers"].is_null()) {
        return tally.leave("the client refused to call");
    }
    if place.contains("malformed-endpoint") {
        assert_eq!(path("go.micro.api.greeter", "Hello"), None, "{place}");
        tally.ran();
        return;
    }
    if place.contains("codec-grpc-bytes") {
        return tally.leave("bytes in Go's own types, which never leave a Go process");
    }
    let results = row["client_result"].get("calls").and_then(Value::as_array);
    let results = results.cloned().unwrap_or_else(|| vec![row["client_result"].clone()]);
    for (exchange, result) in exchanges.iter().zip(&results) {
        is_sent_the_same(&exchange["request"], false, place);
        let codec = logical(&headers(&exchange["request"]["headers"]));
        if exchange["response"]["headers"].is_array() && !place.contains("deadline-exceeded") {
            is_read_the_same(codec, &read(&exchange["response"]), result, place);
        }
    }
    tally.ran();
}

/// What a hand-written request was answered: ours reads the reply.
fn raw(row: &Value, tally: &mut Tally, place: &str) {
    let response = &row["response"];
    if row.get("streams").is_some() || !response["headers"].is_array() {
        return tally.leave("a request by hand without a reply");
    }
    let head = headers(&response["headers"]);
    let trailers = headers(&response["trailers"]);
    let (status, outcome) =
        (text(if head.contains_key("grpc-status") { &head } else { &trailers }, "grpc-status"), read(response));
    match (status, &outcome) {
        ("0", Ok(_)) | ("", Err(NoReply::NotGrpc(_))) => {}
        ("0" | "", _) => panic!("{place}: {outcome:?}"),
        (_, Err(NoReply::Fault(fault))) => assert!(!fault.detail.is_empty(), "{place}"),
        _ => panic!("{place}: {outcome:?}"),
    }
    tally.ran();
}

fn stream(row: &Value, tally: &mut Tally, place: &str) {
    let (request, response) = (&row["request"], &row["response"]);
    is_sent_the_same(request, true, place);
    let codec = logical(&headers(&request["headers"]));
    let log = row["client_result"]["log"].as_array().unwrap().iter();
    let mut received =
        log.filter(|event| ["recv", "recv_end", "recv_error"].iter().any(|key| event.get(*key).is_some()));
    let mut decoder = Decoder::new(4 * 1024 * 1024);
    decoder.push(&framed(response));
    while let Some(frame) = decoder.next_message().unwrap() {
        assert_eq!(message(codec, &frame.bytes), Message::of(&received.next().unwrap()["recv"]), "{place}");
    }
    let (head, trailers) = (headers(&response["headers"]), headers(&response["trailers"]));
    let end = if head.contains_key("grpc-status") { &head } else { &trailers };
    match (read_reply(&[], end, Codes::Micro), received.next()) {
        (Err(NoReply::NoMessage), Some(event)) => assert!(event.get("recv_end").is_some(), "{place}: {event}"),
        (Err(NoReply::Fault(fault)), Some(event)) => {
            let said = event["recv_error"].as_str().unwrap();
            assert!(said.contains(&fault.detail), "{place}: {said}, ours {fault:?}");
        }
        // The client closed, or had what it wanted.
        (Err(NoReply::NoMessage | NoReply::NoStatus), None) => {}
        other => panic!("{place}: {other:?}"),
    }
    tally.ran();
}

fn run(kind: &str) {
    for generation in GENERATIONS {
        let file: &'static str = format!("{kind}-{generation}.jsonl").leak();
        let rows = rows(file);
        let mut tally = Tally::new(file, "grpc");
        for (line, row) in &rows {
            let place = format!("{file}:{line} {}", row["name"]);
            match row["dialect"].as_str() {
                Some("grpc") if row["client"] == "raw bytes" => raw(row, &mut tally, &place),
                Some("grpc") if kind == "streams" => stream(row, &mut tally, &place),
                Some("grpc") => client(row, &mut tally, &place),
                _ => tally.leave("mucp, which the mucp module runs"),
            }
        }
        tally.finish(rows.len());
    }
}

#[test]
fn calls_are_sent_and_answered_as_recorded() {
    run("grpc");
}

#[test]
fn failing_calls_are_sent_and_answered_as_recorded() {
    run("errors-grpc");
}

#[test]
fn streams_are_sent_and_answered_as_recorded() {
    run("streams");
}

#[test]
fn a_method_is_two_names_or_a_path() {
    let text = |service, method| path(service, method).map(|path| path.to_string());
    assert_eq!(text("go.micro.api.greeter", "Say.Hello").as_deref(), Some("/go.micro.api.greeter.Say/Hello"));
    assert_eq!(text("", "Say.Hello").as_deref(), Some("/Say/Hello"));
    assert_eq!(text("ignored", "/fixture.Say/Hello").as_deref(), Some("/fixture.Say/Hello"));
    for method in ["", "Hello", "a.Say.Hello", ".Hello", "Say.", "Say.Hello?x", "Say.Hel lo", "Say.名"] {
        assert_eq!(text("s", method), None, "{method}");
    }
}

#[test]
fn a_timeout_is_written_in_the_finest_unit_that_it_fits() {
    let written = |timeout| write_timeout(timeout).to_str().unwrap().to_owned();
    assert_eq!(written(Duration::ZERO), "0n");
    assert_eq!(written(Duration::from_millis(50)), "50000000n");
    assert_eq!(written(Duration::from_secs(5)), "5000000u");
    assert_eq!(written(Duration::from_nanos(100_000_001)), "100001u");
    assert_eq!(written(Duration::from_secs(100)), "100000m");
    assert_eq!(written(Duration::MAX), "99999999H");
}

#[test]
fn a_binary_header_that_is_none_does_not_end_the_call() {
    let metadata: HeaderMap = headers(&serde_json::json!([["a-bin", "AAEC"], ["b-bin", "{}"], ["c", "{}"]]));
    let call = Call { service: "s", method: "A.B", codec: Codec::Json, timeout: None, metadata: &metadata };
    let request = call.request(&Bytes::new()).unwrap();
    let present = ["a-bin", "b-bin", "c"].map(|name| request.headers().contains_key(name));
    assert_eq!((present, &**request.body()), ([true, false, true], &b"\0\0\0\0\x02{}"[..]));
    assert_eq!(call.open().unwrap().headers()["content-type"], content_type(Codec::GrpcJson));
    assert_eq!(Call { method: "B", ..call }.open().unwrap_err(), NoCall::Method);
}

#[test]
fn only_grpc_is_a_reply() {
    let head = |status: u16, content_type| {
        let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        read_head(StatusCode::from_u16(status).unwrap(), &headers, Codes::Micro)
    };
    assert_eq!(head(200, "application/grpc+json"), Ok(()));
    assert_eq!(head(200, "text/html"), Err(NoReply::NotGrpc(StatusCode::OK)));
    assert_eq!(head(415, "application/grpc"), Err(NoReply::NotGrpc(StatusCode::UNSUPPORTED_MEDIA_TYPE)));
    let good = headers(&serde_json::json!([["grpc-status", "0"]]));
    assert_eq!(read_reply(b"\x01\0\0\0\0", &good, Codes::Micro), Err(NoReply::Compressed));
    assert_eq!(NoReply::Compressed.into_fault().status_code(), StatusCode::BAD_GATEWAY);
}

proptest! {
    #[test]
    fn no_name_and_no_reply_breaks_it(service in ".{0,20}", method in ".{0,20}", bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let _ = path(&service, &method);
        let good = headers(&serde_json::json!([["grpc-status", "0"]]));
        let _ = read_reply(&bytes, &good, Codes::Micro);
    }

    #[test]
    fn a_timeout_never_shrinks(nanoseconds in any::<u64>()) {
        let written = write_timeout(Duration::from_nanos(nanoseconds));
        prop_assert!(written.len() <= 9);
    }
}
