//! The parser of templates: one walk over the text, no recursion.

use super::{Capture, MAX_CAPTURES, MAX_SEGMENTS, Segment, Template, TemplateError, TemplateProblem as Problem};
use crate::table::path::{Ambiguity, normalise};

type Parsed<T> = Result<T, TemplateError>;

pub(super) fn parse(text: &str) -> Parsed<Template> {
    if !text.starts_with('/') {
        return fail(0, Problem::NotRooted);
    }
    let body = verb_position(text).unwrap_or(text.len());
    let mut parser = Parser { text: &text[..body], at: 0, segments: Vec::new(), captures: Vec::new() };
    parser.path()?;
    Ok(Template {
        text: text.into(),
        segments: parser.segments.into(),
        verb: verb(text, body)?,
        captures: parser.captures.into(),
    })
}

fn fail<T>(at: usize, problem: Problem) -> Parsed<T> {
    Err(TemplateError { at, problem })
}

/// Where the colon of the verb stands: the last one, behind every slash and brace.
fn verb_position(text: &str) -> Option<usize> {
    let colon = text.rfind(':')?;
    (text.rfind(['/', '}']) < Some(colon)).then_some(colon)
}

fn verb(text: &str, colon: usize) -> Parsed<Option<Box<str>>> {
    match text.get(colon + 1..) {
        None => Ok(None),
        Some("") => fail(colon, Problem::EmptyVerb),
        Some(verb) => literal(verb, colon + 1).map(Some),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    segments: Vec<Segment>,
    captures: Vec<Capture>,
}

impl Parser<'_> {
    /// `{ "/" segment }`
    fn path(&mut self) -> Parsed<()> {
        while self.at < self.text.len() {
            self.at += 1;
            if self.peek() == Some(b'{') {
                self.variable()?;
            } else {
                self.top_segment()?;
            }
        }
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// What is left up to one of `stops`, or up to the end.
    fn until(&self, stops: &[char]) -> &str {
        let left = &self.text[self.at..];
        &left[..left.find(stops).unwrap_or(left.len())]
    }

    fn top_segment(&mut self) -> Parsed<()> {
        let token = self.until(&['/']);
        if token.is_empty() && self.at < self.text.len() {
            return fail(self.at, Problem::EmptySegment);
        }
        if let Some(brace) = token.find(['{', '}']) {
            let open = token[brace..].starts_with('{');
            return fail(self.at + brace, if open { Problem::PartialVariable } else { Problem::StrayBrace });
        }
        self.push_token(token.len())
    }

    /// `"{" field [ "=" segment { "/" segment } ] "}"`
    fn variable(&mut self) -> Parsed<()> {
        let (open, first) = (self.at, self.segments.len());
        self.at += 1;
        let field: Box<str> = self.until(&['=', '}', '/', '{']).into();
        self.at += field.len();
        self.check_field(open, &field)?;
        match self.peek() {
            Some(b'}') => self.push(Segment::Single)?,
            Some(b'=') => self.variable_segments(open)?,
            Some(b'{') => return fail(self.at, Problem::NestedVariable),
            _ => return fail(open, Problem::Unclosed),
        }
        self.at += 1;
        self.captures.push(Capture { field, first, last: self.segments.len() - 1 });
        match self.peek() {
            None | Some(b'/') => Ok(()),
            Some(_) => fail(self.at, Problem::PartialVariable),
        }
    }

    /// From `=` or a slash up to the closing brace.
    fn variable_segments(&mut self, open: usize) -> Parsed<()> {
        while self.peek() != Some(b'}') {
            self.at += 1;
            let token = self.until(&['/', '}', '{']);
            match (token.len(), self.text.as_bytes().get(self.at + token.len())) {
                (_, None) => return fail(open, Problem::Unclosed),
                (length, Some(b'{')) => return fail(self.at + length, Problem::NestedVariable),
                (0, Some(_)) => return fail(self.at, Problem::EmptySegment),
                (length, Some(_)) => self.push_token(length)?,
            }
        }
        Ok(())
    }

    fn check_field(&self, open: usize, field: &str) -> Parsed<()> {
        if !field.split('.').all(is_identifier) {
            return fail(open + 1, Problem::BadField);
        }
        if self.captures.iter().any(|capture| *capture.field == *field) {
            return fail(open + 1, Problem::DuplicateField);
        }
        if self.captures.len() == MAX_CAPTURES {
            return fail(open, Problem::TooManyCaptures);
        }
        Ok(())
    }

    fn push_token(&mut self, length: usize) -> Parsed<()> {
        let segment = match &self.text[self.at..self.at + length] {
            "*" => Segment::Single,
            "**" if self.segments.contains(&Segment::Rest) => return fail(self.at, Problem::SecondRest),
            "**" => Segment::Rest,
            text => Segment::Literal(literal(text, self.at)?),
        };
        self.push(segment)?;
        self.at += length;
        Ok(())
    }

    fn push(&mut self, segment: Segment) -> Parsed<()> {
        if self.segments.len() == MAX_SEGMENTS {
            return fail(self.at, Problem::TooManySegments);
        }
        self.segments.push(segment);
        Ok(())
    }
}

fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The canonical form of literal text without a slash.
fn literal(text: &str, at: usize) -> Parsed<Box<str>> {
    if let Some(index) = text.find(['*', '{', '}', '?', '#']) {
        let problem = match text.as_bytes()[index] {
            b'*' => Problem::PartialStar,
            b'{' => Problem::PartialVariable,
            b'}' => Problem::StrayBrace,
            _ => Problem::NotAPath,
        };
        return fail(at + index, problem);
    }
    let rooted = format!("/{text}");
    let canonical = normalise(&rooted);
    match canonical.ambiguity {
        Some(ambiguity) if ambiguity > Ambiguity::EncodedSlash => fail(at, Problem::Ambiguous(ambiguity)),
        _ => Ok(canonical.path[1..].into()),
    }
}
