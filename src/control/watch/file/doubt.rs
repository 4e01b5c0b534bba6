//! Doubt about files that may be in the middle of being written: a file that is truncated and then
//! filled is nearly empty for a moment, and must not take away what it serves.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How long a doubtful version must stay the same to be believed.
const SETTLED: Duration = Duration::from_millis(300);
/// How long doubt lasts at most, however often the file changes.
const LONGEST: Duration = Duration::from_secs(3);

/// The versions of files that are not believed yet.
#[derive(Debug, Default)]
pub(super) struct Doubts(BTreeMap<PathBuf, Doubt>);

#[derive(Debug)]
struct Doubt {
    text: String,
    first: Instant,
    changed: Instant,
}

impl Doubt {
    fn ends(&self) -> Instant {
        (self.changed + SETTLED).min(self.first + LONGEST)
    }
}

impl Doubts {
    /// Whether a doubtful version has stood long enough. Doubt begins, or goes on, where it has not.
    pub(super) fn believe(&mut self, path: &Path, text: &str, now: Instant) -> bool {
        let begin = || Doubt { text: text.to_owned(), first: now, changed: now };
        let doubt = self.0.entry(path.to_owned()).or_insert_with(begin);
        if doubt.text != text {
            text.clone_into(&mut doubt.text);
            doubt.changed = now;
        }
        now >= doubt.ends()
    }

    /// The file is as it should be, or believed.
    pub(super) fn end(&mut self, path: &Path) {
        self.0.remove(path);
    }

    /// Only these files are left.
    pub(super) fn retain(&mut self, paths: &[PathBuf]) {
        self.0.retain(|path, _| paths.contains(path));
    }

    /// When the first doubt ends by itself.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.values().map(Doubt::ends).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_believed_once_it_has_settled() {
        let (mut doubts, path, start) = (Doubts::default(), Path::new("a"), Instant::now());
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        assert!(!doubts.believe(path, "", at(0)));
        assert!(!doubts.believe(path, "", at(299)));
        assert!(!doubts.believe(path, "x", at(299)), "another version");
        assert!(!doubts.believe(path, "x", at(598)));
        assert_eq!(doubts.next(), Some(at(599)));
        assert!(doubts.believe(path, "x", at(599)));
        doubts.end(path);
        assert_eq!(doubts.next(), None);
    }

    #[test]
    fn a_file_that_never_settles_is_believed_in_the_end() {
        let (mut doubts, path, start) = (Doubts::default(), Path::new("a"), Instant::now());
        let believed =
            (0..).find(|step| doubts.believe(path, &step.to_string(), start + Duration::from_millis(100) * *step));
        assert_eq!(believed, Some(30));
    }
}
