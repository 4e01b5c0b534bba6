//! The errors of four generations, over both dialects.

use super::{
    CLIENT_ID, Codes, Fault, GATEWAY_ID, GrpcFault, grpc_code, http_code, read_details, read_message, read_trailers,
    write_message,
};
use crate::rpc::recordings::{Tally, headers, rows};
use http::StatusCode;
use proptest::prelude::*;
use serde_json::Value;

/// What a go-micro client made of the error: id, code, detail.
fn recorded(row: &Value) -> (String, i64, String) {
    let result = &row["client_result"];
    let text = |key: &str| result[key].as_str().unwrap().to_owned();
    (text("id"), result["code"].as_i64().unwrap(), text("detail"))
}

fn read(fault: &Fault) -> (String, i64, String) {
    (fault.id.clone(), fault.code.into(), fault.detail.clone())
}

/// Why a row says nothing of the reading of an error.
fn no_error(row: &Value) -> Option<&'static str> {
    match row {
        _ if row["name"].as_str().unwrap().contains("unknown-service") => Some("served all the same"),
        _ if row["response"].is_null() || row["response"]["headers"].is_null() => Some("nothing was answered"),
        _ => None,
    }
}

fn mucp(file: &'static str) {
    let rows = rows(file);
    let mut tally = Tally::new(file, "fault");
    for (line, row) in &rows {
        let place = format!("{file}:{line} {}", row["name"]);
        if let Some(reason) = no_error(row) {
            tally.leave(reason);
            continue;
        }
        let headers = headers(&row["response"]["headers"]);
        let fault = Fault::from_micro_error(headers["micro-error"].as_bytes());
        // The deadline of the client itself ended these, before the reply came.
        if row["name"].as_str().unwrap().starts_with("deadline") {
            assert_eq!(fault, Fault::parse("context deadline exceeded"), "{place}");
        } else {
            assert_eq!(read(&fault), recorded(row), "{place}");
        }
        tally.ran();
    }
    tally.finish(rows.len());
}

/// Statuses that clients of version 1 and 2 turn into 500, where later ones say what they mean.
fn is_read_better(row: &Value, status: &str) -> bool {
    let old = row["generation"] == "v1.18.0" || row["generation"] == "v2.9.1";
    old && matches!(status, "4" | "8" | "12") && row["client_result"]["id"] == CLIENT_ID
}

fn grpc(file: &'static str) {
    let rows = rows(file);
    let mut tally = Tally::new(file, "fault");
    for (line, row) in &rows {
        let place = format!("{file}:{line} {}", row["name"]);
        let head = headers(&row["response"]["headers"]);
        let trailers = if head.contains_key("grpc-status") { head } else { headers(&row["response"]["trailers"]) };
        if let Some(reason) = no_error(row) {
            tally.leave(reason);
            continue;
        }
        let Some(status) = trailers.get("grpc-status").map(|status| status.to_str().unwrap().to_owned()) else {
            tally.leave("nothing was answered");
            continue;
        };
        match read_trailers(&trailers, Codes::Micro) {
            Err(GrpcFault::Answered(fault)) if is_read_better(row, &status) => {
                assert_eq!(fault.code, i32::from(http_code(status.parse().unwrap(), Codes::Micro).as_u16()), "{place}");
                assert_eq!(fault.detail, recorded(row).2, "{place}");
            }
            Err(GrpcFault::Answered(fault)) => {
                assert_eq!(read(&fault), recorded(row), "{place}");
                is_written_the_same(&fault, &trailers, &place);
            }
            // The code 200 as an error of version 1: a reply without a message, which the call finds missing.
            outcome => assert_eq!((outcome, &row["name"]), (Ok(()), &Value::from("code-200")), "{place}"),
        }
        tally.ran();
    }
    tally.finish(rows.len());
}

/// What a server of version 2 and later writes of an error is what ours writes of it.
fn is_written_the_same(fault: &Fault, trailers: &http::HeaderMap, place: &str) {
    let text = |name: &str| trailers.get(name).map(|value| value.to_str().unwrap());
    let Some(details) = text("grpc-status-details-bin") else { return };
    let (status, message, ours) = fault.to_grpc();
    assert_eq!((Some(&*status.to_string()), Some(&*message)), (text("grpc-status"), text("grpc-message")), "{place}");
    assert_eq!(ours, details, "{place}");
}

#[test]
fn errors_of_mucp_are_read_as_clients_read_them() {
    for file in
        ["errors-mucp-v1.18.jsonl", "errors-mucp-v2.9.jsonl", "errors-mucp-v4.10.jsonl", "errors-mucp-v6.10.jsonl"]
    {
        mucp(file);
    }
}

#[test]
fn errors_of_grpc_are_read_as_clients_read_them() {
    for file in
        ["errors-grpc-v1.18.jsonl", "errors-grpc-v2.9.jsonl", "errors-grpc-v4.10.jsonl", "errors-grpc-v6.10.jsonl"]
    {
        grpc(file);
    }
}

#[test]
fn the_details_of_the_contract_are_read() {
    let fixture = "CAMSV3siaWQiOiJnby5taWNyby5hcGkuZ3JlZXRlciIsImNvZGUiOjQwMCwiZGV0YWlsIjoibmFtZSBtaXNzaW5nIiwic3RhdHVzIjoiQmFkIFJlcXVlc3QifRpYCiB0eXBlLmdvb2dsZWFwaXMuY29tL2Vycm9ycy5FcnJvchI0ChRnby5taWNyby5hcGkuZ3JlZXRlchCQAxoMbmFtZSBtaXNzaW5nIgtCYWQgUmVxdWVzdA";
    let fault = Fault::new("go.micro.api.greeter", StatusCode::BAD_REQUEST, "name missing");
    assert_eq!(fault.to_grpc().2, fixture);
    assert_eq!(read_details(fixture.as_bytes()).unwrap().code, 3);
    assert_eq!(read_details(format!("{fixture}==").as_bytes()), read_details(fixture.as_bytes()));
    assert_eq!(
        fault.to_json(),
        r#"{"id":"go.micro.api.greeter","code":400,"detail":"name missing","status":"Bad Request"}"#
    );
}

#[test]
fn plain_words_become_an_error_with_an_origin() {
    let fault = Fault::parse("plain failure");
    assert!(fault.is_plain());
    let completed = fault.completed(GATEWAY_ID, "error during request: ");
    assert_eq!(
        completed,
        Fault::new(GATEWAY_ID, StatusCode::INTERNAL_SERVER_ERROR, "error during request: plain failure")
    );
    let half = Fault::parse(r#"{"id":"a","detail":"x"}"#).completed(GATEWAY_ID, "error during request: ");
    assert_eq!(half, Fault::new("a", StatusCode::INTERNAL_SERVER_ERROR, "x"));
}

#[test]
fn an_answer_has_the_status_of_an_error() {
    let status = |code| Fault { code, ..Fault::default() }.status_code().as_u16();
    assert_eq!([418, 599, 404].map(status), [418, 599, 404]);
    assert_eq!([0, 200, 302, 999, -1, 65_936].map(status), [500; 6]);
    let completed = Fault { code: 200, status: "OK".to_owned(), ..Fault::default() }.completed(GATEWAY_ID, "");
    assert_eq!((completed.code, &*completed.status), (500, "Internal Server Error"));
}

#[test]
fn an_unknown_method_is_known_by_its_words() {
    assert!(Fault::parse("rpc: can't find method Nope").is_unknown_method());
    assert!(Fault::new(CLIENT_ID, http_code(12, Codes::Micro), "unknown service Nope").is_unknown_method());
    assert!(Fault::new(CLIENT_ID, http_code(8, Codes::Micro), "malformed method name: \"Hello\"").is_unknown_method());
    let own = Fault::new("a.service", StatusCode::CONFLICT, "unknown service Nope");
    assert_eq!(own.clone().unknown_as_not_found(), own);
    let unknown = Fault::parse("rpc: can't find method Nope").unknown_as_not_found();
    assert_eq!(unknown, Fault::new(GATEWAY_ID, StatusCode::NOT_FOUND, "rpc: can't find method Nope"));
}

#[test]
fn text_that_only_looks_like_an_error_is_words() {
    for text in ["{}", "{\"a\":1}", "[1]", "5", "{\"code\":\"x\"}", "{"] {
        assert_eq!(Fault::parse(text).detail, text);
    }
}

#[test]
fn a_reply_without_a_status_is_no_reply() {
    assert_eq!(read_trailers(&http::HeaderMap::new(), Codes::Micro), Err(GrpcFault::NoStatus));
    let odd = headers(&serde_json::json!([["grpc-status", "x"]]));
    assert_eq!(read_trailers(&odd, Codes::Micro), Err(GrpcFault::NoStatus));
}

#[test]
fn codes_go_there_and_back() {
    for code in [400, 401, 403, 404, 408, 409, 412, 500, 501, 503] {
        assert_eq!(i32::from(http_code(grpc_code(code), Codes::Micro).as_u16()), code);
    }
}

#[test]
fn services_of_others_have_other_codes() {
    let codes = [4, 8, 9, 10, 11].map(|status| http_code(status, Codes::Standard).as_u16());
    assert_eq!(codes, [504, 429, 400, 409, 400]);
    let codes = [4, 8, 9, 10, 11].map(|status| http_code(status, Codes::Micro).as_u16());
    assert_eq!(codes, [408, 500, 412, 500, 500]);
}

proptest! {
    #[test]
    fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..80), text in "\\PC{0,40}") {
        let _ = (Fault::from_micro_error(&bytes), read_details(&bytes), read_message(&bytes));
        prop_assert_eq!(read_message(write_message(&text).as_bytes()), text);
    }
}
