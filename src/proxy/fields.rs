//! Which header fields carry identity and which belong to one connection, and the removal of the
//! latter in both directions.

use super::error::Failure;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request,
    header::{CONNECTION, CONTENT_LENGTH, MAX_FORWARDS, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
};
use http_body::Frame;

/// What one pass over the header fields found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Fields that only the gateway may set, or that belong to one connection.
    pub(crate) strip: Vec<HeaderName>,
    /// A Connection field is there.
    pub(crate) connection: bool,
    /// An Upgrade field is there.
    pub(crate) upgrade: bool,
    /// A `Content-Length` is there.
    pub(crate) length: bool,
    /// A Transfer-Encoding is there.
    pub(crate) coding: bool,
    /// The Host field, if it is there.
    pub(crate) host: Option<HeaderValue>,
    /// The request brings an id.
    pub(crate) id: bool,
    /// How many fields there are.
    pub(crate) count: usize,
    /// How many bytes they have.
    pub(crate) bytes: usize,
}

/// Fields that say who the client is or where it came in: believed from trusted proxies alone.
pub(crate) fn is_identity(name: &str) -> bool {
    const PREFIXES: [&str; 3] = ["x-forwarded-", "x-envoy-", "x-original-"];
    matches!(name, "forwarded" | "x-forwarded" | "x-real-ip" | "x-client-ip" | "x-cluster-client-ip")
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Fields that belong to one connection (RFC 9110 section 7.6.1), and Expect, which the gateway
/// answers itself.
pub(crate) fn is_per_hop(name: &str) -> bool {
    matches!(
        name,
        "expect"
            | "http2-settings"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
    )
}

/// Names that the gateway alone writes to endpoints, or reads from what it frames.
pub(crate) fn is_reserved(name: &str) -> bool {
    matches!(name, "content-length" | "x-request-id") || is_identity(name) || is_per_hop(name)
}

pub(crate) fn connection_tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    list(headers, CONNECTION)
}

/// The members of a list over all lines of its field (RFC 9110 section 5.6.1).
pub(crate) fn list(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let fields = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    fields.flat_map(|value| value.split(',')).map(str::trim).filter(|member| !member.is_empty())
}

/// Removes what belongs to this hop (RFC 9110 section 7.6.1): the Connection field, what it names,
/// and what the scan noted. A Connection field cannot name fields that carry identity or framing.
pub(crate) fn clean_request(headers: &mut HeaderMap, scan: &Scan) {
    let trailers = scan.strip.contains(&TE) && takes_trailers(headers);
    if scan.connection {
        for name in named(headers) {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    for name in &scan.strip {
        headers.remove(name);
    }
    // Trailers pass end to end, so the readiness for them does too; it is told anew for each hop
    // (RFC 9110 section 10.1.4).
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    if scan.upgrade {
        headers.remove(UPGRADE);
    }
}

fn takes_trailers(headers: &HeaderMap) -> bool {
    list(headers, TE).any(|coding| coding.eq_ignore_ascii_case("trailers"))
}

/// The fields that Connection names and that may go for it.
fn named(headers: &HeaderMap) -> Vec<HeaderName> {
    connection_tokens(headers).filter_map(|token| token.parse().ok()).filter(may_be_named).collect()
}

/// Whether Connection can name a field as one of this hop. What is meant for the other end stays,
/// whoever names it: it carries identity, framing or state.
fn may_be_named(name: &HeaderName) -> bool {
    const KEPT: [&str; 16] = [
        "authorization",
        "cache-control",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "cookie",
        "etag",
        "host",
        "location",
        "origin",
        "range",
        "set-cookie",
        "vary",
        "www-authenticate",
        "x-request-id",
    ];
    !KEPT.contains(&name.as_str()) && !is_identity(name.as_str())
}

/// Has Connection name Upgrade, beside what it names already.
pub(crate) fn name_upgrade(headers: &mut HeaderMap) {
    let te = headers.contains_key(TE);
    headers.insert(CONNECTION, HeaderValue::from_static(if te { "upgrade, te" } else { "upgrade" }));
}

/// Counts a hop of TRACE and OPTIONS, and says whether the request may go further (RFC 9110 section
/// 7.6.2).
pub(crate) fn count_hop<B>(request: &mut Request<B>) -> bool {
    if !matches!(*request.method(), Method::OPTIONS | Method::TRACE) {
        return true;
    }
    let headers = request.headers_mut();
    let left = headers.get(MAX_FORWARDS).and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
    if let Some(further) = left.and_then(|left| left.checked_sub(1)) {
        headers.insert(MAX_FORWARDS, further.into());
    }
    left != Some(0)
}

/// Removes the fields of the endpoint's own connection from a response. Fails where its framing is
/// none that can be passed on: a body that is coded for this hop by more than chunks would reach the
/// client as it is.
pub(crate) fn clean_response(headers: &mut HeaderMap) -> Result<(), Failure> {
    let per_hop: Vec<HeaderName> = headers.keys().filter(|name| belongs_to_hop(name)).cloned().collect();
    if per_hop.is_empty() {
        return Ok(());
    }
    if per_hop.contains(&TRANSFER_ENCODING) {
        if !is_chunked(headers) {
            return Err(Failure::UpstreamBroken);
        }
        // A length beside chunks is not the length of the body (RFC 9112 section 6.3).
        headers.remove(CONTENT_LENGTH);
    }
    for name in per_hop.into_iter().chain(named(headers)) {
        headers.remove(name);
    }
    Ok(())
}

/// Whether Transfer-Encoding is `chunked`, once, or is not there.
pub(crate) fn is_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let first = codings.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    first && codings.next().is_none()
}

/// Removes from trailers what may only stand in a head (RFC 9110 section 6.5.1): a receiver that
/// merges them into the head would take it for said there.
pub(crate) fn clean_trailers(frame: Frame<Bytes>) -> Frame<Bytes> {
    if frame.is_data() {
        return frame;
    }
    match frame.into_trailers() {
        Ok(mut trailers) => {
            let wrong: Vec<HeaderName> = trailers.keys().filter(|name| !may_trail(name)).cloned().collect();
            wrong.iter().for_each(|name| drop(trailers.remove(name)));
            Frame::trailers(trailers)
        }
        Err(frame) => frame,
    }
}

fn may_trail(name: &HeaderName) -> bool {
    let aliased = name.as_str().replace('_', "-");
    let of_head = ["authorization", "connection", "content-length", "cookie", "host", "upgrade", "x-request-id"];
    !of_head.contains(&&*aliased) && !is_per_hop(&aliased) && !is_identity(&aliased)
}

fn belongs_to_hop(name: &HeaderName) -> bool {
    name == CONNECTION || name == UPGRADE || (is_per_hop(name.as_str()) && name != TRAILER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_endpoints_connection_do_not_reach_the_client() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, X-Hop, Content-Type, Set-Cookie, ETag"),
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
        clean_response(&mut headers).unwrap();
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-type", "set-cookie", "trailer"]);
    }

    #[test]
    fn a_response_is_framed_by_chunks_alone_or_not_at_all() {
        for (codings, passes) in [
            (&["chunked"][..], true),
            (&["Chunked"], true),
            (&["gzip, chunked"], false),
            (&["gzip", "chunked"], false),
            (&["chunked", "chunked"], false),
            (&["identity"], false),
            (&[""], false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_LENGTH, 3.into());
            for coding in codings {
                headers.append(TRANSFER_ENCODING, coding.parse().unwrap());
            }
            let cleaned = clean_response(&mut headers);
            assert_eq!(cleaned.is_ok(), passes, "{codings:?}");
            assert!(!passes || headers.is_empty(), "{codings:?}: {headers:?}");
        }
    }
}
