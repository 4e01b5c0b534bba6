//! Entries: what the table is built from. All patterns in them are already checked.

use super::{
    expression::{PatternError, anchored, unanchored},
    keyed::prefix_key,
    path::canonical_pattern,
    template::{Template, TemplateError},
};
use regex::Regex;
use std::{fmt, sync::Arc};

/// The host names that an entry serves, in lower case, without port and without a dot at the end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// Exactly this name. An IPv6 address is a name like any other: `[::1]`.
    Exact(Arc<str>),
    /// One label or more in front of this suffix (without the star and its dot).
    Wildcard(Arc<str>),
    /// Exactly one label in front of this suffix, as Ingress has it.
    WildcardLabel(Arc<str>),
    /// Every host, a request without one included.
    Any,
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Wildcard(suffix) | Self::WildcardLabel(suffix) => write!(f, "*.{suffix}"),
            Self::Any => f.write_str("*"),
        }
    }
}

/// The paths that an entry takes, in the canonical form of [`super::path`].
///
/// The constructors bring configuration into the form that the variants ask for.
#[derive(Clone, Debug)]
pub enum PathPattern {
    /// The same path.
    Exact(Arc<str>),
    /// The same path, or one that continues after a slash. Without a trailing slash; the root
    /// prefix is empty.
    Prefix(Arc<str>),
    /// A template with captures.
    Template(Arc<Template>),
    /// The whole path matches. Whoever builds the entry anchors it: see [`super::anchored`].
    Regex(Regex),
}

impl PathPattern {
    /// The path itself, as configuration writes it.
    #[must_use]
    pub fn exact(path: &str) -> Self {
        Self::Exact(canonical_pattern(path).into())
    }

    /// The path and all below it. `/` is every path; a slash at the end makes no difference.
    #[must_use]
    pub fn prefix(path: &str) -> Self {
        Self::Prefix(prefix_key(&canonical_pattern(path)).into())
    }

    /// A template, see [`Template`].
    ///
    /// # Errors
    /// When the text is not a template.
    pub fn template(text: &str) -> Result<Self, TemplateError> {
        Template::parse(text).map(|template| Self::Template(Arc::new(template)))
    }

    /// A regular expression for the whole canonical path, which is percent-encoded ASCII.
    ///
    /// # Errors
    /// When the text is no expression, or one that compiles to more than the limit.
    pub fn regex(text: &str) -> Result<Self, PatternError> {
        anchored(text).map(Self::Regex)
    }

    /// The kind, in the words of `GatewayRoute`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Exact(_) => "Exact",
            Self::Prefix(_) => "PathPrefix",
            Self::Template(_) => "Template",
            Self::Regex(_) => "RegularExpression",
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(path) if path.is_empty() => f.write_str("/"),
            Self::Exact(path) | Self::Prefix(path) => f.write_str(path),
            Self::Template(template) => f.write_str(template.as_str()),
            Self::Regex(regex) => f.write_str(unanchored(regex)),
        }
    }
}

/// Patterns are the same when they are written the same.
impl PartialEq for PathPattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(mine), Self::Exact(theirs)) | (Self::Prefix(mine), Self::Prefix(theirs)) => mine == theirs,
            (Self::Template(mine), Self::Template(theirs)) => mine == theirs,
            (Self::Regex(mine), Self::Regex(theirs)) => mine.as_str() == theirs.as_str(),
            _ => false,
        }
    }
}

/// A condition on the value of a header or query parameter.
#[derive(Clone, Debug)]
pub enum ValuePattern {
    /// The same value.
    Exact(Arc<str>),
    /// The whole value matches. Whoever builds the entry anchors it: see [`super::anchored`]. A
    /// value that is not UTF-8 does not match.
    Regex(Regex),
}

/// Patterns are the same when they are written the same.
impl PartialEq for ValuePattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(mine), Self::Exact(theirs)) => mine == theirs,
            (Self::Regex(mine), Self::Regex(theirs)) => mine.as_str() == theirs.as_str(),
            _ => false,
        }
    }
}

/// Conditions besides host and path; all must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conditions {
    /// Methods, empty for any. GET includes HEAD.
    pub methods: Box<[http::Method]>,
    /// Headers by name. Of a repeated header one value must match.
    pub headers: Box<[(http::HeaderName, ValuePattern)]>,
    /// Query parameters by name, percent-decoded. Of a repeated parameter the first value counts.
    pub query: Box<[(Arc<str>, ValuePattern)]>,
}

/// One row of the table: a pattern and what it leads to.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<P> {
    /// The hosts.
    pub host: HostPattern,
    /// The paths.
    pub path: PathPattern,
    /// The other conditions.
    pub conditions: Conditions,
    /// Seconds since the epoch when its object was created: the oldest wins a tie.
    pub created: i64,
    /// Breaks the last tie: `namespace/name` of the object, then the order within it.
    pub order: (Arc<str>, u32),
    /// What it leads to.
    pub payload: P,
}
