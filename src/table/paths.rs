//! The paths of one host: exact paths, templates, regular expressions, prefixes, in this order.

use super::{
    entry::PathPattern,
    keyed::{Keyed, cuts, prefix_key},
    span::Span,
    templates::Templates,
};
use regex::Regex;

/// The index of one host's paths.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths {
    exact: Keyed<Span>,
    templates: Option<Box<Templates>>,
    regexes: Vec<(Regex, Span)>,
    prefixes: Keyed<Span>,
}

impl Paths {
    /// Adds the entry at `index`. Entries must come in rank order.
    pub(super) fn insert(&mut self, path: &PathPattern, index: usize) {
        match path {
            PathPattern::Exact(path) => self.exact.value(path).push(index),
            PathPattern::Template(template) => self.templates.get_or_insert_default().insert(template, index),
            PathPattern::Regex(regex) => self.insert_regex(regex, index),
            PathPattern::Prefix(prefix) => self.prefixes.value(prefix_key(prefix)).push(index),
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
        if let Some(found) = self.exact.get(path).and_then(|span| take(*span)) {
            return Some(found);
        }
        if let Some(found) = self.templates.as_ref().and_then(|templates| templates.visit(path, take)) {
            return Some(found);
        }
        let mut regexes = self.regexes.iter().filter(|(regex, _)| regex.is_match(path));
        if let Some(found) = regexes.find_map(|(_, span)| take(*span)) {
            return Some(found);
        }
        cuts(path).find_map(|prefix| take(*self.prefixes.get(prefix)?))
    }
}
