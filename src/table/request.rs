//! What the table sees of a request.

use http::{HeaderMap, Method};

/// What the table sees of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    /// The host in lower case, without port and without a dot at the end. May be empty.
    pub host: &'a str,
    /// The path in the canonical form of [`super::path`].
    pub path: &'a str,
    /// The method.
    pub method: &'a Method,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The query without its question mark, as it came.
    pub query: Option<&'a str>,
}
