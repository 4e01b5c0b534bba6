//! The paths of one host: exact paths, templates, regular expressions, prefixes, in this order.

use super::{
    entry::PathPattern,
    pattern::prefix_key,
    span::{Lengths, Span},
    template::Template,
    trie::Trie,
};
use hashbrown::HashMap;
use regex::Regex;
use std::sync::Arc;

/// The index of one host's paths.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths {
    exact: HashMap<Arc<str>, Span>,
    exact_lengths: Lengths,
    templates: Option<Box<Templates>>,
    regexes: Vec<(Regex, Span)>,
    prefixes: HashMap<Arc<str>, Span>,
    prefix_lengths: Lengths,
}

#[derive(Clone, Debug, Default)]
struct Templates {
    by_verb: HashMap<Box<str>, Trie>,
    plain: Trie,
}

impl Paths {
    /// Adds the entry at `index`. Entries must come in rank order.
    pub(super) fn insert(&mut self, path: &PathPattern, index: usize) {
        match path {
            PathPattern::Exact(path) => {
                self.exact_lengths.insert(path.len());
                self.exact.entry(Arc::clone(path)).or_default().push(index);
            }
            PathPattern::Template(template) => self.templates.get_or_insert_default().insert(template, index),
            PathPattern::Regex(regex) => self.insert_regex(regex, index),
            PathPattern::Prefix(prefix) => {
                let key = prefix_key(prefix);
                self.prefix_lengths.insert(key.len());
                self.prefixes.entry(key.into()).or_default().push(index);
            }
        }
    }

    fn insert_regex(&mut self, regex: &Regex, index: usize) {
        match self.regexes.last_mut() {
            Some((last, span)) if last.as_str() == regex.as_str() => span.push(index),
            _ => {
                let mut span = Span::default();
                span.push(index);
                self.regexes.push((regex.clone(), span));
            }
        }
    }

    /// Offers the runs of entries that take the path, best first, until `take` takes one.
    pub(super) fn visit<T>(&self, path: &str, take: &mut impl FnMut(Span) -> Option<T>) -> Option<T> {
        let exact = self.exact_lengths.contains(path.len()).then(|| self.exact.get(path)).flatten();
        if let Some(found) = exact.and_then(|span| take(*span)) {
            return Some(found);
        }
        if let Some(found) = self.templates.as_ref().and_then(|templates| templates.visit(path, take)) {
            return Some(found);
        }
        let mut regexes = self.regexes.iter().filter(|(regex, _)| regex.is_match(path));
        regexes.find_map(|(_, span)| take(*span)).or_else(|| self.visit_prefixes(path, take))
    }

    /// From the whole path to the empty one, cut at each slash.
    fn visit_prefixes<T>(&self, path: &str, take: &mut impl FnMut(Span) -> Option<T>) -> Option<T> {
        let mut prefix = path;
        loop {
            let span = self.prefix_lengths.contains(prefix.len()).then(|| self.prefixes.get(prefix)).flatten();
            if let Some(found) = span.and_then(|span| take(*span)) {
                return Some(found);
            }
            prefix = &prefix[..prefix.rfind('/')?];
        }
    }
}

impl Templates {
    fn insert(&mut self, template: &Template, index: usize) {
        match template.verb() {
            Some(verb) => self.by_verb.entry(verb.into()).or_default().insert(template, index),
            None => self.plain.insert(template, index),
        }
    }

    fn visit<T>(&self, path: &str, take: &mut impl FnMut(Span) -> Option<T>) -> Option<T> {
        self.visit_verb(path, take).or_else(|| self.plain.visit(path, take))
    }

    fn visit_verb<T>(&self, path: &str, take: &mut impl FnMut(Span) -> Option<T>) -> Option<T> {
        if self.by_verb.is_empty() {
            return None;
        }
        let (before, verb) = path.rsplit_once(':')?;
        self.by_verb.get(verb)?.visit(before, take)
    }
}
