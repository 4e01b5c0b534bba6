//! Which headers of clients reached services through recorded gateways, and which shall not.

use super::{is_control, of_headers};
use crate::rpc::recordings::{Tally, headers, rows};
use http::{HeaderMap, HeaderName, HeaderValue};

/// What a call says itself, in either dialect, whatever the client sent.
const OWN: [&str; 9] = [
    "host",
    "user-agent",
    "content-length",
    "accept",
    "content-type",
    "te",
    "transfer-encoding",
    // A word that the rpc handler of version 2 and later adds: it is the handler's to do so.
    "method",
    // What a call of the original carries of the gateway; ours is no service.
    "micro-from-service",
];

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// Headers of the client are those that the original sent on, but for what steers a call.
fn are_sent_on(outer: &HeaderMap, inner: &HeaderMap, place: &str) {
    let ours = of_headers(outer);
    assert!(ours.keys().all(|name| !is_control(name.as_str())), "{place}");
    for (name, value) in &ours {
        let sent = inner.get(name).map(text);
        // Some handlers send the first value of several, which loses the others.
        let first = outer.get(name).map(text);
        // Cookies joined by commas are one broken cookie: ours joins them as RFC 9113, 8.2.3 has it.
        let cookies = name == "cookie" && sent.as_ref().map(|sent| sent.replace(',', "; ")) == Some(text(value));
        assert!(
            name == "user-agent" || cookies || sent == Some(text(value)) || sent == first,
            "{place}: {name}: {sent:?}"
        );
    }
    for name in inner.keys() {
        let known = ours.contains_key(name) || OWN.contains(&name.as_str()) || is_control(name.as_str());
        assert!(known, "{place}: {name} is not sent by ours");
    }
}

#[test]
fn headers_travel_as_they_did_through_the_recorded_handlers() {
    for file in [
        "goapi-v1.18.jsonl",
        "goapi-v2.9.jsonl",
        "goapi-v4.10.jsonl",
        "rpchandler-v1.18.jsonl",
        "rpchandler-v2.9.jsonl",
        "rpchandler-v4.10.jsonl",
        "rpcendpoint-v1.18.jsonl",
        "rpcendpoint-v2.9.jsonl",
    ] {
        let rows = rows(file);
        let mut tally = Tally::new(file, "metadata");
        for (line, row) in &rows {
            let (outer, inner) = (&row["http"]["request"]["headers"], &row["request"]["headers"]);
            if outer.is_array() && inner.is_array() {
                are_sent_on(&headers(outer), &headers(inner), &format!("{file}:{line} {}", row["name"]));
                tally.ran();
            } else {
                tally.leave("no service was called");
            }
        }
        tally.finish(rows.len());
    }
}

fn kept(pairs: &[(&'static str, &'static str)]) -> Vec<(String, String)> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let text = |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), value.to_str().unwrap().to_owned());
    of_headers(&headers).iter().map(text).collect()
}

#[test]
fn what_would_steer_a_call_is_left_out() {
    for name in [
        "micro-topic",
        "micro-error",
        "micro-stream",
        "micro-namespace",
        "micro-from-service",
        "x-micro-service",
        "x-api-field-id",
        "x-api-body",
        "timeout",
        "grpc-timeout",
        "x-content-type",
        "Micro_Error",
        "x_micro_topic",
    ] {
        assert!(is_control(name), "{name}");
    }
    for name in ["microphone", "timeouts", "x-timeout", "authorization", "x-api-key"] {
        assert!(!is_control(name), "{name}");
    }
}

#[test]
fn what_belongs_to_the_connection_is_left_out() {
    let pairs =
        [("host", "a"), ("connection", "X-Hop, close"), ("x-hop", "1"), ("te", "trailers"), ("content-length", "3")];
    assert_eq!(kept(&pairs), []);
}

#[test]
fn repeated_values_are_one() {
    let pairs = [("x-a", "1"), ("x-a", "2"), ("cookie", "a=1"), ("cookie", "b=2")];
    let joined = [("x-a", "1,2"), ("cookie", "a=1; b=2")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(kept(&pairs), joined);
}
