//! Exchanges of real go-micro services and clients, as tests read them, and the count of those that ran.

use super::codec::Codec;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use std::{collections::BTreeMap, fs, io::Write, path::Path};

/// The text of a recorded file.
pub(crate) fn text(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/go-micro").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of a recorded file, each with its line.
pub(crate) fn rows(file: &str) -> Vec<(usize, Value)> {
    let row = |(index, line): (usize, &str)| {
        let value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{file}:{}: {error}", index + 1));
        (index + 1, value)
    };
    text(file).lines().enumerate().map(row).collect()
}

/// Headers as they were recorded: pairs of name and value, without the pseudo-headers of HTTP/2.
pub(crate) fn headers(pairs: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for pair in pairs.as_array().map(Vec::as_slice).unwrap_or_default() {
        let (name, value) = (pair[0].as_str().unwrap_or_default(), pair[1].as_str().unwrap_or_default());
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes())) {
            headers.append(name, value);
        }
    }
    headers
}

/// The body of a recorded message.
pub(crate) fn body(message: &Value) -> Bytes {
    let text = message.get("body_text").and_then(Value::as_str);
    match message.get("body_base64").and_then(Value::as_str) {
        Some(encoded) => BASE64_STANDARD.decode(encoded).map_or_else(|error| panic!("{error}"), Bytes::from),
        None => Bytes::copy_from_slice(text.unwrap_or_default().as_bytes()),
    }
}

/// The message that the recorded methods take and give.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Message {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(string, repeated, tag = "2")]
    pub(crate) values: Vec<String>,
    #[prost(int64, tag = "3")]
    pub(crate) n: i64,
    #[prost(map = "string, string", tag = "4")]
    pub(crate) meta: std::collections::HashMap<String, String>,
    #[prost(bytes = "vec", tag = "5")]
    pub(crate) data: Vec<u8>,
    #[prost(string, tag = "6")]
    pub(crate) user_name: String,
}

impl Message {
    /// From any of the spellings of its JSON. A value that is bytes alone is in the encoding of the call.
    pub(crate) fn of(json: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if let Some(bytes) = json.get("bytes_base64") {
            let bytes = BASE64_STANDARD.decode(text(bytes)).unwrap_or_default();
            return serde_json::from_slice(&bytes)
                .map_or_else(|_| prost::Message::decode(bytes.as_slice()).unwrap_or_default(), |json| Self::of(&json));
        }
        let list = |value: &Value| value.as_array().into_iter().flatten().map(text).collect();
        let name = json.get("user_name").or_else(|| json.get("userName"));
        let pairs = json["meta"].as_object().into_iter().flatten();
        Self {
            key: text(&json["key"]),
            values: list(&json["values"]),
            n: json["n"].as_i64().or_else(|| json["n"].as_str()?.parse().ok()).unwrap_or_default(),
            meta: pairs.map(|(name, value)| (name.clone(), text(value))).collect(),
            data: BASE64_STANDARD.decode(text(&json["data"])).unwrap_or_default(),
            user_name: name.map(text).unwrap_or_default(),
        }
    }
}

/// The message in these bytes.
pub(crate) fn message(codec: Codec, bytes: &[u8]) -> Message {
    if codec.is_json() {
        let json = serde_json::from_slice(bytes);
        return Message::of(&json.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes))));
    }
    prost::Message::decode(bytes).unwrap_or_else(|error| panic!("{error}: {bytes:?}"))
}

/// What became of the rows of one file in one module: every row is run, or left out for a reason.
pub(crate) struct Tally {
    file: &'static str,
    module: &'static str,
    run: usize,
    left: BTreeMap<&'static str, usize>,
}

impl Tally {
    pub(crate) fn new(file: &'static str, module: &'static str) -> Self {
        Self { file, module, run: 0, left: BTreeMap::new() }
    }

    pub(crate) fn ran(&mut self) {
        self.run += 1;
    }

    pub(crate) fn leave(&mut self, reason: &'static str) {
        *self.left.entry(reason).or_default() += 1;
    }

    /// Prints the count. The macros of the standard library would be captured where a test passes.
    pub(crate) fn finish(self, all: usize) {
        assert_eq!(self.run + self.left.values().sum::<usize>(), all, "{}: rows are not accounted for", self.file);
        assert!(self.run > 0, "{}: no row ran", self.file);
        let mut line = format!("recorded {} ({}): {} ran", self.file, self.module, self.run);
        for (reason, count) in self.left {
            line.push_str(&format!("; {count} not: {reason}"));
        }
        line.push('\n');
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }
}
