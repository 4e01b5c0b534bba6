//! The one normalisation of request paths: matching, forwarding and logs all use its result.
//!
//! Two spellings that every RFC 3986 reader takes for the same path become the same bytes. Spellings
//! that readers disagree about are not resolved but named, as an [`Ambiguity`]: the gateway refuses
//! them unless a rule says otherwise, so no backend can read another path than the one that was
//! matched.
//!
//! An octet is decoded once and never again: `%252F` is the text `%2F`, stays as it is, and is not
//! ambiguous. Whoever decodes a path and makes a new one of it must normalise that one again.

use octet::{Utf8Run, encoded_octet, is_unreserved, percent_encoded};
use std::{borrow::Cow, fmt};

mod forward;
pub(super) mod octet;
#[cfg(test)]
mod tests;

pub use forward::forwarded;

/// A path in canonical form.
///
/// Canonical: encoded unreserved characters (letters, digits, `-._~`) are decoded, other encodings
/// are in upper case, characters that RFC 3986 does not allow in a path are encoded, repeated
/// slashes are one, a `%` that encodes nothing is `%25`. It is always ASCII, and normalising it again
/// changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Normalised<'a> {
    /// The canonical path, borrowed when the raw path was canonical already.
    pub path: Cow<'a, str>,
    /// The worst of what readers could disagree about, if there is anything.
    pub ambiguity: Option<Ambiguity>,
}

/// What two readers of the same path could disagree about, the most harmless first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ambiguity {
    /// `%2F`: a slash to some, a part of the segment to others.
    EncodedSlash,
    /// `;` or `%3B`: some readers cut a parameter off the segment.
    PathParameter,
    /// `.` or `..` as a segment, however encoded, also beside an encoded slash or a backslash.
    DotSegment,
    /// A backslash, raw or as `%5C`: a slash to some readers.
    Backslash,
    /// A control character, NUL included, raw or encoded.
    Control,
    /// A `%` without two hexadecimal digits after it.
    InvalidPercent,
    /// Encoded octets that are not UTF-8: overlong, cut short or out of range.
    InvalidUtf8,
    /// The path does not start with a slash.
    NotRooted,
}

impl Ambiguity {
    /// A sentence for the text of an error.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EncodedSlash => "The path has an encoded slash (%2F).",
            Self::PathParameter => "The path has a semicolon (; or %3B).",
            Self::DotSegment => "The path has a dot segment (. or ..).",
            Self::Backslash => "The path has a backslash (\\ or %5C).",
            Self::Control => "The path has a control character.",
            Self::InvalidPercent => "The path has a % without two hexadecimal digits after it.",
            Self::InvalidUtf8 => "The path has encoded bytes that are not UTF-8.",
            Self::NotRooted => "The path does not start with a slash.",
        }
    }
}

/// The sentence as a part of another one: it begins in lower case and has no full stop.
impl fmt::Display for Ambiguity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clause = self.as_str().strip_prefix('T').and_then(|rest| rest.strip_suffix('.'));
        write!(f, "t{}", clause.unwrap_or_default())
    }
}

/// Brings the path of a request target, without its query, into canonical form.
///
/// The target `*` of OPTIONS is the caller's to handle. Dot segments are named, not removed.
#[must_use]
pub fn normalise(raw_path: &str) -> Normalised<'_> {
    if is_canonical(raw_path) {
        return Normalised { path: Cow::Borrowed(raw_path), ambiguity: None };
    }
    Pass::over(raw_path).run()
}

/// Whether a path needs no closer look, as most do: slashes with plain bytes between them. A dot that
/// follows a slash or a dot may belong to a dot segment.
fn is_canonical(path: &str) -> bool {
    let mut before = Class::Plain;
    let is_plain = |byte| {
        let class = CLASSES[usize::from(byte)];
        let clear = match class {
            Class::Plain => true,
            Class::Slash => before != Class::Slash,
            Class::Dot => before == Class::Plain,
            _ => false,
        };
        before = class;
        clear
    };
    path.starts_with('/') && path.bytes().all(is_plain)
}

/// The canonical form of a path written in configuration, where raw UTF-8 is common.
///
/// It is the same form as a request's; ask [`normalise`] where the ambiguity matters too.
#[must_use]
pub fn canonical_pattern(path: &str) -> Cow<'_, str> {
    normalise(path).path
}

/// How a raw byte is treated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Stays as it is and makes its segment an ordinary one.
    Plain,
    Dot,
    Slash,
    Percent,
    Semicolon,
    Backslash,
    Control,
    /// Not allowed in a path by RFC 3986, so encoded; readers do not disagree about it.
    Encode,
    /// A part of a character outside ASCII.
    Text,
}

const CLASSES: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut table = [Class::Encode; 256];
    let mut byte: u8 = 0;
    loop {
        table[byte as usize] = class(byte);
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

const fn class(byte: u8) -> Class {
    match byte {
        b'.' => Class::Dot,
        b'/' => Class::Slash,
        b'%' => Class::Percent,
        b';' => Class::Semicolon,
        b'\\' => Class::Backslash,
        0..=0x1F | 0x7F => Class::Control,
        0x80.. => Class::Text,
        // The sub-delimiters, colon and at sign of `pchar`.
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@' => Class::Plain,
        _ if is_unreserved(byte) => Class::Plain,
        _ => Class::Encode,
    }
}

/// More dots, or anything else, than a dot segment has.
const ORDINARY: u8 = 3;

/// The one pass over a path. Nothing is copied until the first byte that has to change.
struct Pass<'a> {
    raw: &'a str,
    at: usize,
    out: String,
    /// How much of `raw` has been copied to `out` or dropped.
    copied: usize,
    /// Dots of the segment so far, [`ORDINARY`] once it cannot be a dot segment.
    dots: u8,
    worst: Option<Ambiguity>,
}

impl<'a> Pass<'a> {
    fn over(raw: &'a str) -> Self {
        Self { raw, at: 0, out: String::new(), copied: 0, dots: 0, worst: None }
    }

    fn run(mut self) -> Normalised<'a> {
        if !self.raw.starts_with('/') {
            self.note(Ambiguity::NotRooted);
        }
        while let Some(&byte) = self.raw.as_bytes().get(self.at) {
            self.step(byte);
        }
        self.end_segment();
        self.finish()
    }

    fn step(&mut self, byte: u8) {
        match CLASSES[usize::from(byte)] {
            Class::Plain => self.plain(),
            Class::Dot => self.dot(1),
            Class::Slash => self.slash(),
            Class::Percent => self.percent(),
            Class::Semicolon => {
                self.note(Ambiguity::PathParameter);
                self.keep(1);
            }
            Class::Backslash => {
                self.note(Ambiguity::Backslash);
                self.end_segment();
                self.encode();
                self.dots = 0;
            }
            Class::Control => {
                self.note(Ambiguity::Control);
                self.encode();
            }
            Class::Encode | Class::Text => self.encode(),
        }
    }

    /// A run of plain bytes, which is most of any path.
    fn plain(&mut self) {
        let left = &self.raw.as_bytes()[self.at..];
        let plain = left.iter().take_while(|byte| CLASSES[usize::from(**byte)] == Class::Plain);
        self.keep(plain.count());
    }

    fn note(&mut self, ambiguity: Ambiguity) {
        self.worst = self.worst.max(Some(ambiguity));
    }

    fn keep(&mut self, bytes: usize) {
        self.dots = ORDINARY;
        self.at += bytes;
    }

    fn dot(&mut self, bytes: usize) {
        self.dots = ORDINARY.min(self.dots + 1);
        self.at += bytes;
    }

    fn end_segment(&mut self) {
        if matches!(self.dots, 1 | 2) {
            self.note(Ambiguity::DotSegment);
        }
        self.dots = 0;
    }

    fn slash(&mut self) {
        self.end_segment();
        if self.at > 0 && self.raw.as_bytes()[self.at - 1] == b'/' {
            self.replace(1, "");
        }
        self.at += 1;
    }

    fn percent(&mut self) {
        let Some(octet) = encoded_octet(self.raw.as_bytes(), self.at) else {
            self.note(Ambiguity::InvalidPercent);
            self.replace(1, "%25");
            return self.keep(1);
        };
        match octet {
            b'.' => {
                self.replace(3, ".");
                self.dot(3);
            }
            _ if is_unreserved(octet) => {
                self.replace(3, char::from(octet).encode_utf8(&mut [0; 4]));
                self.keep(3);
            }
            0x80.. => self.encoded_text(),
            _ => self.reserved(octet),
        }
    }

    /// An encoded octet below 0x80 that stays encoded. A slash and a backslash end the segment, as
    /// they do for the readers that decode them: `..%2F` is a dot segment.
    fn reserved(&mut self, octet: u8) {
        self.upper_case(octet);
        match octet {
            b'/' | b'\\' => self.end_segment(),
            _ => self.dots = ORDINARY,
        }
        self.at += 3;
        match octet {
            b'/' => self.note(Ambiguity::EncodedSlash),
            b'\\' => self.note(Ambiguity::Backslash),
            b';' => self.note(Ambiguity::PathParameter),
            0..=0x1F | 0x7F => self.note(Ambiguity::Control),
            _ => {}
        }
    }

    /// A run of encoded octets from 0x80 up, which must be UTF-8.
    fn encoded_text(&mut self) {
        let mut text = Utf8Run::default();
        while let Some(octet @ 0x80..) = encoded_octet(self.raw.as_bytes(), self.at) {
            text.push(octet);
            self.upper_case(octet);
            self.keep(3);
        }
        if !text.is_valid() {
            self.note(Ambiguity::InvalidUtf8);
        }
    }

    fn upper_case(&mut self, octet: u8) {
        let encoded = percent_encoded(octet);
        if self.raw.as_bytes()[self.at..self.at + 3] != encoded {
            self.copy_to(self.at);
            self.push_octet(octet);
            self.copied = self.at + 3;
        }
    }

    /// Encodes the raw character under the cursor.
    fn encode(&mut self) {
        let length = self.raw[self.at..].chars().next().map_or(1, char::len_utf8);
        self.copy_to(self.at);
        for octet in self.raw.bytes().skip(self.at).take(length) {
            self.push_octet(octet);
        }
        self.copied = self.at + length;
        self.keep(length);
    }

    fn push_octet(&mut self, octet: u8) {
        self.out.extend(percent_encoded(octet).map(char::from));
    }

    fn replace(&mut self, bytes: usize, with: &str) {
        self.copy_to(self.at);
        self.out.push_str(with);
        self.copied = self.at + bytes;
    }

    fn copy_to(&mut self, end: usize) {
        self.out.push_str(&self.raw[self.copied..end]);
    }

    fn finish(mut self) -> Normalised<'a> {
        if self.copied == 0 {
            return Normalised { path: Cow::Borrowed(self.raw), ambiguity: self.worst };
        }
        self.copy_to(self.raw.len());
        Normalised { path: Cow::Owned(self.out), ambiguity: self.worst }
    }
}
