//! Replies: the only place that turns a failure into a status code and an error entity.
//!
//! What is told to clients is generic: no address, no name of a backend, no text of a library.

mod micro;

use super::{body::Body, error::Failure, grpc};
use crate::metrics::grpc::GrpcStatus;
use crate::rpc::fault::Fault;
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CONNECTION, CONTENT_TYPE, LOCATION, RETRY_AFTER},
};

/// How long clients are asked to wait after 503, in seconds.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("1");

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The status, the code word, and the text for people.
struct Told {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
}

const fn told(status: StatusCode, code: &'static str, message: &'static str) -> Told {
    Told { status, code, message }
}

const fn unavailable(message: &'static str) -> Told {
    told(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
}

/// The form in which a client understands errors that the gateway itself makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Form {
    /// `{"error":{"code","message","target"}}`.
    #[default]
    Rest,
    /// `grpc-status` and `grpc-message`, in a head that is the whole answer.
    Grpc,
    /// `{"id","code","detail","status"}`, as go-micro says it.
    Micro,
}

impl Form {
    /// The form for a request.
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        if grpc::is_call(request) { Self::Grpc } else { Self::Rest }
    }

    /// What a call of gRPC is told of a failure, where this is one.
    pub(crate) fn grpc_status(self, failure: &Failure) -> Option<GrpcStatus> {
        (self == Self::Grpc).then(|| grpc::status_of(tell(failure).status))
    }
}

/// The answer to a request that failed.
pub(crate) fn reply(failure: &Failure, form: Form) -> Response<Body> {
    let told = tell(failure);
    let mut response = match form {
        Form::Rest => rest_entity(&told, target(failure)),
        Form::Grpc => grpc_head(&told),
        Form::Micro => fault_entity(&micro::fault(failure, &told)),
    };
    add_headers(&mut response, failure);
    response
}

/// The answer to a call that failed at its service.
pub(crate) fn fault_entity(fault: &Fault) -> Response<Body> {
    json(fault.status_code(), fault.to_json())
}

/// A failure in the words of go-micro.
pub(crate) fn fault(failure: &Failure) -> Fault {
    micro::fault(failure, &tell(failure))
}

/// The status of a failure and its text for people, for those who explain what would be answered.
pub(crate) fn summary(failure: &Failure) -> (StatusCode, &'static str) {
    let told = tell(failure);
    (told.status, told.message)
}

#[expect(clippy::too_many_lines, reason = "a table with a row for each failure, so that none is told by chance")]
fn tell(failure: &Failure) -> Told {
    match failure {
        Failure::BadRequest(why) => told(StatusCode::BAD_REQUEST, "BadRequest", why),
        Failure::AmbiguousPath(why) => told(StatusCode::BAD_REQUEST, "AmbiguousPath", why),
        Failure::UriTooLong => {
            told(StatusCode::URI_TOO_LONG, "UriTooLong", "The request target is longer than this gateway allows.")
        }
        Failure::HeadersTooLarge => told(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "HeadersTooLarge",
            "The request has more or larger header fields than this gateway allows.",
        ),
        Failure::BodyTooLarge => {
            told(StatusCode::PAYLOAD_TOO_LARGE, "BodyTooLarge", "The request body is larger than this gateway allows.")
        }
        Failure::BodyStalled => {
            told(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", "The request body did not arrive in time.")
        }
        Failure::BodyBroken => told(StatusCode::BAD_REQUEST, "BodyBroken", "The request body broke off."),
        Failure::Misdirected => told(
            StatusCode::MISDIRECTED_REQUEST,
            "MisdirectedRequest",
            "This connection was opened for another host: use one of its own.",
        ),
        Failure::ClientCertificateRequired => told(
            StatusCode::FORBIDDEN,
            "ClientCertificateRequired",
            "This host is for clients with a certificate: use TLS, and show one.",
        ),
        Failure::ConnectRefused => {
            told(StatusCode::NOT_IMPLEMENTED, "NotImplemented", "This gateway does not open tunnels (CONNECT).")
        }
        Failure::NotStarted => unavailable("This gateway does not know its routes yet."),
        Failure::NoRoute => told(StatusCode::NOT_FOUND, "NotFound", "No route takes this request."),
        Failure::MethodNotAllowed(_) => {
            told(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "No route takes this method for this path.")
        }
        Failure::HttpsRequired(_) => told(StatusCode::PERMANENT_REDIRECT, "HttpsRequired", "Use HTTPS."),
        Failure::Misconfigured => {
            told(StatusCode::INTERNAL_SERVER_ERROR, "Misconfigured", "The route cannot be served as it is configured.")
        }
        Failure::Panicked => {
            told(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "This gateway failed at the request.")
        }
        Failure::NoEndpoint => unavailable("No endpoint of the service is ready."),
        Failure::BreakersOpen => unavailable("The service has a rest after failures."),
        Failure::Unhealthy => unavailable("No endpoint of the service is healthy."),
        Failure::Limited(_) => {
            told(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", "The service takes no more requests at this rate.")
        }
        Failure::Overloaded => unavailable("This gateway has too many requests under way."),
        Failure::NoDescriptors => unavailable("This gateway has no room for more connections."),
        Failure::ConnectFailed | Failure::UpstreamTlsFailed | Failure::UpstreamBroken => {
            told(StatusCode::BAD_GATEWAY, "BadGateway", "The service did not give a valid answer.")
        }
        Failure::ConnectTimeout | Failure::UpstreamTlsTimeout | Failure::UpstreamTimeout => {
            told(StatusCode::GATEWAY_TIMEOUT, "GatewayTimeout", "The service did not answer in time.")
        }
        Failure::NoService
        | Failure::NoMethod
        | Failure::NotDescribed
        | Failure::NoStreams
        | Failure::AddressRefused
        | Failure::BadMessage(_)
        | Failure::NotText
        | Failure::ReplyTooLarge
        | Failure::BadReply(_) => micro::tell(failure),
    }
}

/// The part of the request that the failure is about.
const fn target(failure: &Failure) -> Option<&'static str> {
    match failure {
        Failure::AmbiguousPath(_) | Failure::UriTooLong | Failure::NoRoute | Failure::NoService | Failure::NoMethod => {
            Some("path")
        }
        Failure::MethodNotAllowed(_) | Failure::ConnectRefused => Some("method"),
        Failure::HeadersTooLarge => Some("headers"),
        Failure::BodyTooLarge | Failure::BodyStalled | Failure::BodyBroken | Failure::NotText => Some("body"),
        _ => None,
    }
}

/// The answer to a request whose message is not one of the method: what is wrong, and in which part of it.
pub(crate) fn bad_argument(message: &str, target: &'static str) -> Response<Body> {
    let error = serde_json::json!({ "code": "BadArgument", "message": message, "target": target });
    json(StatusCode::BAD_REQUEST, serde_json::json!({ "error": error }).to_string())
}

fn rest_entity(told: &Told, target: Option<&'static str>) -> Response<Body> {
    let mut error = serde_json::Map::new();
    error.insert("code".to_owned(), told.code.into());
    error.insert("message".to_owned(), told.message.into());
    if let Some(target) = target {
        error.insert("target".to_owned(), target.into());
    }
    json(told.status, serde_json::json!({ "error": error }).to_string())
}

fn json(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::full(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer without messages is a head that carries the status (gRPC over HTTP/2, Trailers-Only).
fn grpc_head(told: &Told) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(grpc::MEDIA_TYPE));
    headers.insert(GRPC_STATUS, grpc::status_of(told.status).number().into());
    // None of our messages has what would have to be encoded.
    headers.insert(GRPC_MESSAGE, HeaderValue::from_static(told.message));
    response
}

fn add_headers(response: &mut Response<Body>, failure: &Failure) {
    let headers = response.headers_mut();
    match failure {
        Failure::MethodNotAllowed(methods) => {
            headers.insert(ALLOW, allow(methods));
        }
        Failure::HttpsRequired(address) => {
            if let Ok(address) = HeaderValue::from_str(address) {
                headers.insert(LOCATION, address);
            }
        }
        Failure::NotStarted
        | Failure::NoEndpoint
        | Failure::BreakersOpen
        | Failure::Unhealthy
        | Failure::Overloaded
        | Failure::NoDescriptors => {
            headers.insert(RETRY_AFTER, RETRY_SECONDS);
        }
        Failure::Limited(wait) => {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, seconds.max(1).into());
        }
        // What is left of the request on the wire cannot be trusted to end where it should.
        Failure::BodyTooLarge | Failure::BodyStalled | Failure::BodyBroken | Failure::ConnectRefused => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
}

fn allow(methods: &[Method]) -> HeaderValue {
    let list = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    HeaderValue::from_str(&list).unwrap_or_else(|_| HeaderValue::from_static(""))
}
