//! The same answer as the look-up, with reasons: every entry of the host, one after the other.
//!
//! It uses no index, so it is slow, and it is the yardstick that the look-up is tested against.

use super::{build::Table, entry::Entry, pattern::Unmet, request::RequestView};
use http::HeaderName;

/// The most entries that an explanation lists.
pub const MAX_CONSIDERED: usize = 200;

/// Which entries were considered for a request, and why each won or lost.
#[derive(Debug)]
pub struct Explanation<'t, P> {
    /// Entries whose host takes the request, in rank order, at most [`MAX_CONSIDERED`]: the winner,
    /// then those whose path takes it too, then the others.
    pub considered: Vec<Considered<'t, P>>,
    /// How many more entries the host has.
    pub omitted: usize,
}

impl<'t, P> Explanation<'t, P> {
    /// The entry that takes the request.
    #[must_use]
    pub fn winner(&self) -> Option<&'t Entry<P>> {
        self.considered.iter().find(|considered| considered.verdict == Verdict::Won).map(|won| won.entry)
    }
}

/// An entry and what became of it.
#[derive(Clone, Copy, Debug)]
pub struct Considered<'t, P> {
    /// The entry.
    pub entry: &'t Entry<P>,
    /// Its place in the rank order of the whole table, from 0.
    pub rank: usize,
    /// What became of it.
    pub verdict: Verdict<'t>,
}

/// Whether an entry takes the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'t> {
    /// It takes the request.
    Won,
    /// It does not.
    Lost(Lost<'t>),
}

/// Why an entry does not take a request: the first of these that is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost<'t> {
    /// The path is another.
    Path,
    /// The condition on this header does not hold.
    Header(&'t HeaderName),
    /// The condition on this query parameter does not hold.
    Query(&'t str),
    /// Nothing but the method is wrong.
    Method,
    /// All conditions hold, but an entry of better rank took the request.
    Outranked,
}

impl<P> Table<P> {
    /// Explains which entry takes the request. The winner is the one that [`Table::find`] finds.
    #[must_use]
    pub fn explain(&self, request: &RequestView<'_>) -> Explanation<'_, P> {
        let mut won = false;
        let mut considered: Vec<_> = self
            .entries()
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.host.takes(request.host))
            .map(|(rank, entry)| Considered { entry, rank, verdict: verdict(entry, request, &mut won) })
            .collect();
        considered.sort_by_key(|considered| match considered.verdict {
            Verdict::Won => 0,
            Verdict::Lost(Lost::Path) => 2,
            Verdict::Lost(_) => 1,
        });
        let omitted = considered.len().saturating_sub(MAX_CONSIDERED);
        considered.truncate(MAX_CONSIDERED);
        considered.sort_by_key(|considered| considered.rank);
        Explanation { considered, omitted }
    }
}

fn verdict<'t, P>(entry: &'t Entry<P>, request: &RequestView<'_>, won: &mut bool) -> Verdict<'t> {
    if !entry.path.takes(request.path) {
        return Verdict::Lost(Lost::Path);
    }
    match entry.conditions.unmet(request) {
        Some(Unmet::Header(name)) => Verdict::Lost(Lost::Header(name)),
        Some(Unmet::Query(name)) => Verdict::Lost(Lost::Query(name)),
        None if !entry.conditions.take_method(request.method) => Verdict::Lost(Lost::Method),
        None if std::mem::replace(won, true) => Verdict::Lost(Lost::Outranked),
        None => Verdict::Won,
    }
}
