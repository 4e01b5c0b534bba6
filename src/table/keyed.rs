//! A map by text that hashes only what it could hold, and the cuts of a path to look up in it.

use hashbrown::HashMap;

/// A prefix without the slash at its end, as the index keeps it.
pub(super) fn prefix_key(prefix: &str) -> &str {
    prefix.trim_end_matches('/')
}

/// Values by text. A look-up first asks whether any key has that length: so a path or host cut into
/// many pieces, however hostile, costs little more than the pieces that can be there.
#[derive(Clone, Debug)]
pub(super) struct Keyed<T> {
    values: HashMap<Box<str>, T>,
    lengths: Lengths,
}

impl<T> Default for Keyed<T> {
    fn default() -> Self {
        Self { values: HashMap::new(), lengths: Lengths::default() }
    }
}

impl<T: Default> Keyed<T> {
    /// The value of this key, made if there is none.
    pub(super) fn value(&mut self, key: &str) -> &mut T {
        self.lengths.insert(key.len());
        self.values.entry(key.into()).or_default()
    }
}

impl<T> Keyed<T> {
    pub(super) fn get(&self, key: &str) -> Option<&T> {
        self.lengths.contains(key.len()).then(|| self.values.get(key)).flatten()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// The whole path, then shorter ones cut before each slash, down to the empty one.
pub(super) fn cuts(path: &str) -> impl Iterator<Item = &str> {
    // Segments are short: stepping over bytes beats a search made for long texts.
    let before_slash = |cut: &&'_ str| cut.bytes().rposition(|byte| byte == b'/');
    std::iter::successors(Some(path), move |cut| Some(&cut[..before_slash(cut)?]))
}

/// A set of lengths.
#[derive(Clone, Debug, Default)]
struct Lengths {
    /// Lengths below 64, in place: nearly all there are, and no second memory access for them.
    low: u64,
    /// Those from 64 up, as words of 64.
    high: Vec<u64>,
}

impl Lengths {
    fn insert(&mut self, length: usize) {
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

    fn contains(&self, length: usize) -> bool {
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
    fn cuts_go_from_the_whole_path_to_the_root() {
        let all = |path| cuts(path).collect::<Vec<_>>();
        assert_eq!(all("/a/b"), ["/a/b", "/a", ""]);
        assert_eq!(all("/a/"), ["/a/", "/a", ""]);
        assert_eq!(all("/"), ["/", ""]);
        assert_eq!(all(""), [""]);
    }

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
