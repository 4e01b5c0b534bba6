//! The templates of one host, by verb and by the literal segments that they start with.
//!
//! Most templates start with literals that few others share, so one look-up leads to them; what
//! follows is a trie. A template with more literals in front outranks one with fewer whose
//! paths it shares, so the longest cut of a path that is known comes first.

use super::{
    keyed::{Keyed, cuts},
    span::Span,
    template::{Segment, Template},
    trie::Trie,
};
use hashbrown::HashMap;

/// The index of templates.
#[derive(Clone, Debug, Default)]
pub(super) struct Templates {
    by_verb: HashMap<Box<str>, Keyed<Trie>>,
    plain: Keyed<Trie>,
}

impl Templates {
    /// Adds the template of the entry at `index`. Entries must come in rank order.
    pub(super) fn insert(&mut self, template: &Template, index: usize) {
        let tries = match template.verb() {
            Some(verb) => self.by_verb.entry(verb.into()).or_default(),
            None => &mut self.plain,
        };
        let mut literals = String::new();
        let mut left = template.segments();
        while let [Segment::Literal(text), rest @ ..] = left {
            literals.extend(["/", &**text]);
            left = rest;
        }
        tries.value(&literals).insert(left, index);
    }

    /// Offers the runs of entries whose template takes the path, best first, until `take` takes one.
    pub(super) fn visit<T>(&self, path: &str, take: &mut impl FnMut(Span) -> Option<T>) -> Option<T> {
        self.visit_verb(path, take).or_else(|| visit(&self.plain, path, take))
    }

    fn visit_verb<T>(&self, path: &str, take: &mut impl FnMut(Span) -> Option<T>) -> Option<T> {
        if self.by_verb.is_empty() {
            return None;
        }
        let (before, verb) = path.rsplit_once(':')?;
        visit(self.by_verb.get(verb)?, before, take)
    }
}

fn visit<T>(tries: &Keyed<Trie>, path: &str, take: &mut impl FnMut(Span) -> Option<T>) -> Option<T> {
    if !path.starts_with('/') {
        return None;
    }
    cuts(path).find_map(|literals| {
        let left = path[literals.len()..].strip_prefix('/');
        tries.get(literals)?.visit(left, take)
    })
}
