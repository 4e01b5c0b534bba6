//! What the look-up of a request found: the row that takes it, and the path that was looked up.

use crate::{
    model::snapshot::RuleId,
    table::{Match, path::Ambiguity},
};
use http::Uri;

/// What the look-up of a request found.
pub(crate) struct Found<'t> {
    /// The row.
    pub(crate) matched: Match<'t, RuleId>,
    /// The normalised path, where it is not the path as it came.
    pub(crate) path: Option<String>,
    /// In which way readers could disagree about the path.
    pub(crate) ambiguity: Option<Ambiguity>,
}

impl Found<'_> {
    /// The path that was looked up. `uri` is the target as it came.
    pub(crate) fn path<'a>(&'a self, uri: &'a Uri) -> &'a str {
        self.path.as_deref().unwrap_or(uri.path())
    }
}
