//! A file's text to the values of its documents.

use super::lines::Lines;
use serde_json::Value;
use serde_saphyr::{Error, MessageFormatter as _, UserMessageFormatter};

/// One document of a file that has content.
#[derive(Debug)]
pub(super) struct Document {
    /// The line on which it starts, from 1.
    pub(super) line: usize,
    /// The lines of its fields.
    pub(super) lines: Lines,
    /// Its value, or the line and the reason why there is none.
    pub(super) value: Result<Value, (usize, String)>,
}

/// Splits a text at its `---` lines, so that a broken document does not hide its neighbours, and
/// reads each part, when it is asked for: values take many times the room of their text. YAML takes
/// such a line for a separator wherever it stands.
pub(super) fn read(text: &str) -> impl Iterator<Item = Document> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    split(text).into_iter().filter(|(_, part)| has_content(part)).map(|(line, part)| parse(line, part))
}

fn split(text: &str) -> Vec<(usize, &str)> {
    let mut parts = Vec::new();
    let (mut start, mut start_line, mut offset) = (0, 1, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if is_separator(line) && offset > start {
            parts.push((start_line, &text[start..offset]));
            (start, start_line) = (offset, index + 1);
        }
        offset += line.len();
    }
    parts.push((start_line, &text[start..]));
    parts
}

fn is_separator(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

fn has_content(part: &str) -> bool {
    part.lines().any(|line| {
        let line = line.trim();
        let line = line.strip_prefix("---").map_or(line, str::trim_start);
        !line.is_empty() && !line.starts_with('#') && line != "..."
    })
}

fn parse(line: usize, part: &str) -> Document {
    let value = serde_saphyr::from_str::<Value>(part).map_err(|error| {
        let at = error.location().and_then(|location| usize::try_from(location.line()).ok()).unwrap_or(1);
        (line + at.max(1) - 1, plain(&error))
    });
    Document { line, lines: Lines::of(part, line), value }
}

/// The message on one line, without an excerpt of the file and without its line: the text may be
/// one document of many. The library would tell of its own options.
fn plain(error: &serde_saphyr::Error) -> String {
    let error = error.without_snippet();
    let message = match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{key}` is there twice in the same place: remove one").into()
        }
        Error::DuplicateMappingKey { key: None, .. } => "a key is there twice in the same place: remove one".into(),
        error => UserMessageFormatter.format_message(error),
    };
    message.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
