//! Entries: what the table is built from. All patterns in them are already checked.

use regex::Regex;
use std::sync::Arc;

/// The host names that an entry serves, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// Exactly this name.
    Exact(Arc<str>),
    /// One label or more in front of this suffix (without the star and its dot).
    Wildcard(Arc<str>),
    /// Exactly one label in front of this suffix, as Ingress has it.
    WildcardLabel(Arc<str>),
    /// Every host.
    Any,
}

/// The paths that an entry takes, in the canonical form of [`super::path`].
#[derive(Clone, Debug)]
pub enum PathPattern {
    /// The same path.
    Exact(Arc<str>),
    /// The same path, or one that continues after a slash. Without a trailing slash; the root
    /// prefix is empty.
    Prefix(Arc<str>),
    /// A template with captures.
    Template(Arc<super::template::Template>),
    /// The whole path matches.
    Regex(Regex),
}

/// A condition on the value of a header or query parameter.
#[derive(Clone, Debug)]
pub enum ValuePattern {
    /// The same value.
    Exact(Arc<str>),
    /// The whole value matches.
    Regex(Regex),
}

/// Conditions besides host and path; all must hold.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// Methods, empty for any. GET includes HEAD.
    pub methods: Box<[http::Method]>,
    /// Headers by name.
    pub headers: Box<[(http::HeaderName, ValuePattern)]>,
    /// Query parameters by name.
    pub query: Box<[(Arc<str>, ValuePattern)]>,
}

/// One row of the table: a pattern and what it leads to.
#[derive(Clone, Debug)]
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
