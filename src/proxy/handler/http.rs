//! The Http handler: a reverse proxy. Method, query, body, cookies and Host pass unchanged.

use super::Routed;
use crate::proxy::{
    body::Body,
    error::Failure,
    exchange::Exchange,
    fields::is_per_hop,
    request_body::RequestBody,
    retry::{self, Outgoing},
    upstream::pool::Lease,
};
use http::{
    HeaderMap, HeaderName, Request, Response, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, UPGRADE},
    request::Parts,
};
use http_body::Body as _;
use hyper::body::Incoming;

/// Passes a request on and streams the answer back.
pub(crate) async fn proxy(
    routed: &Routed<'_>,
    request: Request<Incoming>,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Failure> {
    let (parts, incoming) = request.into_parts();
    let (mut response, lease) = pass(routed, parts, incoming, exchange).await?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        // Nobody asked for that.
        return Err(Failure::UpstreamBroken);
    }
    clean(response.headers_mut());
    *response.version_mut() = Version::HTTP_11;
    let (parts, incoming) = response.into_parts();
    Ok(Response::from_parts(parts, Body::upstream(incoming, lease)))
}

/// Passes a request on and returns the response head as the endpoint gave it.
pub(crate) async fn pass(
    routed: &Routed<'_>,
    mut parts: Parts,
    incoming: Incoming,
    exchange: &mut Exchange,
) -> Result<(Response<Incoming>, Lease), Failure> {
    let core = routed.core;
    let plan = routed.plan(&parts)?;
    if let Some(target) = &routed.target {
        parts.uri = target.clone();
    }
    parts.version = Version::HTTP_11;
    frame(&mut parts.headers, &incoming);
    let (body, watch) = RequestBody::new(incoming, &core.clock, core.limits());
    let outgoing = Outgoing { request: Request::from_parts(parts, body), body: watch };
    retry::send(&plan, outgoing, exchange).await
}

/// Frames the request anew: the length that was understood, not the text that told it.
fn frame(headers: &mut HeaderMap, body: &Incoming) {
    if !headers.contains_key(CONTENT_LENGTH) {
        return;
    }
    match body.size_hint().exact() {
        Some(length) => headers.insert(CONTENT_LENGTH, length.into()),
        None => headers.remove(CONTENT_LENGTH),
    };
}

/// Removes the fields of the endpoint's own connection from a response.
pub(crate) fn clean(headers: &mut HeaderMap) {
    let per_hop: Vec<HeaderName> = headers.keys().filter(|name| belongs_to_hop(name)).cloned().collect();
    if per_hop.is_empty() {
        return;
    }
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|token| token.trim().parse().ok())
        .filter(|name| *name != http::header::CONTENT_LENGTH && *name != http::header::CONTENT_TYPE)
        .collect();
    for name in per_hop.into_iter().chain(named) {
        headers.remove(name);
    }
}

fn belongs_to_hop(name: &HeaderName) -> bool {
    name == CONNECTION || name == UPGRADE || (is_per_hop(name.as_str()) && name != http::header::TRAILER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_endpoints_connection_do_not_reach_the_client() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, X-Hop, Content-Type"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("x-hop", "1"),
            ("content-type", "text/plain"),
            ("set-cookie", "a=1"),
            ("trailer", "x-sum"),
        ] {
            headers.append(name, value.parse().unwrap());
        }
        clean(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-type", "set-cookie", "trailer"]);
    }
}
