//! The table, and how entries become one: sorted by rank, then indexed by host and path.

use super::{
    entry::{Entry, HostPattern},
    keyed::Keyed,
    paths::Paths,
    rank::Rank,
    span::Span,
};

/// The routing table. It never changes once it is built.
#[derive(Clone, Debug)]
pub struct Table<P> {
    entries: Box<[Entry<P>]>,
    hosts: Hosts,
}

impl<P> Default for Table<P> {
    fn default() -> Self {
        Self::build(Vec::new())
    }
}

impl<P> Table<P> {
    /// Builds the table. The order of `entries` decides only between those of equal rank.
    #[must_use]
    pub fn build(mut entries: Vec<Entry<P>>) -> Self {
        entries.sort_by(|left, right| Rank::of(left).cmp(&Rank::of(right)));
        let mut hosts = Hosts::default();
        for (index, entry) in entries.iter().enumerate() {
            hosts.paths_of(&entry.host).insert(&entry.path, index);
        }
        Self { entries: entries.into(), hosts }
    }

    /// The entries in rank order.
    #[must_use]
    pub fn entries(&self) -> &[Entry<P>] {
        &self.entries
    }

    /// Offers the entries whose host and path take the request, in rank order, until `take` takes
    /// one.
    pub(super) fn visit<'t, T>(
        &'t self,
        host: &str,
        path: &str,
        mut take: impl FnMut(&'t Entry<P>) -> Option<T>,
    ) -> Option<T> {
        let mut take_span = |span: Span| self.entries[span.start..span.end].iter().find_map(&mut take);
        self.hosts.visit(host, |paths| paths.visit(path, &mut take_span))
    }
}

/// The index of hosts.
#[derive(Clone, Debug, Default)]
struct Hosts {
    exact: Keyed<Paths>,
    wildcards: Keyed<Wildcards>,
    any: Paths,
}

/// What stands in front of one suffix.
#[derive(Clone, Debug, Default)]
struct Wildcards {
    one_label: Paths,
    many_labels: Paths,
}

impl Hosts {
    fn paths_of(&mut self, host: &HostPattern) -> &mut Paths {
        match host {
            HostPattern::Exact(name) => self.exact.value(name),
            HostPattern::WildcardLabel(suffix) => &mut self.wildcards.value(suffix).one_label,
            HostPattern::Wildcard(suffix) => &mut self.wildcards.value(suffix).many_labels,
            HostPattern::Any => &mut self.any,
        }
    }

    /// Offers the paths of every pattern that takes the host, the most specific first.
    fn visit<T>(&self, host: &str, mut take: impl FnMut(&Paths) -> Option<T>) -> Option<T> {
        if let Some(found) = self.exact.get(host).and_then(&mut take) {
            return Some(found);
        }
        self.visit_wildcards(host, &mut take).or_else(|| take(&self.any))
    }

    fn visit_wildcards<T>(&self, host: &str, mut take: impl FnMut(&Paths) -> Option<T>) -> Option<T> {
        if self.wildcards.is_empty() {
            return None;
        }
        let dots = host.bytes().enumerate().filter(|(at, byte)| *byte == b'.' && *at > 0);
        let mut suffixes = dots.map(|(at, _)| (&host[..at], &host[at + 1..]));
        suffixes.find_map(|(labels, suffix)| {
            let wildcards = self.wildcards.get(suffix)?;
            let one_label = !labels.contains('.');
            let one = one_label.then(|| take(&wildcards.one_label)).flatten();
            one.or_else(|| take(&wildcards.many_labels))
        })
    }
}
