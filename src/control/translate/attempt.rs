//! Attempts: a panic while one object is translated costs that version of it, and nothing else.
//!
//! What a panic leaves half done is never used: the version is condemned, and the whole
//! translation starts again without it.

use super::source::Selected;
use crate::control::compile::Compile;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does a part of the translation of one object. Returns whether that panicked, for which the
/// version that serves is condemned. It is so at most once.
pub(super) fn panics<T: Compile>(selected: &Selected<'_, T>, work: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(work)).is_err() && selected.serving.condemn()
}
