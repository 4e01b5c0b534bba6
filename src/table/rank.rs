//! The rule of precedence, as a value: of two entries that take a request, the lesser rank wins.
//!
//! Host, then path, then method, headers, query parameters, age, order. It is Gateway API's order,
//! with templates and regular expressions, which that leaves open, between exact paths and prefixes.

use super::{
    entry::{Entry, HostPattern, PathPattern},
    expression::unanchored,
    keyed::prefix_key,
    template::{Segment, Template},
};
use std::cmp::{Ordering, Reverse};

/// The rank of an entry. Fields and variants stand in the order in which they decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank<'a> {
    host: HostRank<'a>,
    path: PathRank<'a>,
    any_method: bool,
    headers: Reverse<usize>,
    query: Reverse<usize>,
    created: i64,
    order: (&'a str, u32),
}

impl<'a> Rank<'a> {
    /// The rank of this entry.
    #[must_use]
    pub fn of<P>(entry: &'a Entry<P>) -> Self {
        Self {
            host: HostRank::of(&entry.host),
            path: PathRank::of(&entry.path),
            any_method: entry.conditions.methods.is_empty(),
            headers: Reverse(entry.conditions.headers.len()),
            query: Reverse(entry.conditions.query.len()),
            created: entry.created,
            order: (&entry.order.0, entry.order.1),
        }
    }
}

/// An exact name, then the longest suffix, then any host. Names are compared last: only one of the
/// same length can take a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum HostRank<'a> {
    Exact(&'a str),
    Wildcard(Reverse<usize>, &'a str, Labels),
    Any,
}

/// One label in front of the same suffix is more specific than any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Labels {
    One,
    Many,
}

impl<'a> HostRank<'a> {
    fn of(host: &'a HostPattern) -> Self {
        match host {
            HostPattern::Exact(name) => Self::Exact(name),
            HostPattern::WildcardLabel(suffix) => Self::Wildcard(Reverse(suffix.len()), suffix, Labels::One),
            HostPattern::Wildcard(suffix) => Self::Wildcard(Reverse(suffix.len()), suffix, Labels::Many),
            HostPattern::Any => Self::Any,
        }
    }
}

/// The same path, a template, the longest expression, the longest prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PathRank<'a> {
    Exact(&'a str),
    Template(TemplateRank<'a>),
    Regex(Reverse<usize>, &'a str),
    Prefix(Reverse<usize>, &'a str),
}

impl<'a> PathRank<'a> {
    fn of(path: &'a PathPattern) -> Self {
        match path {
            PathPattern::Exact(path) => Self::Exact(path),
            PathPattern::Template(template) => Self::Template(TemplateRank(template)),
            PathPattern::Regex(regex) => {
                let text = unanchored(regex);
                Self::Regex(Reverse(text.len()), text)
            }
            PathPattern::Prefix(prefix) => {
                let key = prefix_key(prefix);
                Self::Prefix(Reverse(key.len()), key)
            }
        }
    }
}

/// The rank of a template. Equal for templates that take the same paths, whatever they capture.
///
/// One with a verb comes first. Then segment decides after segment: literal, single, the end of the
/// template, `**`. So `/a/b` is before `/a/{x}`, and `/a` before `/a/**`, but `/**/a` before `/**`.
#[derive(Clone, Copy, Debug)]
struct TemplateRank<'a>(&'a Template);

impl Ord for TemplateRank<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let (left, right) = (self.0, other.0);
        let verb = right.verb().is_some().cmp(&left.verb().is_some());
        // Two templates of the same shape that take the same path have the same literals, so their
        // order only keeps equal templates together.
        verb.then_with(|| shape(left).cmp(shape(right)))
            .then_with(|| left.segments().cmp(right.segments()))
            .then_with(|| left.verb().cmp(&right.verb()))
    }
}

impl PartialOrd for TemplateRank<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for TemplateRank<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for TemplateRank<'_> {}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    Literal,
    Single,
    End,
    Rest,
}

fn shape(template: &Template) -> impl Iterator<Item = Shape> + '_ {
    let segments = template.segments().iter().map(|segment| match segment {
        Segment::Literal(_) => Shape::Literal,
        Segment::Single => Shape::Single,
        Segment::Rest => Shape::Rest,
    });
    segments.chain(std::iter::once(Shape::End))
}
