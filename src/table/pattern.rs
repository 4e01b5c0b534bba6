//! Whether one pattern takes one value: the meaning of an entry, without any index.

use super::{
    entry::{Conditions, HostPattern, PathPattern, ValuePattern},
    keyed::prefix_key,
    query,
    request::RequestView,
};
use http::{HeaderMap, HeaderName, Method};

impl HostPattern {
    /// Whether the host, in lower case and without port, is one of these.
    #[must_use]
    pub fn takes(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => **name == *host,
            Self::Wildcard(suffix) => labels_before(host, suffix).is_some(),
            Self::WildcardLabel(suffix) => labels_before(host, suffix).is_some_and(|labels| !labels.contains('.')),
            Self::Any => true,
        }
    }
}

/// What stands before the suffix and its dot, if it is not empty.
fn labels_before<'a>(host: &'a str, suffix: &str) -> Option<&'a str> {
    host.strip_suffix(suffix)?.strip_suffix('.').filter(|labels| !labels.is_empty())
}

impl PathPattern {
    /// Whether the canonical path is one of these.
    #[must_use]
    pub fn takes(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => **exact == *path,
            Self::Prefix(prefix) => {
                let left = path.strip_prefix(prefix_key(prefix));
                left.is_some_and(|left| left.is_empty() || left.starts_with('/'))
            }
            Self::Template(template) => template.matches(path),
            Self::Regex(regex) => regex.is_match(path),
        }
    }

    /// How many bytes of a path that it takes are the prefix: 0 unless it is a prefix.
    pub(super) fn prefix_len(&self) -> usize {
        match self {
            Self::Prefix(prefix) => prefix_key(prefix).len(),
            Self::Exact(_) | Self::Template(_) | Self::Regex(_) => 0,
        }
    }
}

/// A condition on a value that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unmet<'a> {
    Header(&'a HeaderName),
    Query(&'a str),
}

impl Conditions {
    /// Whether a request with this method is taken. GET includes HEAD.
    #[must_use]
    pub fn take_method(&self, method: &Method) -> bool {
        self.methods.is_empty()
            || self.methods.contains(method)
            || (method == Method::HEAD && self.methods.contains(&Method::GET))
    }

    /// The first condition on a header or parameter that does not hold.
    pub(super) fn unmet<'a>(&'a self, request: &RequestView<'_>) -> Option<Unmet<'a>> {
        let header = self.headers.iter().find(|(name, pattern)| !takes_header(pattern, request.headers, name));
        if let Some((name, _)) = header {
            return Some(Unmet::Header(name));
        }
        let query = self.query.iter().find(|(name, pattern)| !takes_query(pattern, request.query, name));
        query.map(|(name, _)| Unmet::Query(name))
    }
}

fn takes_header(pattern: &ValuePattern, headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get_all(name).iter().any(|value| match pattern {
        ValuePattern::Exact(exact) => exact.as_bytes() == value.as_bytes(),
        ValuePattern::Regex(regex) => std::str::from_utf8(value.as_bytes()).is_ok_and(|text| regex.is_match(text)),
    })
}

fn takes_query(pattern: &ValuePattern, query: Option<&str>, name: &str) -> bool {
    let Some(value) = query.and_then(|query| query::first_value(query, name)) else {
        return false;
    };
    match pattern {
        ValuePattern::Exact(exact) => query::decoded(value).eq(exact.bytes()),
        ValuePattern::Regex(regex) => query::decoded_text(value).is_some_and(|text| regex.is_match(&text)),
    }
}
