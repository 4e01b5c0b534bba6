//! Values that have their cache lines for themselves, so that cores that write them do not slow
//! those that read their neighbours.

/// A value on cache lines of its own (two, since processors fetch them in pairs).
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Padded<T>(pub(super) T);
