//! Rules: what is done with the requests that a table entry takes.

use super::{
    call::{Calls, Resolution},
    client_validation::ClientValidation,
    condition::Reason,
    diagnostic::ObjectRef,
    limit::RequestLimits,
    target::UpstreamId,
    upstream::TimeLimit,
};
use crate::table::Ambiguity;
use http::HeaderValue;
use std::sync::Arc;

/// The built kinds of handler. The resource has eight; a kind joins this enum when it is built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Handler {
    /// A reverse proxy for HTTP requests.
    #[default]
    Http,
    /// As Http, and protocol upgrades are passed through.
    Web,
    /// A call of a method with the request's fields as its message.
    Rpc(Calls),
    /// A call of a method with the whole request as its message.
    Api(Calls),
    /// The services of the route's namespace, told by the gateway itself.
    Registry,
}

impl Handler {
    /// What it is called in the resource.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Http => "Http",
            Self::Web => "Web",
            Self::Rpc(_) => "Rpc",
            Self::Api(_) => "Api",
            Self::Registry => "Registry",
        }
    }
}

/// What to do with paths that a backend could read in another way than the gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathSafety {
    /// Refuse every ambiguous path.
    #[default]
    Strict,
    /// Let an encoded slash pass as a part of its segment.
    AllowEncodedSlash,
    /// Pass the path byte for byte.
    Raw,
}

impl PathSafety {
    /// Whether a path passes though readers could disagree about it in this way.
    #[must_use]
    pub const fn permits(self, ambiguity: Ambiguity) -> bool {
        match self {
            Self::Strict => false,
            Self::AllowEncodedSlash => matches!(ambiguity, Ambiguity::EncodedSlash),
            Self::Raw => true,
        }
    }
}

/// Where a backend's requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendTarget {
    /// To an upstream of the snapshot.
    Upstream(UpstreamId),
    /// Nowhere: the reference cannot be used. Requests get 500 by its weight.
    Invalid(Reason),
}

/// A backend and its share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Where its requests go.
    pub target: BackendTarget,
    /// Its share relative to the other backends of the rule.
    pub weight: u32,
}

/// Where the requests of a rule go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// To one of these, by its weight.
    Backends(Box<[Backend]>),
    /// To the service that the request names.
    Resolved(Resolution),
}

impl Targets {
    /// The backends that are written, none where requests name their service.
    #[must_use]
    pub const fn backends(&self) -> &[Backend] {
        match self {
            Self::Backends(backends) => backends,
            Self::Resolved(_) => &[],
        }
    }
}

/// An upstream that gets copies of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The upstream.
    pub target: UpstreamId,
    /// How many requests of a hundred are copied.
    pub percent: u8,
}

/// The Strict-Transport-Security value that a rule sends over TLS, ready to be written.
pub type HstsValue = HeaderValue;

/// Where a rule came from: a label in metrics and logs, never shown to clients.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The object.
    pub object: ObjectRef,
    /// The index of the rule in the object.
    pub rule: u32,
    /// The rule's own name, or the endpoint of a service that it was made for. Empty where it has none.
    pub name: Arc<str>,
}

/// What a route sets for its own requests. What it leaves open the policy of the upstream says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Overrides {
    /// How long the response head may take, all tries together.
    pub request_timeout: Option<TimeLimit>,
    /// How long one try may take.
    pub try_timeout: Option<TimeLimit>,
    /// How many times a request is tried again.
    pub retry_count: Option<u8>,
    /// Status codes of endpoints after which a request that may be replayed is tried again.
    pub retry_statuses: Option<Box<[u16]>>,
}

/// What a rule says of its requests without naming another object: its own object is enough to
/// know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How requests are handled.
    pub handler: Handler,
    /// Whether the prefix that a PathPrefix match took is cut.
    pub trim_prefix: bool,
    /// What holds for its requests in place of the policy of the upstream.
    pub overrides: Overrides,
    /// How many of its requests pass; `None` for any number. All rules of a route share it.
    pub limits: Option<Arc<RequestLimits>>,
    /// What is done with ambiguous paths.
    pub path_safety: PathSafety,
    /// Whether plain HTTP requests are redirected to HTTPS.
    pub redirect_to_https: bool,
    /// The Strict-Transport-Security value, sent over TLS only.
    pub hsts: Option<HstsValue>,
}

/// What is done with the requests that a table entry takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Where it came from.
    pub origin: Origin,
    /// Where requests go.
    pub targets: Targets,
    /// Who gets copies of them.
    pub mirror: Option<Mirror>,
    /// Which clients they must come from; `None` for anybody.
    pub clients: Option<Arc<ClientValidation>>,
    /// What holds for them.
    pub options: Options,
    /// Why the rule cannot serve at all, if it cannot: every request gets 500.
    pub broken: Option<Reason>,
}
