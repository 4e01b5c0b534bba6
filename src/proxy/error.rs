//! Failures: what went wrong with a request, by who and where. What a client is told of it is
//! decided in `reply` alone.

use crate::rpc::{fault::Fault as ServiceFault, payload::PayloadError};
use http::Method;
use std::{fmt, time::Duration};

/// The word of the access log for a request that ended in a panic.
pub(crate) const PANICKED: &str = "panic";

/// Why a request was not answered by a backend.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The request cannot be understood without doubt, with what is wrong with it.
    BadRequest(&'static str),
    /// The path can be read in more than one way, with what is ambiguous in it.
    AmbiguousPath(&'static str),
    /// The request target is longer than the limit.
    UriTooLong,
    /// More header fields, or larger ones, than the limit.
    HeadersTooLarge,
    /// The body is larger than the limit.
    BodyTooLarge,
    /// The client stopped sending its body.
    BodyStalled,
    /// The client went away, or broke off its body.
    BodyBroken,
    /// The connection is for another host.
    Misdirected,
    /// The rule wants a client with a certificate, over TLS.
    ClientCertificateRequired,
    /// A tunnel was asked for.
    ConnectRefused,
    /// There are no rules yet: the sources have not told all that they have.
    NotStarted,
    /// No rule takes the request.
    NoRoute,
    /// Rules take the path, but not the method; these are the methods that they take.
    MethodNotAllowed(Vec<Method>),
    /// Plain HTTP where the rule wants HTTPS; this is the address to use.
    HttpsRequired(String),
    /// The rule or its backend cannot serve; its status says why.
    Misconfigured,
    /// The gateway itself broke.
    Panicked,
    /// The upstream has no endpoint that takes requests.
    NoEndpoint,
    /// The breakers of all endpoints are open.
    BreakersOpen,
    /// No endpoint is well.
    Unhealthy,
    /// The endpoint takes no more requests for so long.
    Limited(Duration),
    /// Too many requests are under way.
    Overloaded,
    /// The process has no file descriptor left for a connection to an endpoint.
    NoDescriptors,
    /// No connection to the endpoint.
    ConnectFailed,
    /// No connection to the endpoint within the dial time-out.
    ConnectTimeout,
    /// No TLS with the endpoint: it speaks none, or is not who it should be.
    UpstreamTlsFailed,
    /// No TLS with the endpoint within the time for the handshake.
    UpstreamTlsTimeout,
    /// The endpoint broke off, or answered what is not HTTP.
    UpstreamBroken,
    /// The endpoint did not answer in time.
    UpstreamTimeout,
    /// The request names no service that there is.
    NoService,
    /// The request names no method of its service.
    NoMethod,
    /// The service does not tell which methods it has.
    NotDescribed,
    /// The method has streams, and its service is called in a protocol that carries none here.
    NoStreams,
    /// The client names a node itself that nobody may call so.
    AddressRefused,
    /// The request makes no message for a method.
    BadMessage(PayloadError),
    /// The body is not text, and the method takes nothing else.
    NotText,
    /// The reply of a method is larger than the limit.
    ReplyTooLarge,
    /// The reply of a method cannot be understood, with what is told of it.
    BadReply(Box<ServiceFault>),
}

/// What an endpoint did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It could not be spoken to.
    Unreached,
    /// It broke off, or answered what is not HTTP.
    Broken,
    /// It did not answer in time.
    Silent,
}

impl Failure {
    /// Whether another endpoint could not help: it is the client's doing, or our own.
    pub(crate) const fn is_final(&self) -> bool {
        matches!(self, Self::BodyTooLarge | Self::BodyStalled | Self::BodyBroken | Self::NoDescriptors)
    }

    /// What the endpoint did wrong, where it did.
    pub(crate) const fn fault(&self) -> Option<Fault> {
        match self {
            Self::ConnectFailed | Self::ConnectTimeout | Self::UpstreamTlsFailed | Self::UpstreamTlsTimeout => {
                Some(Fault::Unreached)
            }
            Self::UpstreamBroken => Some(Fault::Broken),
            Self::UpstreamTimeout => Some(Fault::Silent),
            Self::BadRequest(_)
            | Self::AmbiguousPath(_)
            | Self::UriTooLong
            | Self::HeadersTooLarge
            | Self::BodyTooLarge
            | Self::BodyStalled
            | Self::BodyBroken
            | Self::Misdirected
            | Self::ClientCertificateRequired
            | Self::ConnectRefused
            | Self::NotStarted
            | Self::NoRoute
            | Self::MethodNotAllowed(_)
            | Self::HttpsRequired(_)
            | Self::Misconfigured
            | Self::Panicked
            | Self::NoEndpoint
            | Self::BreakersOpen
            | Self::Unhealthy
            | Self::Limited(_)
            | Self::Overloaded
            | Self::NoDescriptors
            | Self::NoService
            | Self::NoMethod
            | Self::NotDescribed
            | Self::AddressRefused
            | Self::NoStreams
            | Self::BadMessage(_)
            | Self::NotText
            | Self::ReplyTooLarge
            | Self::BadReply(_) => None,
        }
    }

    /// The word for it in the access log.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad_request",
            Self::AmbiguousPath(_) => "ambiguous_path",
            Self::UriTooLong => "uri_too_long",
            Self::HeadersTooLarge => "headers_too_large",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyStalled => "body_stalled",
            Self::BodyBroken => "body_broken",
            Self::Misdirected => "misdirected",
            Self::ClientCertificateRequired => "client_certificate_required",
            Self::ConnectRefused => "connect_refused",
            Self::NotStarted => "not_started",
            Self::NoRoute => "no_route",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::HttpsRequired(_) => "https_required",
            Self::Misconfigured => "misconfigured",
            Self::Panicked => PANICKED,
            Self::NoEndpoint => "no_endpoint",
            Self::BreakersOpen => "breaker_open",
            Self::Unhealthy => "no_healthy_endpoint",
            Self::Limited(_) => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::NoDescriptors => "no_descriptors",
            Self::ConnectFailed => "connect_failed",
            Self::ConnectTimeout => "connect_timeout",
            Self::UpstreamTlsFailed => "upstream_tls_failed",
            Self::UpstreamTlsTimeout => "upstream_tls_timeout",
            Self::UpstreamBroken => "upstream_broken",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::NoService => "no_service",
            Self::NoMethod => "no_method",
            Self::NotDescribed => "not_described",
            Self::AddressRefused => "address_refused",
            Self::NoStreams => "no_streams",
            Self::BadMessage(_) => "bad_message",
            Self::NotText => "not_text",
            Self::ReplyTooLarge => "reply_too_large",
            Self::BadReply(_) => "bad_reply",
        }
    }
}

/// Why a body ended before its time, in either direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// A request has more bytes than the limit.
    TooLarge,
    /// The client stopped sending, or taking what it is sent.
    ClientStalled,
    /// The client went away, or broke off what it sent.
    ClientGone,
    /// The endpoint broke off its answer.
    EndpointBroken,
    /// The endpoint stopped sending.
    EndpointStalled,
}

impl BodyError {
    /// The word for the access log, when a response that had begun ends for this.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::TooLarge => "body_too_large",
            Self::ClientStalled => "client_stalled",
            Self::ClientGone => "client_closed",
            Self::EndpointBroken => "endpoint_broken",
            Self::EndpointStalled => "endpoint_stalled",
        }
    }
}

/// What it is where there is no answer yet.
impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::BodyTooLarge,
            BodyError::ClientStalled => Self::BodyStalled,
            BodyError::ClientGone => Self::BodyBroken,
            BodyError::EndpointBroken | BodyError::EndpointStalled => Self::UpstreamBroken,
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for BodyError {}
