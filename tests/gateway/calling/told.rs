//! Recorded rows, and what makes a difference in them.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hyper::body::Bytes;
use paifang::rpc::go_api;
use serde_json::Value;

use super::service::{Call, Dialect, Reply, messages};
use crate::harness::{Recorded, Reply as Answer};

/// One recorded exchange: what the client sent and got, what the service was asked and answered.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) sent: Recorded,
    pub(super) got: Recorded,
    pub(super) called: Option<Call>,
    pub(super) reply: Reply,
}

/// A row as it is written.
#[derive(Debug)]
pub(super) struct Written(Value);

/// The rows of a file.
pub(super) fn rows(file: &str) -> Vec<Written> {
    let path = format!("{}/tests/data/go-micro/{file}", env!("CARGO_MANIFEST_DIR"));
    let lines = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    lines.lines().map(|line| Written(serde_json::from_str(line).expect("a recording must be JSON"))).collect()
}

impl Written {
    pub(super) const fn value(&self) -> &Value {
        &self.0
    }

    pub(super) fn name(&self) -> &str {
        self.0["name"].as_str().expect("a recording has a name")
    }

    pub(super) fn dialect(&self) -> Dialect {
        if self.0["dialect"] == "grpc" { Dialect::Grpc } else { Dialect::Mucp }
    }

    /// The first message of one direction: a client of go-micro may have tried again.
    fn leg(&self, one: &str) -> &Value {
        let many = &self.0[format!("{one}s")][0];
        if many.is_null() { &self.0[one] } else { many }
    }
}

/// The bytes of a recorded message.
pub(super) fn bytes(message: &Value) -> Vec<u8> {
    decoded(&message["body_base64"])
}

/// What a text in Base64 says.
pub(super) fn decoded(text: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(text.as_str().unwrap_or_default()).expect("recordings must be base64")
}

/// The elements of a list, none where it is none.
pub(super) fn values(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

impl Row {
    /// Reads a row, or says why there is nothing to replay.
    pub(super) fn of(row: &Written) -> Result<Self, &'static str> {
        let exchange = &row.0["http"];
        let sent = Recorded::of(&exchange["request"]).ok_or("no client took part")?;
        let got = Recorded::of(&exchange["response"]).ok_or("the service never answered, nor did go-micro")?;
        let (request, response) = (row.leg("request"), row.leg("response"));
        let is_hashed = |message: &Value| {
            message.get("body_sha256").is_some() || message["messages"][0].get("body_sha256").is_some()
        };
        if is_hashed(request) || is_hashed(response) || is_hashed(&exchange["response"]) {
            return Err("the bytes are not in the recording, only their hash");
        }
        let (called, reply) = Self::legs(row);
        // A service that was slow is silent here.
        let gave_up = |body: &[u8]| String::from_utf8_lossy(body).contains("\"go.micro.client\"");
        let is_late = got.start.contains(" 408 ") && got.body.as_deref().is_some_and(gave_up);
        Ok(Self { name: row.name().to_owned(), sent, got, called, reply: if is_late { Reply::Silence } else { reply } })
    }
}

impl Row {
    /// What the service was asked and answered.
    pub(super) fn legs(row: &Written) -> (Option<Call>, Reply) {
        let (request, response) = (row.leg("request"), row.leg("response"));
        match row.dialect() {
            Dialect::Mucp => {
                let called = Recorded::of(request);
                let called = called.and_then(|asked| Call::mucp(&asked.fields, asked.body.unwrap_or_default()).ok());
                (called, Recorded::of(response).map_or(Reply::Empty, Reply::Mucp))
            }
            Dialect::Grpc => (grpc_call(request), grpc_reply(response)),
        }
    }
}

fn grpc_call(request: &Value) -> Option<Call> {
    let pairs = request["headers"].as_array()?.iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let headers: Vec<_> = pairs.map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
    let path = headers.iter().find(|(name, _)| name == ":path")?.1.clone();
    // A call that never carried a message was given up by the caller.
    let message = messages(request).into_iter().next()?;
    Call::grpc(headers, &path, &message).ok()
}

fn grpc_reply(response: &Value) -> Reply {
    if response.is_null() { Reply::Empty } else { Reply::Grpc(response.clone()) }
}

impl Call {
    /// In what another call is not the same one. The encoding of the message may be another.
    pub(super) fn differences(&self, ours: &Result<Self, String>) -> Vec<String> {
        let ours = match ours {
            Ok(ours) => ours,
            Err(error) => return vec![format!("the call cannot be read: {error}")],
        };
        let mut differences = Vec::new();
        let mut compare = |what: &str, ours: String, theirs: String| {
            if ours != theirs {
                differences.push(format!("{what}: {ours}, recorded {theirs}"));
            }
        };
        compare("service", ours.service.clone(), self.service.clone());
        compare("method", ours.method.clone(), self.method.clone());
        compare("message", ours.readable(), self.readable());
        for (name, value) in self.headers.iter().filter(|(name, _)| travels(name)) {
            let mine: Vec<_> =
                ours.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
            // go-micro joins the values of some headers with a space, and keeps the first one alone of others.
            let is_same = mine.join(",").replace(", ", ",").starts_with(&value.replace(", ", ","));
            if !is_same {
                differences.push(format!("header {name}: {mine:?}, recorded {value:?}"));
            }
        }
        differences
    }

    /// The message as it can be compared: a request of the Api handler, or JSON, or bytes.
    fn readable(&self) -> String {
        if self.method.starts_with("Api.") {
            let mut request: go_api::Request = go_api::decode(&self.message, self.codec).unwrap_or_default();
            for ours in ["X-Request-Id", "X-Forwarded-Proto", "X-Forwarded-Host"] {
                request.header.remove(ours);
            }
            return format!("{request:?}");
        }
        let empty = if self.message.is_empty() { self.codec.empty() } else { self.message.clone() };
        readable(&empty)
    }
}

/// JSON without its spelling, or bytes.
pub(super) fn readable(bytes: &[u8]) -> String {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) => value.to_string(),
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// Whether a header is the client's own.
fn travels(name: &str) -> bool {
    const OF_THE_CALL: [&str; 17] = [
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "grpc-timeout",
        "host",
        "te",
        "timeout",
        "user-agent",
        "x-content-type",
        "micro-from-service",
        "foo",
        "micro-foo",
        "x-micro-foo",
        "content-encoding",
        "transfer-encoding",
    ];
    !name.starts_with(':')
        && !name.starts_with("micro-")
        && !name.starts_with("x-api-field-")
        && !OF_THE_CALL.contains(&name)
}

/// In what the answer is another one than was recorded.
pub(super) fn differences(row: &Row, answer: &Answer) -> Vec<String> {
    let (ours, theirs) = (&answer.head, &row.got);
    let mut differences = Vec::new();
    let mut compare = |what: &str, ours: String, theirs: String| {
        if ours != theirs {
            differences.push(format!("{what}: {ours}, recorded {theirs}"));
        }
    };
    let status = |line: &str| line.split(' ').nth(1).unwrap_or_default().to_owned();
    compare("status", status(ours.first_line()), status(&theirs.start));
    compare("fields", meaning(&ours.fields, answer.status), meaning(&theirs.fields, answer.status));
    let recorded = theirs.body.clone().unwrap_or_default();
    if !row.sent.start.starts_with("HEAD ") {
        compare("body", readable(&answer.body), readable(&Bytes::from(recorded)));
    }
    differences
}

/// The fields that mean something, sorted. Errors of go-micro call themselves text, and replies to requests without a
/// type nothing at all.
fn meaning(fields: &[(String, String)], status: u16) -> String {
    const WITHOUT: [&str; 9] = [
        "date",
        "x-request-id",
        "content-length",
        "transfer-encoding",
        "connection",
        "x-content-type-options",
        "trailer",
        "grpc-status",
        "grpc-message",
    ];
    // Who may read an answer elsewhere is the route's to say, and not said to everybody.
    const CORS: &str = "access-control-";
    let fields = fields.iter().map(|(name, value)| (name.to_lowercase(), value.clone()));
    let mut fields: Vec<_> =
        fields.filter(|(name, _)| !WITHOUT.contains(&name.as_str()) && !name.starts_with(CORS)).collect();
    for (name, value) in &mut fields {
        if name == "content-type" && (value.is_empty() || (status >= 400 && value.starts_with("text/plain"))) {
            "application/json".clone_into(value);
        }
    }
    fields.sort();
    format!("{fields:?}")
}
