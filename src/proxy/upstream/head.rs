//! Request heads in the form of the connection that carries them.
//!
//! Whatever version the client spoke, the head that comes here has a Host field, and a Connection
//! field if it is one of HTTP/1.1. A request that one connection did not take comes again for
//! another, so that each form can be made from the other.

use http::{
    HeaderMap, HeaderValue, Request, Uri, Version,
    header::{CONNECTION, COOKIE, HOST, UPGRADE},
    uri::{Authority, PathAndQuery, Scheme},
};
use std::net::SocketAddr;

/// The form of HTTP/1.1 (RFC 9112). It must name a host, where HTTP/1.0 may name none: then it is
/// the endpoint's address, as if a client had gone there by itself.
pub(super) fn as_http1<B>(request: &mut Request<B>, endpoint: SocketAddr) {
    if request.version() == Version::HTTP_2 {
        from_http2(request);
    } else if request.version() == Version::HTTP_10 && !request.headers().contains_key(HOST) {
        let host = HeaderValue::from_str(&endpoint.to_string()).expect("an address must be a field value");
        request.headers_mut().insert(HOST, host);
    }
    *request.version_mut() = Version::HTTP_11;
}

/// HTTP/2 may have the host in the target and may split Cookie; HTTP/1.1 has neither
/// (RFC 9113 sections 8.2.3 and 8.3.1).
fn from_http2<B>(request: &mut Request<B>) {
    if let Some(authority) = request.uri().authority().cloned() {
        let host = HeaderValue::from_str(authority.as_str());
        host.into_iter().for_each(|host| drop(request.headers_mut().insert(HOST, host)));
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
    }
    let headers = request.headers_mut();
    join_cookies(headers);
    if headers.contains_key(http::header::TE) && !headers.contains_key(CONNECTION) {
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
}

fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1
        && let Ok(cookie) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(COOKIE, cookie);
    }
}

/// The form of HTTP/2: the host is in the target, and nothing speaks of the connection (RFC 9113
/// section 8.2.2). An upgrade cannot be asked for, so the request is an ordinary one.
pub(super) fn as_http2<B>(request: &mut Request<B>, scheme: Scheme, endpoint: SocketAddr) {
    let headers = request.headers_mut();
    headers.remove(CONNECTION);
    headers.remove(UPGRADE);
    let host = headers.remove(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let named = host.or_else(|| request.uri().authority().cloned());
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(scheme);
    // Only HTTP/1.0 names no host.
    parts.authority = named.or_else(|| Authority::try_from(endpoint.to_string()).ok());
    let path = request.uri().path_and_query().cloned();
    parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    if let Ok(target) = Uri::from_parts(parts) {
        *request.uri_mut() = target;
    }
    *request.version_mut() = Version::HTTP_2;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> SocketAddr {
        "10.0.0.1:80".parse().unwrap()
    }

    fn request(version: Version, fields: &[(&str, &str)]) -> Request<()> {
        let request = Request::get("/a?b=c").version(version);
        fields.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(()).unwrap()
    }

    fn fields(request: &Request<()>) -> Vec<(&str, &str)> {
        let fields = request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        let mut fields: Vec<_> = fields.collect();
        fields.sort_unstable();
        fields
    }

    #[test]
    fn a_head_of_http_2_becomes_one_of_http_1() {
        let mut request = request(
            Version::HTTP_2,
            &[("host", "a.example"), ("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers")],
        );
        as_http1(&mut request, ([127, 0, 0, 1], 80).into());
        assert_eq!((request.version(), request.uri().to_string()), (Version::HTTP_11, "/a?b=c".to_owned()));
        let expected = [("connection", "te"), ("cookie", "a=1; b=2"), ("host", "a.example"), ("te", "trailers")];
        assert_eq!(fields(&request), expected);
    }

    #[test]
    fn a_head_of_http_1_becomes_one_of_http_2() {
        for (host, authority) in [("a.example", "a.example"), ("a.example:81", "a.example:81"), ("[::1]:1", "[::1]:1")]
        {
            let fields_of_1 =
                [("host", host), ("connection", "upgrade, te"), ("upgrade", "websocket"), ("te", "trailers")];
            let mut request = request(Version::HTTP_11, &fields_of_1);
            as_http2(&mut request, Scheme::HTTP, endpoint());
            assert_eq!(request.version(), Version::HTTP_2);
            assert_eq!(request.uri().to_string(), format!("http://{authority}/a?b=c"));
            assert_eq!(fields(&request), [("te", "trailers")]);
        }
    }

    #[test]
    fn a_head_without_a_host_names_the_endpoint() {
        let mut request = request(Version::HTTP_10, &[]);
        as_http2(&mut request, Scheme::HTTPS, endpoint());
        assert_eq!(request.uri().to_string(), "https://10.0.0.1:80/a?b=c");
    }

    #[test]
    fn a_head_can_be_brought_back() {
        let mut request = request(Version::HTTP_11, &[("host", "a.example"), ("te", "trailers"), ("connection", "te")]);
        as_http2(&mut request, Scheme::HTTPS, endpoint());
        as_http1(&mut request, ([127, 0, 0, 1], 80).into());
        assert_eq!((request.version(), request.uri().to_string()), (Version::HTTP_11, "/a?b=c".to_owned()));
        assert_eq!(fields(&request), [("connection", "te"), ("host", "a.example"), ("te", "trailers")]);
    }

    #[test]
    fn the_target_of_all_resources_stays() {
        let mut request = Request::options("*").header("host", "a.example").body(()).unwrap();
        as_http2(&mut request, Scheme::HTTP, endpoint());
        assert_eq!(request.uri().path(), "*");
    }
}
