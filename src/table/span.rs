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
    /// Lengths below 64, in place: nearly all there are, and no second memory access for them.
    low: u64,
    /// Those from 64 up, as words of 64.
    high: Vec<u64>,
}

impl Lengths {
    pub(super) fn insert(&mut self, length: usize) {
        let bit = 1 << (length % 64);
        let Some(word) = (length / 64).checked_sub(1) else {
            self.low |= bit;
            return;
        };
        if word >= self.high.len() {
            self.high.resize(word + 1, 0);
        }
        self.high[word] |= bit;
    }

    pub(super) fn contains(&self, length: usize) -> bool {
        let word = match (length / 64).checked_sub(1) {
            None => self.low,
            Some(word) => self.high.get(word).copied().unwrap_or_default(),
        };
        word & (1 << (length % 64)) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_keep_what_was_inserted() {
        let inserted = [0, 63, 64, 127, 128, 5000];
        let mut lengths = Lengths::default();
        for length in inserted {
            lengths.insert(length);
        }
        let kept: Vec<_> = (0..10_000).filter(|length| lengths.contains(*length)).collect();
        assert_eq!(kept, inserted);
    }
}
