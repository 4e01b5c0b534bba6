//! Path templates with captures, in the form of `google.api.http`.

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {}
