//! Objects that have a last good version beside the newest.

use crate::control::compile::Compile;
use std::{
    fmt::Display,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// A version of an object and, once somebody asked for it, what was understood of it.
#[derive(Debug)]
pub struct Held<T: Compile> {
    object: Arc<T>,
    compiled: OnceLock<Arc<T::Output>>,
    condemned: AtomicBool,
}

impl<T: Compile> Held<T> {
    fn new(object: Arc<T>) -> Self {
        Self { object, compiled: OnceLock::new(), condemned: AtomicBool::new(false) }
    }

    /// The object as its source gave it.
    #[must_use]
    pub const fn object(&self) -> &Arc<T> {
        &self.object
    }

    /// What can be understood of it alone. Computed at the first call, kept from then on. A panic
    /// costs this version and is not tried again.
    pub fn compiled(&self) -> &Arc<T::Output> {
        let compile = || catch_unwind(AssertUnwindSafe(|| self.object.compile())).unwrap_or_else(|_| T::failed());
        self.compiled.get_or_init(|| Arc::new(compile()))
    }

    /// Says that its translation panicked: it is not to be tried again. Returns whether that is
    /// news.
    pub fn condemn(&self) -> bool {
        !self.condemned.swap(true, Ordering::Relaxed)
    }

    /// Whether its translation panicked.
    #[must_use]
    pub fn is_condemned(&self) -> bool {
        self.condemned.load(Ordering::Relaxed)
    }

    fn is_good(&self) -> bool {
        !self.is_condemned() && T::is_good(self.compiled())
    }

    /// As [`Self::is_good`], of a version that nobody asked for: it is not compiled for that.
    fn known_good(&self) -> bool {
        self.compiled.get().is_some() && self.is_good()
    }
}

/// Why the newest version could not be read at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its generation, where that much could be read.
    pub generation: Option<i64>,
    /// Why, for status and logs.
    pub message: String,
}

/// The versions of one object.
#[derive(Debug)]
pub struct Tracked<T: Compile> {
    newest: Option<Arc<Held<T>>>,
    previous: Option<Arc<Held<T>>>,
    unreadable: Option<Unreadable>,
}

impl<T: Compile> Tracked<T> {
    /// The first version.
    pub(super) fn new(object: Arc<T>) -> Self {
        Self { newest: Some(Arc::new(Held::new(object))), previous: None, unreadable: None }
    }

    /// An object of which no version could be read.
    pub(super) const fn never_read(unreadable: Unreadable) -> Self {
        Self { newest: None, previous: None, unreadable: Some(unreadable) }
    }

    /// The newest version that could be read.
    #[must_use]
    pub fn newest(&self) -> Option<&Arc<Held<T>>> {
        self.newest.as_ref()
    }

    /// Why a still newer version could not be read.
    #[must_use]
    pub const fn unreadable(&self) -> Option<&Unreadable> {
        self.unreadable.as_ref()
    }

    /// The version that serves: the newest where it is good, else the last one that was, else
    /// the newest as it is.
    #[must_use]
    pub fn serving(&self) -> Option<&Arc<Held<T>>> {
        let newest = self.newest.as_ref()?;
        if newest.is_good() {
            return Some(newest);
        }
        Some(self.previous.as_ref().filter(|previous| previous.is_good()).unwrap_or(newest))
    }

    /// Puts a new version in place. Returns whether a translation could see a difference.
    pub(super) fn update(&mut self, object: Arc<T>) -> bool {
        let was_unreadable = self.unreadable.take().is_some();
        let Some(old) = self.newest.take() else {
            self.newest = Some(Arc::new(Held::new(object)));
            return true;
        };
        if T::same_meaning(&old.object, &object) {
            let condemned = AtomicBool::new(old.is_condemned());
            self.newest = Some(Arc::new(Held { object, compiled: old.compiled.clone(), condemned }));
            return was_unreadable;
        }
        if T::same_object(&old.object, &object) {
            if old.known_good() {
                self.previous = Some(old);
            }
        } else {
            self.previous = None;
        }
        self.newest = Some(Arc::new(Held::new(object)));
        true
    }

    /// Notes that the newest version cannot be read. Returns whether that is news.
    pub(super) fn mark_unreadable(&mut self, unreadable: Unreadable) -> bool {
        let news = self.unreadable.as_ref() != Some(&unreadable);
        self.unreadable = Some(unreadable);
        news
    }
}

impl<T, O, E> Tracked<T>
where
    T: Compile<Output = Result<O, E>>,
    O: 'static,
    E: Display + 'static,
{
    /// What of the object can be used, and what is wrong with the newest version of it.
    #[must_use]
    pub fn usable(&self) -> (Option<&O>, Option<String>) {
        let serving = self.serving().and_then(|held| held.compiled().as_ref().as_ref().ok());
        let newest = self.newest().and_then(|held| held.compiled().as_ref().as_ref().err());
        let problem = newest.map(ToString::to_string);
        (serving, problem.or_else(|| self.unreadable().map(|why| why.message.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Panics when it is true.
    #[derive(Debug)]
    struct Version(bool);

    impl Compile for Version {
        type Output = Option<bool>;

        fn compile(&self) -> Option<bool> {
            assert!(!self.0, "as it must");
            Some(self.0)
        }

        fn failed() -> Option<bool> {
            None
        }

        fn is_good(output: &Option<bool>) -> bool {
            output.is_some()
        }

        fn same_object(_: &Self, _: &Self) -> bool {
            true
        }

        fn same_meaning(_: &Self, _: &Self) -> bool {
            false
        }
    }

    #[test]
    fn a_version_that_panics_leaves_the_last_good_one_in_place() {
        let mut tracked = Tracked::new(Arc::new(Version(false)));
        let good = Arc::clone(tracked.serving().unwrap());
        tracked.update(Arc::new(Version(true)));
        assert!(Arc::ptr_eq(tracked.serving().unwrap(), &good));
        assert_eq!(**tracked.newest().unwrap().compiled(), None);
        assert!(good.condemn() && !good.condemn());
        assert!(Arc::ptr_eq(tracked.serving().unwrap(), tracked.newest().unwrap()));
    }
}
