//! Small parts of the index: runs of entries, and sets of lengths.

/// Entries `start..end` of the table. Those with the same host and path follow each other in rank
/// order, so a run is all that an index has to keep.
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

/// The lengths that the keys of a map have, so that most look-ups of other keys need no hashing,
/// however many pieces a hostile path or host has.
#[derive(Clone, Debug, Default)]
pub(super) struct Lengths {
    words: Vec<u64>,
}

impl Lengths {
    pub(super) fn insert(&mut self, length: usize) {
        let word = length / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (length % 64);
    }

    pub(super) fn contains(&self, length: usize) -> bool {
        self.words.get(length / 64).is_some_and(|word| word & (1 << (length % 64)) != 0)
    }
}
