//! The words of status conditions: Gateway API's types and reasons, and the few that are ours.

use std::fmt;

/// A condition of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// The resource is well formed and belongs to this gateway.
    Accepted,
    /// Everything that the resource refers to exists and may be used.
    ResolvedRefs,
    /// The resource is installed on every core of the replica that writes status.
    Programmed,
}

impl ConditionType {
    /// The word as it stands in status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::ResolvedRefs => "ResolvedRefs",
            Self::Programmed => "Programmed",
        }
    }
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a condition holds or does not. The same word stands in status, in log lines, in metrics and
/// in the answers of `check` and `explain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The condition holds.
    Accepted,
    /// The condition holds.
    ResolvedRefs,
    /// The condition holds.
    Programmed,
    /// Known, not yet installed everywhere.
    Pending,
    /// A field has a value that cannot be used.
    UnsupportedValue,
    /// The whole object cannot be used.
    Invalid,
    /// A Service, or the port of one, does not exist.
    BackendNotFound,
    /// A Secret does not exist or may not be read.
    InvalidCertificateRef,
    /// A reference to another namespace has no grant there.
    RefNotPermitted,
    /// The kind of the thing referred to cannot be used here.
    InvalidKind,
    /// A Service without a cluster address that names an outside host.
    UnsupportedProtocol,
    /// Another, older object already sets this.
    Conflicted,
    /// The last good version is served because the newest cannot be used.
    LastGoodServed,
}

impl Reason {
    /// The word as it stands in status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::ResolvedRefs => "ResolvedRefs",
            Self::Programmed => "Programmed",
            Self::Pending => "Pending",
            Self::UnsupportedValue => "UnsupportedValue",
            Self::Invalid => "Invalid",
            Self::BackendNotFound => "BackendNotFound",
            Self::InvalidCertificateRef => "InvalidCertificateRef",
            Self::RefNotPermitted => "RefNotPermitted",
            Self::InvalidKind => "InvalidKind",
            Self::UnsupportedProtocol => "UnsupportedProtocol",
            Self::Conflicted => "Conflicted",
            Self::LastGoodServed => "LastGoodServed",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
