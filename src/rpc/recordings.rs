//! Exchanges of real go-micro services and clients, as tests read them, and the count of those that ran.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use std::{collections::BTreeMap, fs, io::Write, path::Path};

/// The text of a recorded file.
pub(super) fn text(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/go-micro").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of a recorded file, each with its line.
pub(super) fn rows(file: &str) -> Vec<(usize, Value)> {
    let row = |(index, line): (usize, &str)| {
        let value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{file}:{}: {error}", index + 1));
        (index + 1, value)
    };
    text(file).lines().enumerate().map(row).collect()
}

/// Headers as they were recorded: pairs of name and value, without the pseudo-headers of HTTP/2.
pub(super) fn headers(pairs: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for pair in pairs.as_array().map(Vec::as_slice).unwrap_or_default() {
        let (name, value) = (pair[0].as_str().unwrap_or_default(), pair[1].as_str().unwrap_or_default());
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes())) {
            headers.append(name, value);
        }
    }
    headers
}

/// What became of the rows of one file in one module: every row is run, or left out for a reason.
pub(super) struct Tally {
    file: &'static str,
    module: &'static str,
    run: usize,
    left: BTreeMap<&'static str, usize>,
}

impl Tally {
    pub(super) fn new(file: &'static str, module: &'static str) -> Self {
        Self { file, module, run: 0, left: BTreeMap::new() }
    }

    pub(super) fn ran(&mut self) {
        self.run += 1;
    }

    pub(super) fn leave(&mut self, reason: &'static str) {
        *self.left.entry(reason).or_default() += 1;
    }

    /// Prints the count. The macros of the standard library would be captured where a test passes.
    pub(super) fn finish(self, all: usize) {
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
