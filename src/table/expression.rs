//! Regular expressions as entries hold them: anchored, and bounded in size.

use regex::{Regex, RegexBuilder};

/// The most memory, in bytes, that one compiled regular expression may take.
pub const REGEX_SIZE_LIMIT: usize = 1024 * 1024;

const OPEN: &str = r"\A(?:";
const CLOSE: &str = r")\z";

/// Why a text cannot be used as a regular expression.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PatternError {
    /// It compiles to too much.
    #[error("regular expression: it compiles to more than {REGEX_SIZE_LIMIT} bytes; lower its repetition counts")]
    TooLarge,
    /// It is not an expression of the `regex` crate, which has no look-around and no back-references.
    #[error("regular expression: {0}")]
    Syntax(String),
}

/// Compiles an expression that must match a whole value, within [`REGEX_SIZE_LIMIT`].
///
/// # Errors
/// When the text is no expression, or one that compiles to more than the limit.
pub fn anchored(pattern: &str) -> Result<Regex, PatternError> {
    // A pattern that closes a group it did not open would escape the anchors.
    if pattern.contains(')') {
        compile(pattern)?;
    }
    compile(&format!("{OPEN}{pattern}{CLOSE}"))
}

fn compile(pattern: &str) -> Result<Regex, PatternError> {
    RegexBuilder::new(pattern).size_limit(REGEX_SIZE_LIMIT).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => PatternError::TooLarge,
        other => PatternError::Syntax(other.to_string()),
    })
}

/// The expression as it was written.
pub(super) fn unanchored(regex: &Regex) -> &str {
    let text = regex.as_str();
    text.strip_prefix(OPEN).and_then(|text| text.strip_suffix(CLOSE)).unwrap_or(text)
}
