//! Path templates with captures, in the form of `google.api.http`.
//!
//! `/users/{id}`, `/files/{path=**}/raw`, `/v1/{name=shelves/*}:archive`. One `**` at most, and only
//! segments of fixed number around it: so a template matches in one walk, without going back.

use super::path::Ambiguity;

mod parse;
#[cfg(test)]
mod tests;

/// The most captures that a template has.
pub const MAX_CAPTURES: usize = 16;

/// The most segments that a template has.
pub const MAX_SEGMENTS: usize = 32;

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: Box<str>,
    segments: Box<[Segment]>,
    verb: Option<Box<str>>,
    captures: Box<[Capture]>,
}

/// What one segment of a path must be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Segment {
    /// This text. Empty only as the last one: the path ends with a slash.
    Literal(Box<str>),
    /// `*`: any one segment that is not empty.
    Single,
    /// `**`: any number of segments, none included.
    Rest,
}

impl Segment {
    /// Whether a single segment of a path fits. `**` is not a single segment.
    pub(super) fn takes(&self, text: &str) -> bool {
        match self {
            Self::Literal(literal) => **literal == *text,
            Self::Single => !text.is_empty(),
            Self::Rest => false,
        }
    }
}

/// A field and the segments, first to last, that it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Capture {
    field: Box<str>,
    first: usize,
    last: usize,
}

/// Why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template, at byte {at}: {problem}")]
pub struct TemplateError {
    /// Where, in bytes from the start of the text.
    pub at: usize,
    /// What is wrong there, and how to mend it.
    pub problem: TemplateProblem,
}

/// What is wrong with a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateProblem {
    /// It does not start with a slash.
    #[error("it must start with a slash, as in /users/{{id}}")]
    NotRooted,
    /// Two slashes follow each other.
    #[error("a segment is empty: remove one of the two slashes, or write * for any segment")]
    EmptySegment,
    /// A star stands within a segment.
    #[error("a star must be a whole segment: write /*/ or /**/")]
    PartialStar,
    /// A second `**`.
    #[error("** may stand only once: use * for the segments of known number")]
    SecondRest,
    /// A variable has text before or after it in its segment.
    #[error("a variable must be a whole segment: write /{{name}}/ between slashes")]
    PartialVariable,
    /// A variable within a variable.
    #[error("a variable may not stand in another: write {{a}}/{{b}}")]
    NestedVariable,
    /// A `{` without `}`.
    #[error("the variable is not closed: add }}")]
    Unclosed,
    /// A `}` without `{`.
    #[error("}} closes nothing: remove it, or write %7D for the character")]
    StrayBrace,
    /// Not a field path.
    #[error("a field is names of letters, digits and _ joined by dots, none starting with a digit: {{user.id}}")]
    BadField,
    /// The same field twice.
    #[error("the field is captured before: give each variable its own name")]
    DuplicateField,
    /// More than [`MAX_CAPTURES`].
    #[error("there are more than {MAX_CAPTURES} variables: write * where the value is not needed")]
    TooManyCaptures,
    /// More than [`MAX_SEGMENTS`].
    #[error("there are more than {MAX_SEGMENTS} segments: write ** for the middle ones")]
    TooManySegments,
    /// Nothing after the last colon.
    #[error("the verb after the colon is empty: write it, or %3A for the character")]
    EmptyVerb,
    /// A question mark or a hash.
    #[error("a template has no query and no fragment: set queryParams, or write %3F or %23 for the character")]
    NotAPath,
    /// Literal text that no request can be routed by.
    #[error("{0}: requests with it are refused, so write the plain path")]
    Ambiguous(Ambiguity),
}

/// First and last byte (exclusive) of every segment in a path. An absent `**` starts after its end.
type Spans = [(usize, usize); MAX_SEGMENTS];

impl Template {
    /// Parses a template. Literals are brought into the canonical form of [`super::path`].
    ///
    /// # Errors
    /// When the text is not a template: the error says where and how to mend it.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        parse::parse(text)
    }

    /// The text that it was parsed from.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The fields that it captures, in order.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.captures.iter().map(|capture| &*capture.field)
    }

    /// Whether the whole canonical path matches.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        self.spans(path).is_some()
    }

    /// What the fields hold in a canonical path, `None` when it does not match.
    #[must_use]
    pub fn captures<'a>(&'a self, path: &'a str) -> Option<Captures<'a>> {
        let spans = self.spans(path)?;
        let mut ranges = [(0, 0); MAX_CAPTURES];
        for (range, capture) in ranges.iter_mut().zip(&self.captures) {
            let start = spans[capture.first].0.min(path.len());
            *range = (start, spans[capture.last].1.max(start));
        }
        Some(Captures { path, fields: &self.captures, ranges })
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    pub(super) fn verb(&self) -> Option<&str> {
        self.verb.as_deref()
    }

    fn spans(&self, path: &str) -> Option<Spans> {
        let path = match &self.verb {
            Some(verb) => path.strip_suffix(&**verb)?.strip_suffix(':')?,
            None => path,
        };
        let mut spans = [(0, 0); MAX_SEGMENTS];
        let mut next = path.starts_with('/').then_some(1)?;
        for (index, segment) in self.segments.iter().enumerate() {
            if *segment == Segment::Rest {
                let tail = self.tail_spans(path, index, next, &mut spans)?;
                spans[index] = (next, tail);
                return Some(spans);
            }
            let text = path.get(next..)?;
            let end = next + text.find('/').unwrap_or(text.len());
            segment.takes(&path[next..end]).then_some(())?;
            spans[index] = (next, end);
            next = end + 1;
        }
        (next == path.len() + 1).then_some(spans)
    }

    /// The segments after `**`, from the end of the path. Returns where `**` ends, which is one
    /// before `next`, where it starts, if it takes no segment.
    fn tail_spans(&self, path: &str, rest: usize, next: usize, spans: &mut Spans) -> Option<usize> {
        let mut end = path.len();
        for (index, segment) in self.segments.iter().enumerate().skip(rest + 1).rev() {
            let start = next + path.get(next..end)?.rfind('/').map_or(0, |slash| slash + 1);
            segment.takes(&path[start..end]).then_some(())?;
            spans[index] = (start, end);
            end = start - 1;
        }
        Some(end)
    }
}

/// What the fields of a template hold in one path: percent-encoded, as the path is.
#[derive(Clone, Debug)]
pub struct Captures<'a> {
    path: &'a str,
    fields: &'a [Capture],
    ranges: [(usize, usize); MAX_CAPTURES],
}

impl<'a> Captures<'a> {
    /// No captures.
    #[must_use]
    pub const fn none() -> Self {
        Self { path: "", fields: &[], ranges: [(0, 0); MAX_CAPTURES] }
    }

    /// Fields and values, in the order of the template.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        self.fields.iter().zip(self.ranges).map(|(capture, (start, end))| (&*capture.field, &self.path[start..end]))
    }

    /// The value of a field. Empty only for `**`.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&'a str> {
        self.iter().find(|(name, _)| *name == field).map(|(_, value)| value)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}
