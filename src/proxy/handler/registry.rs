//! The Registry handler: the services of the route's namespace, as go-micro's handler of this name lists them.
//!
//! The one handler that tells clients names and addresses of endpoints. Nothing is written by it.

use super::{Routed, call::unless_called};
use crate::proxy::{
    body::Body,
    error::Failure,
    exchange::Exchange,
    reply::{Form, reply},
    request_body::RequestBody,
};
use http::{HeaderValue, Method, Request, Response, header::CONTENT_TYPE};
use std::borrow::Cow;

/// What is answered, in the order of an `Allow` field.
const METHODS: [Method; 2] = [Method::GET, Method::HEAD];

/// The parameter that names one service.
const SERVICE: &str = "service";

/// Lists all services, or the versions of the one that the query names.
pub(super) fn answer(routed: &Routed<'_>, request: &Request<RequestBody>, exchange: &mut Exchange) -> Response<Body> {
    list(routed, request).unwrap_or_else(|failure| {
        exchange.failed(&failure, None);
        reply(&failure, Form::Micro)
    })
}

fn list(routed: &Routed<'_>, request: &Request<RequestBody>) -> Result<Response<Body>, Failure> {
    if let Some(response) = unless_called(request.method(), &METHODS)? {
        return Ok(response);
    }
    let namespace = &routed.rule.origin.object.namespace;
    let listing = routed.table.listing(namespace).ok_or(Failure::Misconfigured)?.load();
    let json = match wanted(request.uri().query().unwrap_or_default()) {
        Some(name) => listing.one(&name).ok_or(Failure::NoService)?,
        None => listing.all(),
    };
    let mut response = Response::new(Body::full(json));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// The service that a query asks for. An empty name asks for all, as none does.
fn wanted(query: &str) -> Option<Cow<'_, str>> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == SERVICE).map(|(_, value)| value).filter(|value| !value.is_empty())
}
