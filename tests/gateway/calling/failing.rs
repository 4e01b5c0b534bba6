//! Errors that services of four generations answered to clients of go-micro: the same reply to a call of this gateway, and
//! what its client is told.

use std::io::Write as _;

use serde_json::Value;

use super::{
    service::{Dialect, Reply},
    start,
    told::{Row, Written, rows},
};

const ROUTES: &str = "{proxy: {requestTimeout: 3s}, rules: [
    {handler: {type: Rpc, rpc: {service: S}}, backends: [{service: greeter}]}]}";

/// Rows of which this gateway says something else, by the end of the name, and why.
const OTHERWISE: [(&str, &str); 4] = [
    ("-ctxerror-json", "statuses of gRPC are read as by clients of version 4 and later"),
    ("code-200", "a reply without a message is a bad gateway"),
    ("deadline-exceeded-json", LATE),
    ("deadline-exceeded-protobuf", LATE),
];
const LATE: &str = "the client of go-micro had given up before this reply";

/// What a row is to this gateway: a path that calls the same method, and the message.
struct Exchange {
    asked: Vec<u8>,
    reply: Reply,
}

impl Exchange {
    fn of(row: &Written) -> Result<Self, &'static str> {
        let (called, reply) = Row::legs(row);
        let called = called.ok_or("the gateway never makes such a call")?;
        if matches!(reply, Reply::Empty) {
            return Err("the service never answers: the deadline ends such a call");
        }
        let path = path(&called.method).ok_or("no path names such a method")?;
        let type_ = if called.codec.is_json() { "application/json" } else { "application/protobuf" };
        if called.codec.is_json() && serde_json::from_slice::<Value>(&called.message).is_err() {
            return Err("the gateway refuses what is no JSON itself");
        }
        let length = called.message.len();
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {type_}\r\nContent-Length: {length}\r\n\r\n");
        Ok(Self { asked: [head.as_bytes(), &called.message].concat(), reply })
    }
}

/// `/say/plainError` of `Say.PlainError`.
fn path(method: &str) -> Option<String> {
    let (receiver, name) = method.split_once('.')?;
    let is_name = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let small = |text: &str| text[..1].to_lowercase() + &text[1..];
    (is_name(receiver) && is_name(name)).then(|| format!("/{}/{}", small(receiver), small(name)))
}

/// In what the answer says something else than the client of go-micro was told.
fn differences(result: &Value, status: u16, told: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    if result["ok"] == true {
        return if status < 300 { differences } else { vec![format!("answered {status} {told}, recorded success")] };
    }
    let detail = told["detail"].as_str().unwrap_or_default();
    if told["code"] != status {
        differences.push(format!("the status {status} is not the code of {told}"));
    }
    let recorded = result["detail"].as_str().or(result["error"].as_str()).unwrap_or_default();
    if !detail.ends_with(recorded) {
        differences.push(format!("detail {detail:?}, recorded {recorded:?}"));
    }
    let unknown = detail.starts_with("unknown ") || detail.contains("rpc: ") || detail.starts_with("malformed ");
    let code = result["code"].as_u64().filter(|code| (400..=599).contains(code));
    let expected = if unknown { 404 } else { code.unwrap_or(500) };
    if u64::from(status) != expected {
        differences.push(format!("status {status}, recorded {result}"));
    }
    differences
}

async fn replay_all(file: &str, dialect: Dialect) -> Vec<String> {
    let (gateway, service) = start(dialect, ROUTES).await;
    let (mut ran, mut left, mut otherwise, mut wrong) = (0, Vec::new(), Vec::new(), Vec::new());
    for row in rows(file) {
        let Exchange { asked, reply } = match Exchange::of(&row) {
            Ok(exchange) => exchange,
            Err(why) => {
                left.push(format!("{} ({why})", row.name()));
                continue;
            }
        };
        service.play(reply);
        ran += 1;
        let answer = gateway.ask(asked).await;
        let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let found = differences(&row.value()["client_result"], answer.status, &told);
        match OTHERWISE.iter().find(|(end, _)| row.name().ends_with(end)) {
            Some((_, why)) if !found.is_empty() => otherwise.push(format!("{} ({why})", row.name())),
            _ => wrong.extend(found.into_iter().map(|difference| format!("{file} {}: {difference}", row.name()))),
        }
    }
    let (differ, not_run) = (otherwise.join(", "), left.join(", "));
    let told = format!(
        "recorded {file}: {ran} ran, {} differ by design: {differ}; {} not: {not_run}\n",
        otherwise.len(),
        left.len()
    );
    let _ = std::io::stdout().lock().write_all(told.as_bytes());
    wrong
}

#[tokio::test]
async fn errors_of_mucp_are_told_as_to_clients_of_go_micro() {
    let mut wrong = Vec::new();
    for version in ["v1.18", "v2.9", "v4.10", "v6.10"] {
        wrong.extend(replay_all(&format!("errors-mucp-{version}.jsonl"), Dialect::Mucp).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn errors_of_grpc_are_told_as_to_clients_of_go_micro() {
    let mut wrong = Vec::new();
    for version in ["v1.18", "v2.9", "v4.10", "v6.10"] {
        wrong.extend(replay_all(&format!("errors-grpc-{version}.jsonl"), Dialect::Grpc).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
