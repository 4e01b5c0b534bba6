//! Segments of templates as a trie that is walked in rank order.

use super::{
    span::Span,
    template::{MAX_SEGMENTS, Segment},
};
use hashbrown::HashMap;

/// A trie of segments up to `**`, and what follows it as lists. As deep as a template is long, at
/// most [`MAX_SEGMENTS`].
#[derive(Clone, Debug, Default)]
pub(super) struct Trie {
    literals: Literals,
    single: Option<Box<Trie>>,
    /// Templates that end here.
    ends: Span,
    /// Templates with `**` here, in rank order.
    tails: Vec<Tail>,
}

/// The segments after `**`.
#[derive(Clone, Debug)]
struct Tail {
    segments: Box<[Segment]>,
    span: Span,
}

impl Trie {
    /// Adds the segments of the entry at `index`. Entries must come in rank order.
    pub(super) fn insert(&mut self, segments: &[Segment], index: usize) {
        let mut node = self;
        let mut segments = segments.iter();
        for segment in segments.by_ref() {
            node = match segment {
                Segment::Literal(text) => node.literals.child(text),
                Segment::Single => node.single.get_or_insert_default(),
                Segment::Rest => return node.insert_tail(segments.as_slice(), index),
            };
        }
        node.ends.push(index);
    }

    fn insert_tail(&mut self, segments: &[Segment], index: usize) {
        match self.tails.last_mut() {
            Some(tail) if *tail.segments == *segments => tail.span.push(index),
            _ => {
                let mut span = Span::default();
                span.push(index);
                self.tails.push(Tail { segments: segments.into(), span });
            }
        }
    }

    /// Offers the runs of entries whose segments take what is left of a path, best first, until
    /// `take` takes one. `left` starts behind a slash; it is `None` at the end of the path.
    pub(super) fn visit<T>(&self, left: Option<&str>, take: &mut impl FnMut(Span) -> Option<T>) -> Option<T> {
        let below = match left {
            Some(left) => self.visit_segment(left, take),
            None if self.ends.is_empty() => None,
            None => take(self.ends),
        };
        below.or_else(|| self.tails.iter().filter(|tail| tail.takes(left)).find_map(|tail| take(tail.span)))
    }

    fn visit_segment<T>(&self, left: &str, take: &mut impl FnMut(Span) -> Option<T>) -> Option<T> {
        let (segment, next) = match left.split_once('/') {
            Some((segment, next)) => (segment, Some(next)),
            None => (left, None),
        };
        if let Some(found) = self.literals.get(segment).and_then(|node| node.visit(next, take)) {
            return Some(found);
        }
        let single = self.single.as_ref().filter(|_| !segment.is_empty())?;
        single.visit(next, take)
    }
}

impl Tail {
    fn takes(&self, mut left: Option<&str>) -> bool {
        debug_assert!(self.segments.len() < MAX_SEGMENTS, "a tail must be shorter than a template");
        self.segments.iter().rev().all(|segment| {
            let Some(text) = left else { return false };
            let (before, last) = match text.rsplit_once('/') {
                Some((before, last)) => (Some(before), last),
                None => (None, text),
            };
            left = before;
            segment.takes(last)
        })
    }
}

/// The most children that are compared one by one, which costs less than a hash.
const FEW: usize = 3;

/// Children by literal segment: a list while there are few of them, then a map.
#[derive(Clone, Debug)]
enum Literals {
    Few(Vec<(Box<str>, Trie)>),
    Many(HashMap<Box<str>, Trie>),
}

impl Default for Literals {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Literals {
    fn get(&self, segment: &str) -> Option<&Trie> {
        match self {
            Self::Few(children) => children.iter().find(|(text, _)| **text == *segment).map(|(_, child)| child),
            Self::Many(children) => children.get(segment),
        }
    }

    /// The child for this segment, made if there is none.
    fn child(&mut self, segment: &str) -> &mut Trie {
        if let Self::Few(children) = self
            && children.len() == FEW
        {
            *self = Self::Many(std::mem::take(children).into_iter().collect());
        }
        match self {
            Self::Few(children) => {
                let known = children.iter().position(|(text, _)| **text == *segment);
                let index = known.unwrap_or_else(|| {
                    children.reserve_exact(1);
                    children.push((segment.into(), Trie::default()));
                    children.len() - 1
                });
                &mut children[index].1
            }
            Self::Many(children) => children.entry(segment.into()).or_default(),
        }
    }
}
