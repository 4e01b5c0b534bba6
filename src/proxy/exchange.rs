//! The accounts of one request: opened when its head is read, settled when its response has ended
//! or the client has gone.

use super::{
    access_log::Line,
    core::Core,
    error::{BodyError, Failure, PANICKED},
    installed::Installed,
    peer::Peer,
    request_body::BodyWatch,
};
use crate::{
    live::moment::Moment,
    metrics::{Protection, grpc::GrpcStatus},
    model::{rule::Rule, snapshot::RuleId},
};
use http::{HeaderValue, Method, StatusCode, Uri, Version};
use std::{
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

#[cfg(test)]
pub(super) mod tests;

/// What is counted and logged for a client that went away before there was an answer. It is no
/// code of HTTP, and nobody is sent it.
const CLIENT_CLOSED: u16 = 499;

/// The accounts of one request. Dropping them settles them.
#[derive(Debug)]
pub(crate) struct Exchange {
    core: Rc<Core>,
    /// Until there is an answer: a body that streams for hours must not keep a whole table.
    table: Option<Rc<Installed>>,
    started: Instant,
    method: Method,
    /// `None` until there is an answer.
    status: Option<StatusCode>,
    rule: Option<RuleId>,
    sent: u64,
    /// An endpoint was chosen: it counts as in flight until the end.
    in_flight: bool,
    /// The view on the request's body, if it has one that goes to an endpoint.
    body: Option<Rc<BodyWatch>>,
    detail: Option<Box<Detail>>,
}

/// What only the access log needs.
#[derive(Debug)]
struct Detail {
    target: Uri,
    version: Version,
    host: Option<String>,
    user_agent: Option<HeaderValue>,
    peer: Rc<Peer>,
    client: std::net::IpAddr,
    id: Option<HeaderValue>,
    endpoint: Option<SocketAddr>,
    reason: Option<&'static str>,
    /// What a call of gRPC was told by the gateway itself.
    grpc_status: Option<u16>,
    rule: Option<Arc<Rule>>,
}

impl Exchange {
    /// Opens the accounts of a request. They move with its answer through many hands, so it is a
    /// pointer that moves.
    pub(crate) fn open<B>(
        core: &Rc<Core>,
        table: &Rc<Installed>,
        peer: &Rc<Peer>,
        request: &http::Request<B>,
    ) -> Box<Self> {
        let detail = core.log.is_some().then(|| Box::new(Detail::of(peer, request)));
        Box::new(Self {
            core: Rc::clone(core),
            table: Some(Rc::clone(table)),
            started: Instant::now(),
            method: request.method().clone(),
            status: None,
            rule: None,
            sent: 0,
            in_flight: false,
            body: None,
            detail,
        })
    }

    /// When the request's head was read.
    pub(crate) fn began(&self) -> Moment {
        Moment::of(self.started)
    }

    pub(crate) const fn routed(&mut self, rule: RuleId) {
        self.rule = Some(rule);
    }

    pub(crate) fn identified(&mut self, id: &HeaderValue) {
        if let Some(detail) = &mut self.detail {
            detail.id = Some(id.clone());
        }
    }

    pub(crate) fn came_from(&mut self, client: std::net::IpAddr) {
        if let Some(detail) = &mut self.detail {
            detail.client = client;
        }
    }

    pub(crate) fn forwarded(&mut self, endpoint: SocketAddr, body: Option<&Rc<BodyWatch>>) {
        if !self.in_flight {
            self.in_flight = true;
            self.body = body.cloned();
            self.core.metrics.in_flight.add(1);
        }
        if let Some(detail) = &mut self.detail {
            detail.endpoint = Some(endpoint);
        }
    }

    /// `grpc` is what a call of gRPC is told of the failure.
    pub(crate) fn failed(&mut self, failure: &Failure, grpc: Option<GrpcStatus>) {
        if let Some(status) = grpc {
            self.core.metrics.grpc_failed(status);
            if let Some(detail) = &mut self.detail {
                detail.grpc_status = Some(status.number());
            }
        }
        if matches!(failure, Failure::BodyStalled) {
            self.core.metrics.protect(Protection::BodyTimeout);
        }
        self.note(failure.reason());
    }

    /// The response has begun and will not end as it should.
    pub(crate) fn broke(&mut self, error: BodyError) {
        self.note(error.reason());
    }

    fn note(&mut self, reason: &'static str) {
        if let Some(detail) = &mut self.detail {
            detail.reason = Some(reason);
        }
    }

    /// Counts the answer and lets go of the table.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
        let Some(table) = self.table.take() else { return };
        table.stats(self.rule).count(self.core.index, &self.method, status);
        if let Some(detail) = &mut self.detail {
            detail.rule = self.rule.map(|rule| Arc::clone(table.rule(rule)));
        }
    }

    /// Who broke the endpoint's connection: itself, or the client with the rest of its request.
    pub(crate) fn broken_by(&self) -> BodyError {
        let fate = self.body.as_ref().and_then(|body| body.fate());
        if fate == Some(BodyError::ClientStalled) {
            self.core.metrics.protect(Protection::BodyTimeout);
        }
        fate.unwrap_or(BodyError::EndpointBroken)
    }

    /// The tick at which the request's body last moved, if it has one.
    pub(crate) fn request_moved(&self) -> Option<u64> {
        self.body.as_ref().map(|body| body.moved())
    }

    fn unanswered(&mut self) {
        let (status, reason) = if std::thread::panicking() {
            (StatusCode::INTERNAL_SERVER_ERROR, PANICKED)
        } else {
            (StatusCode::from_u16(CLIENT_CLOSED).unwrap_or(StatusCode::BAD_REQUEST), BodyError::ClientGone.reason())
        };
        self.note(reason);
        self.answered(status);
    }

    pub(crate) const fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }
}

impl Detail {
    fn of<B>(peer: &Rc<Peer>, request: &http::Request<B>) -> Self {
        Self {
            target: request.uri().clone(),
            version: request.version(),
            host: host(request),
            user_agent: request.headers().get(http::header::USER_AGENT).cloned(),
            peer: Rc::clone(peer),
            client: peer.address.ip(),
            id: None,
            endpoint: None,
            reason: None,
            grpc_status: None,
            rule: None,
        }
    }
}

/// The host as the client wrote it: HTTP/2 has it in the target.
fn host<B>(request: &http::Request<B>) -> Option<String> {
    let field = request.headers().get(http::header::HOST).map(|value| text(value).into_owned());
    field.or_else(|| request.uri().authority().map(ToString::to_string))
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let elapsed = self.started.elapsed();
        if self.status.is_none() {
            self.unanswered();
        }
        if self.in_flight {
            self.core.metrics.in_flight.subtract(1);
        }
        self.core.metrics.duration.observe(elapsed);
        if let (Some(detail), Some(log)) = (&self.detail, &self.core.log) {
            log.write(&line(self, detail, elapsed), &self.core.metrics);
        }
    }
}

fn line<'e>(exchange: &'e Exchange, detail: &'e Detail, elapsed: Duration) -> Line<'e> {
    let origin = detail.rule.as_ref().map(|rule| &rule.origin);
    Line {
        client: detail.client,
        peer: detail.peer.address,
        method: exchange.method.as_str(),
        host: detail.host.as_deref().map(Into::into),
        path: detail.target.path(),
        protocol: protocol(detail.version),
        tls: detail.peer.tls,
        status: exchange.status.map_or(0, |status| status.as_u16()),
        bytes_in: exchange.body.as_ref().map_or(0, |body| body.received()),
        bytes_out: exchange.sent,
        duration: elapsed,
        route: origin.map(|origin| &*origin.object.name),
        namespace: origin.map(|origin| &*origin.object.namespace),
        rule: origin.map(|origin| origin.rule),
        endpoint: detail.endpoint,
        request_id: detail.id.as_ref().map(text),
        user_agent: detail.user_agent.as_ref().map(text),
        reason: detail.reason,
        grpc_status: detail.grpc_status,
    }
}

fn text(value: &HeaderValue) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    }
}
