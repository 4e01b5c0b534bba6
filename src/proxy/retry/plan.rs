//! What was decided about the tries of a request before the first of them.

use crate::{
    live::cell::EndpointCell,
    model::{
        rule::Overrides,
        transport::Transport,
        upstream::{TimeLimit, Upstream, UpstreamPolicy},
    },
    proxy::{
        clock::Clock,
        core::Core,
        request_body::RequestBody,
        upstream::{Way, forward::TryTime},
    },
};
use http::{HeaderMap, Method, Request, Uri, Version};
use std::{rc::Rc, time::Duration};

/// Where the tries of a request go, and how many there may be.
pub(crate) struct Plan<'r> {
    pub(crate) core: &'r Rc<Core>,
    pub(crate) upstream: &'r Upstream,
    /// How its endpoints are connected to.
    pub(crate) transport: &'r Transport,
    pub(crate) cell: &'r EndpointCell,
    /// What the route sets in place of the upstream's policy.
    pub(crate) overrides: &'r Overrides,
    /// What the hash strategy goes by.
    pub(crate) hash: u64,
    /// How long the client waits, if it says so.
    pub(crate) deadline: Option<Duration>,
}

impl Plan<'_> {
    pub(super) const fn policy(&self) -> &UpstreamPolicy {
        &self.upstream.policy
    }

    /// How its endpoints are reached.
    pub(super) const fn way(&self) -> Way<'_> {
        Way { policy: self.policy(), transport: self.transport }
    }

    pub(super) fn retries(&self) -> usize {
        self.overrides.retry_count.unwrap_or(self.policy().retry.count).into()
    }

    /// Whether a request that was sent may be sent again.
    pub(super) fn replays(&self) -> bool {
        self.overrides.retry_count.is_some() || self.policy().retry.replays
    }

    pub(super) fn statuses(&self) -> &[u16] {
        self.overrides.retry_statuses.as_deref().unwrap_or(&self.policy().retry.statuses)
    }

    /// How long all tries may take together, and how long each.
    fn limits(&self) -> (Option<Duration>, Option<Duration>) {
        let TimeLimit(whole) = self.overrides.request_timeout.unwrap_or(self.policy().request_timeout);
        let TimeLimit(each) = self.overrides.try_timeout.unwrap_or(self.policy().try_timeout);
        (whole, each)
    }

    /// How long the answer to a try may take.
    pub(crate) fn time(&self) -> Option<Duration> {
        let (whole, each) = self.limits();
        whole.into_iter().chain(each).chain(self.deadline).min()
    }

    pub(super) fn times(&self) -> Times {
        let (whole, each) = self.limits();
        let clock = &self.core.clock;
        Times {
            whole: whole.map(|time| TryTime { until: clock.deadline(time), after_body: Some(time) }),
            each,
            deadline: self.deadline.map(|time| TryTime { until: clock.deadline(time), after_body: None }),
        }
    }
}

/// How long tries may take.
pub(super) struct Times {
    /// When all of them must be over.
    whole: Option<TryTime>,
    /// How long one may take.
    each: Option<Duration>,
    /// When the client will have given up.
    deadline: Option<TryTime>,
}

impl Times {
    /// The time of a try that begins now.
    pub(super) fn of_next(&self, clock: &Clock) -> Option<TryTime> {
        let each = self.each.map(|time| TryTime { until: clock.deadline(time), after_body: Some(time) });
        earlier(earlier(self.whole, each), self.deadline)
    }

    pub(super) fn are_over(&self, clock: &Clock) -> bool {
        self.whole.iter().chain(&self.deadline).any(|time| clock.is_past(time.until))
    }
}

/// The time that is over first.
fn earlier(one: Option<TryTime>, other: Option<TryTime>) -> Option<TryTime> {
    match (one, other) {
        (Some(one), Some(other)) if other.until < one.until => Some(other),
        (None, other) => other,
        (one, _) => one,
    }
}

/// A request whose body is all here, kept to be sent again.
pub(super) struct Copied {
    method: Method,
    /// Which the client spoke: the head is brought into the form of the next connection from it.
    version: Version,
    target: Uri,
    headers: HeaderMap,
    body: RequestBody,
}

impl Copied {
    /// `None` where a client still sends the body, which nobody can send again.
    pub(super) fn of(request: &Request<RequestBody>) -> Option<Self> {
        Some(Self {
            body: request.body().replica()?,
            method: request.method().clone(),
            version: request.version(),
            target: request.uri().clone(),
            headers: request.headers().clone(),
        })
    }

    pub(super) fn into_request(self) -> Request<RequestBody> {
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.version_mut() = self.version;
        *request.uri_mut() = self.target;
        *request.headers_mut() = self.headers;
        request
    }
}
