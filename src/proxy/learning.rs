//! Questions to services about themselves: one at a time for each service and core, and whoever needs the answer
//! waits for the same.

use crate::rpc::transcode::Services;
use futures_util::{
    FutureExt as _,
    future::{LocalBoxFuture, Shared, WeakShared},
};
use std::{cell::RefCell, collections::HashMap, fmt, sync::Arc};

/// What comes of a question.
pub(crate) type Answer = Result<Arc<Services>, Arc<str>>;
/// A question under way. It ends with the last who waits.
pub(crate) type Lesson = Shared<LocalBoxFuture<'static, Answer>>;

/// The questions under way, by the endpoint cell of the service.
#[derive(Default)]
pub(crate) struct Learning(RefCell<HashMap<usize, WeakShared<LocalBoxFuture<'static, Answer>>>>);

impl Learning {
    /// Whether a question is under way.
    pub(crate) fn is_under_way(&self, service: usize) -> bool {
        let lesson = self.0.borrow().get(&service).and_then(WeakShared::upgrade);
        lesson.is_some_and(|lesson| lesson.peek().is_none())
    }

    /// The question that is under way, or this one.
    pub(crate) fn join(&self, service: usize, begin: impl FnOnce() -> LocalBoxFuture<'static, Answer>) -> Lesson {
        let mut lessons = self.0.borrow_mut();
        if let Some(lesson) =
            lessons.get(&service).and_then(WeakShared::upgrade).filter(|lesson| lesson.peek().is_none())
        {
            return lesson;
        }
        lessons.retain(|_, lesson| lesson.upgrade().is_some());
        let lesson = begin().shared();
        // What has only just begun can be joined.
        lessons.extend(lesson.downgrade().map(|weak| (service, weak)));
        lesson
    }
}

impl fmt::Debug for Learning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Learning").field(&self.0.borrow().len()).finish()
    }
}
