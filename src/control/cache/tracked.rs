//! Objects that have a last good version beside the newest.

use crate::control::compile::Compile;
use std::sync::{Arc, OnceLock};

/// A version of an object and, once somebody asked for it, what was understood of it.
#[derive(Debug)]
pub struct Held<T: Compile> {
    object: Arc<T>,
    compiled: OnceLock<Arc<T::Output>>,
}

impl<T: Compile> Held<T> {
    fn new(object: Arc<T>) -> Self {
        Self { object, compiled: OnceLock::new() }
    }

    /// The object as its source gave it.
    #[must_use]
    pub const fn object(&self) -> &Arc<T> {
        &self.object
    }

    /// What can be understood of it alone. Computed at the first call, kept from then on.
    pub fn compiled(&self) -> &Arc<T::Output> {
        self.compiled.get_or_init(|| Arc::new(self.object.compile()))
    }

    fn known_good(&self) -> bool {
        self.compiled.get().is_some_and(|output| T::is_good(output))
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
        if T::is_good(newest.compiled()) {
            return Some(newest);
        }
        Some(self.previous.as_ref().unwrap_or(newest))
    }

    /// Puts a new version in place. Returns whether a translation could see a difference.
    pub(super) fn update(&mut self, object: Arc<T>) -> bool {
        let was_unreadable = self.unreadable.take().is_some();
        let Some(old) = self.newest.take() else {
            self.newest = Some(Arc::new(Held::new(object)));
            return true;
        };
        if T::same_meaning(&old.object, &object) {
            self.newest = Some(Arc::new(Held { object, compiled: old.compiled.clone() }));
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
