//! What four generations of clients sent and services answered, call by call and stream by stream.

use super::{Call, Frame, NoCall, NoReply, Numbers, encoding, read_frame, read_reply};
use crate::rpc::{
    codec::Codec,
    fault::Fault,
    metadata,
    recordings::{Message, Tally, body, headers, message, rows},
};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use proptest::prelude::*;
use serde_json::Value;
use std::time::Duration;

const GENERATIONS: [&str; 4] = ["v1.18", "v2.9", "v4.10", "v6.10"];

/// The requests and replies of a row, in order.
fn exchanges<'a>(row: &'a Value, one: &str, many: &str) -> Vec<&'a Value> {
    match row.get(many).and_then(Value::as_array) {
        Some(list) => list.iter().collect(),
        None => row.get(one).filter(|value| !value.is_null()).into_iter().collect(),
    }
}

fn requests(row: &Value) -> Vec<&Value> {
    exchanges(row, "request", "requests")
}

fn replies(row: &Value) -> Vec<&Value> {
    // An interim reply is the transport's business.
    let all = exchanges(row, "response", "responses").into_iter();
    all.filter(|reply| reply["start"] != "HTTP/1.1 100 Continue").collect()
}

fn is_cut(value: &Value) -> bool {
    value.get("body_len").is_some()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| std::str::from_utf8(value.as_bytes()).unwrap())
}

/// The call that a recorded request of a go-micro client makes.
fn ours(recorded: &HeaderMap, body: &Bytes, number: u64) -> Request<Bytes> {
    let codec = Codec::of(text(recorded, "content-type")).unwrap();
    let metadata = metadata::of_headers(recorded);
    let timeout = recorded.get("timeout").map(|value| Duration::from_nanos(value.to_str().unwrap().parse().unwrap()));
    let (service, method) = (text(recorded, "micro-service"), text(recorded, "micro-endpoint"));
    let call = Call { service, method, codec, number, timeout, metadata: &metadata };
    if text(recorded, "micro-error") == "EOS" {
        return call.end().unwrap();
    }
    call.request(&codec.open_request(body).unwrap()).unwrap()
}

/// The envelopes carry the number of the call, and JSON has no one order.
fn same_message(codec: Codec, ours: &Bytes, recorded: &Bytes, place: &str) {
    match codec {
        Codec::JsonRpc => {
            let parse = |bytes: &Bytes| {
                let mut value: Value = serde_json::from_slice(bytes).unwrap();
                value["id"].take();
                value
            };
            assert_eq!(parse(ours), parse(recorded), "{place}");
        }
        Codec::ProtoRpc | Codec::Grpc | Codec::GrpcProto | Codec::GrpcJson => {
            assert_eq!(codec.open_request(ours), codec.open_request(recorded), "{place}");
        }
        _ => assert_eq!(ours, recorded, "{place}"),
    }
}

/// Everything that a service sees of a request but what comes from the transport, and our own numbers.
fn is_sent_the_same(request: &Value, number: u64, place: &str) {
    let (recorded, body) = (headers(&request["headers"]), body(request));
    let ours = ours(&recorded, &body, number);
    assert_eq!(request["start"], format!("{} {} HTTP/1.1", ours.method(), ours.uri()), "{place}");
    for name in ["accept", "content-type", "micro-service", "micro-endpoint", "micro-method", "micro-error", "timeout"]
    {
        assert_eq!(text(ours.headers(), name), text(&recorded, name), "{place} {name}");
    }
    for (name, value) in metadata::of_headers(&recorded) {
        assert_eq!(ours.headers().get(name.unwrap()), Some(&value), "{place}");
    }
    for name in ["micro-id", "micro-stream"] {
        assert_eq!(text(ours.headers(), name), number.to_string(), "{place} {name}");
    }
    if text(&recorded, "micro-error").is_empty() {
        same_message(Codec::of(text(&recorded, "content-type")).unwrap(), ours.body(), &body, place);
    }
}

fn status(reply: &Value) -> StatusCode {
    reply["start"].as_str().unwrap().split(' ').nth(1).unwrap().parse().unwrap()
}

fn read(codec: Codec, reply: &Value) -> Result<Frame, NoReply> {
    read_frame(codec, status(reply), &headers(&reply["headers"]), &body(reply))
}

/// What a go-micro client made of the reply: a value, or an error.
fn is_read_the_same(codec: Codec, outcome: &Result<Bytes, NoReply>, result: &Value, place: &str) {
    match (outcome, result["ok"].as_bool()) {
        (Ok(bytes), Some(true)) => assert_eq!(message(codec, bytes), Message::of(&result["value"]), "{place}"),
        // Version 2 leaves out the prefix of an empty message, and then misses it: ours does not.
        (Ok(bytes), Some(false)) if result["detail"] == "EOF" => assert!(bytes.is_empty(), "{place}"),
        (Err(NoReply::Fault(fault)), Some(false)) => {
            assert_eq!(result["detail"], *fault.detail, "{place}");
            assert_eq!(result["code"], fault.code, "{place}");
            assert_eq!(result["id"], *fault.id, "{place}");
        }
        other => panic!("{place}: {other:?}, recorded {result}"),
    }
}

/// What a hand-written request was answered, by the head of the reply alone.
fn is_read_by_its_head(codec: Codec, reply: &Value, place: &str) {
    let outcome = read(codec, reply);
    let headers = headers(&reply["headers"]);
    match text(&headers, "micro-error") {
        _ if status(reply) != StatusCode::OK => assert_eq!(outcome, Err(NoReply::Status(status(reply))), "{place}"),
        "" if text(&headers, "content-type") == "text/plain" => {
            assert!(matches!(outcome, Err(NoReply::Encoding(_))), "{place}: {outcome:?}");
        }
        "" => assert!(matches!(outcome, Ok(Frame::Message(_))), "{place}: {outcome:?}"),
        "EOS" => assert_eq!(outcome, Ok(Frame::End), "{place}"),
        error => assert_eq!(outcome, Err(NoReply::Fault(Fault::parse(error))), "{place}"),
    }
}

/// Envelopes from before 0.14 are known by the absence of headers, and the reply has the plain content type.
fn is_prehistoric(recorded: &HeaderMap) -> bool {
    ["micro-service", "micro-method", "micro-endpoint", "x-micro-service"]
        .iter()
        .all(|name| !recorded.contains_key(*name))
}

fn codec_of(recorded: &HeaderMap) -> Codec {
    // Without a content type a service takes protobuf.
    Codec::of(text(recorded, "content-type")).unwrap_or(Codec::Protobuf)
}

fn raw(row: &Value, tally: &mut Tally, place: &str) {
    let (requests, replies) = (requests(row), replies(row));
    let heads: Vec<HeaderMap> = requests.iter().map(|request| headers(&request["headers"])).collect();
    if replies.is_empty() {
        tally.leave("a request by hand that was never answered");
    } else if heads.iter().any(is_prehistoric) {
        tally.leave("envelopes under the plain content type: ours sends them under their own");
    } else if requests.len() != replies.len() && row["name"].as_str().unwrap().starts_with("overlap") {
        tally.leave("two requests at a time on one connection, which ours never has");
    } else {
        let codec = codec_of(&heads[0]);
        let alike = heads.iter().all(|head| codec_of(head) == codec);
        for (index, reply) in replies.iter().enumerate() {
            let codec = if alike { codec } else { codec_of(&heads[index]) };
            is_read_by_its_head(codec, reply, &format!("{place} reply {index}"));
        }
        tally.ran();
    }
}

fn client(row: &Value, tally: &mut Tally, numbers: &mut Numbers, place: &str) {
    let (requests, replies) = (requests(row), replies(row));
    if requests.iter().chain(&replies).any(|message| is_cut(message)) {
        tally.leave("a large body, recorded by length and hash");
        return;
    }
    for request in &requests {
        is_sent_the_same(request, numbers.draw(), place);
    }
    let codec = codec_of(&headers(&requests[0]["headers"]));
    let results = row["client_result"].get("calls").and_then(Value::as_array);
    let results = results.cloned().unwrap_or_else(|| vec![row["client_result"].clone()]);
    for (reply, result) in replies.iter().zip(&results) {
        let outcome = read_reply(codec, status(reply), &headers(&reply["headers"]), &body(reply));
        // The deadline of the client itself ended this call.
        if !place.contains("deadline-exceeded") {
            is_read_the_same(codec, &outcome, result, place);
        }
    }
    tally.ran();
}

fn stream(row: &Value, tally: &mut Tally, numbers: &mut Numbers, place: &str) {
    let (requests, number) = (requests(row), numbers.draw());
    for request in &requests {
        is_sent_the_same(request, number, place);
    }
    let codec = codec_of(&headers(&requests[0]["headers"]));
    let Some(log) = row["client_result"]["log"].as_array() else {
        // The client waited for the end, of which version 2 says nothing in protobuf.
        assert!(replies(row).iter().all(|reply| matches!(read(codec, reply), Ok(Frame::Message(_)))), "{place}");
        return tally.ran();
    };
    let is_received = |event: &&Value| ["recv", "recv_end", "recv_error"].iter().any(|key| event.get(*key).is_some());
    let mut received = log.iter().filter(is_received);
    for reply in replies(row) {
        match (read(codec, reply), received.next()) {
            (Ok(Frame::Message(bytes)), Some(event)) if event.get("recv").is_some() => {
                assert_eq!(message(codec, &bytes), Message::of(&event["recv"]), "{place}");
            }
            (Ok(Frame::End), event) => assert!(event.is_none_or(|event| event.get("recv_end").is_some()), "{place}"),
            (Err(NoReply::Fault(fault)), Some(event)) => {
                assert_eq!(Fault::parse(event["recv_error"].as_str().unwrap()), fault, "{place}");
            }
            other => panic!("{place}: {other:?}"),
        }
    }
    tally.ran();
}

fn run(kind: &str) {
    for generation in GENERATIONS {
        let file: &'static str = format!("{kind}-{generation}.jsonl").leak();
        let rows = rows(file);
        let (mut tally, mut numbers) = (Tally::new(file, "mucp"), Numbers::from(7));
        for (line, row) in &rows {
            let place = format!("{file}:{line} {}", row["name"]);
            let by_hand = row["client"] == "raw bytes";
            match row["dialect"].as_str() {
                Some("mucp") if by_hand => raw(row, &mut tally, &place),
                Some("mucp") if kind == "streams" => stream(row, &mut tally, &mut numbers, &place),
                Some("mucp") => client(row, &mut tally, &mut numbers, &place),
                _ => tally.leave("gRPC, which the grpc module runs"),
            }
        }
        tally.finish(rows.len());
    }
}

#[test]
fn calls_are_sent_and_answered_as_recorded() {
    run("mucp");
}

#[test]
fn failing_calls_are_sent_and_answered_as_recorded() {
    run("errors-mucp");
}

#[test]
fn several_calls_on_one_connection_are_answered_as_recorded() {
    run("keepalive");
}

#[test]
fn streams_are_sent_and_answered_as_recorded() {
    run("streams");
}

#[test]
fn every_version_answers_errors_in_the_encoding_of_our_calls() {
    assert_eq!(encoding(Codec::Protobuf, false, false), Codec::GrpcProto);
    assert_eq!(encoding(Codec::Json, false, false), Codec::Json);
    assert_eq!([true, false].map(|empty| encoding(Codec::Protobuf, empty, true)), [Codec::ProtoRpc; 2]);
    for generation in GENERATIONS {
        let answered = |file: String, name: &str| {
            let rows = rows(&file);
            let row = rows.iter().map(|(_, row)| row).find(|row| row["name"] == name).unwrap();
            replies(row).iter().any(|reply| !text(&headers(&reply["headers"]), "micro-error").is_empty())
        };
        assert!(answered(format!("mucp-{generation}.jsonl"), "codec-grpc-proto-error"), "{generation}");
        let plain = answered(format!("errors-mucp-{generation}.jsonl"), "error-fail-protobuf");
        assert_eq!(plain, generation != "v2.9", "{generation}");
    }
}

#[test]
fn no_call_is_lost_the_way_ours_are_numbered() {
    const FILE: &str = "keepalive-stats.jsonl";
    let rows = rows(FILE);
    let mut tally = Tally::new(FILE, "mucp");
    for (line, row) in &rows {
        let name = row["name"].as_str().unwrap();
        if name.contains("unique Micro-Id and unique Micro-Stream") {
            assert_eq!(row["lost"], 0, "{FILE}:{line}");
            tally.ran();
        } else {
            tally.leave("numbered otherwise than ours, or not at all");
        }
    }
    tally.finish(rows.len());
}

fn call<'a>(service: &'a str, metadata: &'a HeaderMap) -> Call<'a> {
    Call { service, method: "Say.Hello", codec: Codec::Json, number: 1, timeout: Some(Duration::ZERO), metadata }
}

#[test]
fn a_call_never_asks_for_a_deadline_that_has_passed() {
    let request = call("greeter", &HeaderMap::new()).request(&Bytes::new()).unwrap();
    assert_eq!(request.headers()["timeout"], "1");
    assert!(!request.headers().contains_key("micro-error"));
}

#[test]
fn a_name_cannot_add_a_header() {
    let outcome = call("a\r\nMicro-Topic: x", &HeaderMap::new()).request(&Bytes::new());
    assert_eq!(outcome.unwrap_err(), NoCall::Name);
}

#[test]
fn only_200_in_the_same_encoding_is_a_reply() {
    let json = headers(&serde_json::json!([["Content-Type", "application/json"]]));
    let read = |codec, status| read_reply(codec, status, &json, &Bytes::from_static(b"{}"));
    assert_eq!(read(Codec::Json, StatusCode::OK), Ok(Bytes::from_static(b"{}")));
    assert_eq!(read(Codec::Json, StatusCode::NOT_FOUND), Err(NoReply::Status(StatusCode::NOT_FOUND)));
    assert_eq!(read(Codec::Protobuf, StatusCode::OK), Err(NoReply::OtherEncoding));
    assert_eq!(NoReply::OtherEncoding.into_fault().status_code(), StatusCode::BAD_GATEWAY);
    assert_eq!(NoReply::Fault(Fault::parse("boom")).into_fault(), Fault::parse("boom"));
}

proptest! {
    #[test]
    fn no_reply_breaks_it(bytes in proptest::collection::vec(any::<u8>(), 0..60), error in "[ -~]{0,20}") {
        let head = headers(&serde_json::json!([["Content-Type", "application/json"], ["Micro-Error", error]]));
        for codec in Codec::ALL {
            let _ = read_frame(codec, StatusCode::OK, &head, &Bytes::from(bytes.clone()));
        }
    }

    #[test]
    fn no_name_breaks_it(service in ".{0,20}", bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
        let _ = call(&service, &HeaderMap::new()).request(&Bytes::from(bytes));
    }
}
