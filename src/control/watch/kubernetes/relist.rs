//! Events of one watch into changes. A list is kept back until it is complete.

use super::{guard::Guarded, kinds::Watched};
use crate::{
    control::change::{Change, Object, Scope},
    model::diagnostic::ObjectRef,
};
use kube::runtime::watcher::Event;

/// What has come of a list so far.
#[derive(Debug, Default)]
struct Partial {
    objects: Vec<Object>,
    unreadable: Vec<(ObjectRef, String)>,
}

/// Turns the events of one scope into changes.
#[derive(Debug)]
pub(super) struct Relist {
    scope: Scope,
    partial: Option<Partial>,
}

impl Relist {
    pub(super) const fn new(scope: Scope) -> Self {
        Self { scope, partial: None }
    }

    /// Whether a list has begun and is not complete.
    pub(super) const fn is_listing(&self) -> bool {
        self.partial.is_some()
    }

    /// The change that an event makes, if it completes one.
    pub(super) fn take<K: Watched>(&mut self, event: Event<Guarded<K>>) -> Option<Change> {
        match event {
            Event::Init => self.partial = Some(Partial::default()),
            Event::InitApply(object) => self.keep(object.into_change()),
            Event::InitDone => return self.partial.take().map(|partial| self.replace(partial)),
            Event::Apply(object) => return Some(object.into_change()),
            Event::Delete(object) => return Some(Change::Delete(object.reference())),
        }
        None
    }

    fn keep(&mut self, change: Change) {
        let partial = self.partial.get_or_insert_with(Partial::default);
        match change {
            Change::Upsert(object) => partial.objects.push(object),
            Change::Unreadable { object, message, .. } => partial.unreadable.push((object, message)),
            Change::Delete(_) | Change::Replace { .. } => {}
        }
    }

    fn replace(&self, partial: Partial) -> Change {
        Change::Replace { scope: self.scope.clone(), objects: partial.objects, unreadable: partial.unreadable }
    }
}
