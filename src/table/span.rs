//! Runs of entries, which is all that an index has to keep.

/// Entries `start..end` of the table. Those with the same host and path follow each other in rank
/// order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    pub(super) fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Adds the entry at `index`: the first one, or the one that follows.
    pub(super) fn push(&mut self, index: usize) {
        if self.is_empty() {
            *self = Self { start: index, end: index };
        }
        debug_assert_eq!(self.end, index, "entries of one key must follow each other");
        self.end = index + 1;
    }
}
