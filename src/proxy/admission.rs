//! Admission: requests that the HTTP library takes but that could be read in two ways are refused
//! here, before anything is decided by them (RFC 9112 sections 3.2, 6 and 11).

use super::{
    context::X_REQUEST_ID,
    error::Failure,
    fields::{Scan, is_chunked, is_identity, is_per_hop, is_reserved},
};
use crate::settings::Limits;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version,
    header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
};
use std::borrow::Cow;

/// Checks the head of a request against the limits and the rules of the protocol.
pub(crate) fn admit<B>(request: &Request<B>, scan: &Scan, limits: &Limits) -> Result<(), Failure> {
    if request.method() == Method::CONNECT {
        return Err(Failure::ConnectRefused);
    }
    check_target(request.uri(), limits)?;
    if scan.count > limits.headers || scan.bytes > limits.header_bytes {
        return Err(Failure::HeadersTooLarge);
    }
    if scan.coding { check_framing(request.headers()) } else { Ok(()) }
}

fn check_target(uri: &Uri, limits: &Limits) -> Result<(), Failure> {
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    if target.len() > limits.uri_bytes {
        return Err(Failure::UriTooLong);
    }
    if !target.is_ascii() {
        return Err(Failure::BadRequest("The request target has bytes outside of ASCII: percent-encode them."));
    }
    Ok(())
}

/// One pass over all fields: sums them up, and notes which are there that matter later, and which must
/// not pass.
pub(crate) fn scan(headers: &HeaderMap, trusted: bool) -> Scan {
    let mut scan = Scan::default();
    for (name, value) in headers {
        let text = name.as_str();
        scan.bytes += text.len() + value.len() + 4;
        scan.count += 1;
        if name == HOST {
            scan.host = Some(value.clone());
        }
        scan.length |= name == CONTENT_LENGTH;
        scan.coding |= name == TRANSFER_ENCODING;
        scan.id |= name == X_REQUEST_ID;
        match judge(text, trusted) {
            Verdict::Pass => {}
            Verdict::Strip => note(&mut scan.strip, name),
            Verdict::Connection => scan.connection = true,
            Verdict::Upgrade => scan.upgrade = true,
        }
    }
    scan
}

fn note(strip: &mut Vec<HeaderName>, name: &HeaderName) {
    if strip.last() != Some(name) {
        strip.push(name.clone());
    }
}

enum Verdict {
    Pass,
    Strip,
    Connection,
    Upgrade,
}

/// Judges a field by its name. The first letter settles most fields. Many backends read an underscore
/// as a hyphen, so a name with one that reads as a name of ours does not pass, whoever sent it: no
/// proxy writes it, and it would stand beside what we say.
fn judge(name: &str, trusted: bool) -> Verdict {
    if !matches!(name.as_bytes().first(), Some(b'c' | b'e' | b'f' | b'h' | b'k' | b'p' | b't' | b'u' | b'x')) {
        return Verdict::Pass;
    }
    // Names are short: a search for a character costs more to begin than this.
    if name.bytes().any(|byte| byte == b'_') {
        return if is_reserved(&name.replace('_', "-")) { Verdict::Strip } else { Verdict::Pass };
    }
    match name.as_bytes().first() {
        Some(b'c') if name == "connection" => Verdict::Connection,
        Some(b'u') if name == "upgrade" => Verdict::Upgrade,
        Some(b'f' | b'x') if !trusted && is_identity(name) => Verdict::Strip,
        Some(b'e' | b'h' | b'k' | b'p' | b't') if is_per_hop(name) => Verdict::Strip,
        _ => Verdict::Pass,
    }
}

/// Transfer-Encoding must be `chunked`, once: any other chain could be framed differently behind us.
fn check_framing(headers: &HeaderMap) -> Result<(), Failure> {
    if is_chunked(headers) {
        return Ok(());
    }
    Err(Failure::BadRequest("Transfer-Encoding must be chunked, and nothing else."))
}

/// The host that a request is for, in lower case and without its port; empty where HTTP/1.0 names
/// none. `HOST` and an absolute target must agree.
pub(crate) fn host<B>(request: &Request<B>) -> Result<Cow<'_, str>, Failure> {
    let mut fields = request.headers().get_all(HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err(Failure::BadRequest("The request has more than one Host field."));
    }
    let named = request.uri().authority().map(http::uri::Authority::as_str);
    let value = match (field, named) {
        (None, None) if request.version() == Version::HTTP_10 => return Ok(Cow::Borrowed("")),
        (None, None) => return Err(Failure::BadRequest("The request has no Host field.")),
        (None, Some(named)) if request.version() == Version::HTTP_2 => named,
        (None, Some(_)) => return Err(Failure::BadRequest("The request has no Host field.")),
        (Some(field), named) => agreed(field, named)?,
    };
    host_name(value).ok_or(Failure::BadRequest("The Host field is not a host name with an optional port."))
}

fn agreed<'r>(field: &'r HeaderValue, named: Option<&str>) -> Result<&'r str, Failure> {
    let text = field.to_str().map_err(|_| Failure::BadRequest("The Host field has bytes outside of ASCII."))?;
    match named {
        Some(named) if !named.eq_ignore_ascii_case(text) => {
            Err(Failure::BadRequest("The Host field and the request target name different hosts."))
        }
        _ => Ok(text),
    }
}

/// The name without its port, in lower case. `None` for anything but a name, an IPv4 address or an
/// IPv6 address in brackets; a trailing dot is dropped.
fn host_name(value: &str) -> Option<Cow<'_, str>> {
    // Nearly all are a name as it should be, with neither port nor brackets nor a dot at the end.
    let is_plain = kinds(value) == LOWER && value.len() <= LONGEST_NAME;
    if is_plain && !value.starts_with('[') && !value.ends_with('.') {
        return Some(Cow::Borrowed(value));
    }
    let (name, port) = if value.starts_with('[') {
        let end = value.find(']')? + 1;
        (value.get(..end)?, value.get(end..)?)
    } else {
        value.split_at(value.find(':').unwrap_or(value.len()))
    };
    let port_fits =
        port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
    let name = name.strip_suffix('.').unwrap_or(name);
    if !port_fits || name.is_empty() || name.len() > LONGEST_NAME {
        return None;
    }
    match kinds(name) & !COLON {
        LOWER => Some(Cow::Borrowed(name)),
        kinds if kinds & OTHER == 0 => Some(Cow::Owned(name.to_ascii_lowercase())),
        _ => None,
    }
}

/// All kinds of the bytes of a host, one bit each.
fn kinds(host: &str) -> u8 {
    host.bytes().fold(0, |kinds, byte| kinds | HOST_BYTES[usize::from(byte)])
}

/// The most bytes that a name has (RFC 1035 section 2.3.4).
const LONGEST_NAME: usize = 253;

const LOWER: u8 = 1;
const UPPER: u8 = 2;
const OTHER: u8 = 4;
/// Before a port, or in an address of IPv6.
const COLON: u8 = 8;

/// The kind of each byte in the name of a host.
const HOST_BYTES: [u8; 256] = {
    let mut kinds = [OTHER; 256];
    let mut byte = 0;
    while byte < 128 {
        kinds[byte as usize] = match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'[' | b']' => LOWER,
            b':' => COLON,
            b'A'..=b'Z' => UPPER,
            _ => OTHER,
        };
        byte += 1;
    }
    kinds
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(build: impl FnOnce(http::request::Builder) -> http::request::Builder) -> Request<()> {
        build(Request::builder()).body(()).unwrap()
    }

    fn checked(request: &Request<()>, limits: &Limits) -> Result<(), Failure> {
        admit(request, &scan(request.headers(), false), limits)
    }

    fn host_of(build: impl FnOnce(http::request::Builder) -> http::request::Builder) -> Result<String, Failure> {
        host(&request(build)).map(Cow::into_owned)
    }

    #[test]
    fn a_host_is_lower_case_without_port() {
        for (field, name) in [
            ("Example.COM", "example.com"),
            ("example.com:8080", "example.com"),
            ("example.com.", "example.com"),
            ("[::1]:80", "[::1]"),
            ("[FE80::1]", "[fe80::1]"),
            ("10.0.0.1", "10.0.0.1"),
        ] {
            assert_eq!(host_of(|b| b.uri("/").header(HOST, field)).unwrap(), name, "{field}");
        }
    }

    #[test]
    fn a_host_that_is_no_name_is_refused() {
        for field in ["", "a b", "user@host", "host/path", "host:80x", "[::1", "a,b"] {
            assert!(host_of(|b| b.uri("/").header(HOST, field)).is_err(), "{field}");
        }
    }

    #[test]
    fn two_hosts_and_none_are_refused() {
        assert!(host_of(|b| b.uri("/").header(HOST, "a").header(HOST, "b")).is_err());
        assert!(host_of(|b| b.uri("/")).is_err());
    }

    #[test]
    fn an_absolute_target_must_agree_with_host() {
        assert_eq!(host_of(|b| b.uri("http://a.example/").header(HOST, "a.example")).unwrap(), "a.example");
        assert!(host_of(|b| b.uri("http://a.example/").header(HOST, "b.example")).is_err());
        assert!(host_of(|b| b.uri("http://a.example/")).is_err(), "HTTP/1.1 needs Host all the same");
    }

    #[test]
    fn only_plain_chunked_is_a_transfer_coding() {
        let admit_with = |codings: &[&str]| {
            let request =
                request(|b| codings.iter().fold(b.uri("/"), |b, coding| b.header(TRANSFER_ENCODING, *coding)));
            checked(&request, &Limits::default())
        };
        assert!(admit_with(&["chunked"]).is_ok());
        assert!(admit_with(&["Chunked"]).is_ok());
        for bad in [&["chunked, chunked"][..], &["gzip, chunked"], &["chunked", "chunked"], &["identity"]] {
            assert!(matches!(admit_with(bad), Err(Failure::BadRequest(_))), "{bad:?}");
        }
    }

    #[test]
    fn limits_hold_to_the_byte() {
        let limits = Limits { headers: 3, header_bytes: 100, uri_bytes: 10, ..Limits::default() };
        let with = |fields: usize, bytes: usize| {
            let request =
                request(|b| (0..fields).fold(b.uri("/"), |b, i| b.header(format!("a{i}"), "v".repeat(bytes))));
            checked(&request, &limits)
        };
        assert!(with(3, 20).is_ok());
        assert!(matches!(with(4, 1), Err(Failure::HeadersTooLarge)));
        assert!(matches!(with(1, 95), Err(Failure::HeadersTooLarge)));
        assert!(checked(&request(|b| b.uri("/234567890")), &limits).is_ok());
        assert!(matches!(checked(&request(|b| b.uri("/2345678901")), &limits), Err(Failure::UriTooLong)));
    }

    #[test]
    fn tunnels_are_refused() {
        let request = request(|b| b.method(Method::CONNECT).uri("example.com:443"));
        assert!(matches!(checked(&request, &Limits::default()), Err(Failure::ConnectRefused)));
    }

    fn stripped(name: &str, trusted: bool) -> bool {
        let request = request(|b| b.uri("/").header(name, "v"));
        !scan(request.headers(), trusted).strip.is_empty()
    }

    proptest! {
        #[test]
        fn no_spelling_of_an_identity_field_passes(
            base in prop::sample::select(vec![
                "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-prefix", "x-real-ip",
                "x-envoy-external-address", "x-original-url",
            ]),
            swaps in any::<u16>(),
            upper in any::<u32>(),
        ) {
            let (mut hyphens, mut aliased) = (0, false);
            let name: String = base.char_indices().map(|(i, c)| match c {
                '-' => {
                    hyphens += 1;
                    let swap = swaps >> (hyphens % 16) & 1 == 1;
                    aliased |= swap;
                    if swap { '_' } else { '-' }
                }
                c if upper >> (i % 32) & 1 == 1 => c.to_ascii_uppercase(),
                c => c,
            }).collect();
            prop_assert!(stripped(&name, false), "{name}");
            prop_assert_eq!(stripped(&name, true), aliased, "{} from a trusted proxy", name);
        }
    }

    #[test]
    fn per_hop_fields_never_pass() {
        for name in
            ["Keep-Alive", "TE", "Trailer", "Proxy-Authorization", "proxy_connection", "Expect", "HTTP2-Settings"]
        {
            assert!(stripped(name, true), "{name}");
        }
        for name in ["Accept", "Cookie", "X-Request-ID", "Content-Type", "If-Match", "Te-St", "Content-Length"] {
            assert!(!stripped(name, false), "{name}");
        }
    }

    #[test]
    fn aliases_of_what_the_gateway_sets_never_pass() {
        for name in ["Content_Length", "X_Request_ID", "x_request-id", "Transfer_Encoding", "X_Forwarded-Host"] {
            assert!(stripped(name, true) && stripped(name, false), "{name}");
        }
        for name in ["Content_Type", "X_Tenant", "If_Match"] {
            assert!(!stripped(name, false), "{name}");
        }
    }
}
