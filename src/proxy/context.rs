//! The request context: what is known of a request before it is handled, found out once.
//!
//! Everyone downstream (handlers, logs, later limiters and authentication) reads the client
//! address, the id and the path from here, never from header fields.

use super::{
    extended,
    fields::{Scan, clean_request, connection_tokens, list},
    grpc,
    peer::Peer,
};
use crate::settings::TrustedProxies;
use bytes::BytesMut;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Version,
    header::{HOST, UPGRADE},
};
use std::{net::IpAddr, time::Duration};

/// The id of a request, in both directions and in the log.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The longest request id that is taken over from a client.
const MOST_ID_BYTES: usize = 128;

/// What is known of a request before it is handled.
#[derive(Debug)]
pub(crate) struct RequestContext {
    /// The client: the peer, or what trusted proxies say of it.
    pub(crate) client: IpAddr,
    /// The client came over TLS, to us or to a trusted proxy.
    pub(crate) secure: bool,
    /// How long the client of a call of gRPC waits for it.
    pub(crate) deadline: Option<Duration>,
    /// Whether the request asks for another protocol.
    pub(crate) upgrade: Option<HeaderValue>,
    /// Whether it says how long its body is.
    pub(crate) length: bool,
}

/// Finds out the context, and leaves in the header fields only what may go on: fields of this connection
/// and forged identities are gone, ours are set.
pub(crate) fn establish<B>(
    request: &mut Request<B>,
    scan: &mut Scan,
    peer: &Peer,
    trusted: &TrustedProxies,
    id: &HeaderValue,
) -> RequestContext {
    // HTTP/1.0 has no upgrades (RFC 9110 section 7.8), HTTP/2 has its own way.
    let may_upgrade = scan.upgrade && request.version() == Version::HTTP_11;
    let host = scan.host.take().or_else(|| name_host(request));
    let extended = extended::is_asked(request);
    let deadline = if grpc::is_call(request) { grpc::deadline(request.headers()) } else { None };
    let headers = request.headers_mut();
    let client = client_address(headers, peer, trusted);
    let upgrade = match () {
        () if extended => Some(HeaderValue::from_static(extended::WEBSOCKET)),
        () if may_upgrade => asked_upgrade(headers),
        () => None,
    };
    clean_request(headers, scan);
    headers.insert(X_REQUEST_ID, id.clone());
    let scheme = Scheme::of(headers, peer);
    set_forwarded(headers, peer, scheme, host);
    RequestContext { client, secure: scheme.is_secure(), deadline, upgrade, length: scan.length }
}

/// Writes the host that HTTP/2 has in the target into its field, where everyone looks for it.
fn name_host<B>(request: &mut Request<B>) -> Option<HeaderValue> {
    let authority = request.uri().authority().filter(|_| request.version() == Version::HTTP_2)?;
    let host = HeaderValue::from_str(authority.as_str()).ok()?;
    request.headers_mut().insert(HOST, host.clone());
    Some(host)
}

fn asked_upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let named = connection_tokens(headers).any(|token| token.eq_ignore_ascii_case("upgrade"));
    let carries_requests = list(headers, UPGRADE).any(carries_requests);
    if named && !carries_requests { headers.get(UPGRADE).cloned() } else { None }
}

/// Whether a protocol carries HTTP requests of its own: in a tunnel nobody would route them, so
/// such an upgrade is not passed on.
fn carries_requests(protocol: &str) -> bool {
    let name = protocol.split('/').next().unwrap_or_default();
    ["h2c", "h2", "http", "tls"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// How the client came in, as X-Forwarded-Proto says it. Some proxies say it for WebSockets too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    Ws,
    Wss,
}

impl Scheme {
    const ALL: [(Self, &'static str); 4] =
        [(Self::Http, "http"), (Self::Https, "https"), (Self::Ws, "ws"), (Self::Wss, "wss")];

    /// What a trusted peer says, else how the peer itself came in.
    fn of(headers: &HeaderMap, peer: &Peer) -> Self {
        let own = if peer.tls { Self::Https } else { Self::Http };
        if peer.trusted { Self::said(headers).unwrap_or(own) } else { own }
    }

    /// The first word of the field: proxies that append put their own hop last, so the first one is
    /// about the client. A word that is no scheme is as if nothing was said.
    fn said(headers: &HeaderMap) -> Option<Self> {
        let first = list(headers, X_FORWARDED_PROTO).next()?;
        Self::ALL.iter().find(|(_, word)| first.eq_ignore_ascii_case(word)).map(|(scheme, _)| *scheme)
    }

    const fn is_secure(self) -> bool {
        matches!(self, Self::Https | Self::Wss)
    }

    const fn as_str(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// The last address in X-Forwarded-For that is not a trusted proxy, when the peer is one.
fn client_address(headers: &HeaderMap, peer: &Peer, trusted: &TrustedProxies) -> IpAddr {
    let peer_ip = peer.address.ip().to_canonical();
    if !peer.trusted {
        return peer_ip;
    }
    let fields: Vec<&str> = headers.get_all(X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
    let hops = fields.iter().rev().flat_map(|field| field.rsplit(','));
    let mut nearest = peer_ip;
    for hop in hops {
        let Some(address) = forwarded_address(hop.trim()) else { break };
        nearest = address;
        if !trusted.contains(address) {
            break;
        }
    }
    nearest
}

fn forwarded_address(text: &str) -> Option<IpAddr> {
    let plain = text.trim_start_matches('[').trim_end_matches(']');
    let parsed = plain.parse().ok().or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()));
    parsed.map(|address: IpAddr| address.to_canonical())
}

/// The id of a request: the one that it came with, or a new one.
pub(crate) fn request_id(headers: &HeaderMap, scan: &Scan, ids: &mut Ids) -> HeaderValue {
    let given = if scan.id { headers.get(X_REQUEST_ID) } else { None };
    let given = given.filter(|id| is_request_id(id.as_bytes()));
    given.cloned().unwrap_or_else(|| ids.make())
}

fn is_request_id(id: &[u8]) -> bool {
    (1..=MOST_ID_BYTES).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

/// Makes request ids. They share allocations: one for many ids and all their clones.
#[derive(Debug)]
pub(crate) struct Ids {
    random: fastrand::Rng,
    block: BytesMut,
}

impl Ids {
    /// How many bytes are allocated at once.
    const BLOCK: usize = 64 * 36;

    pub(crate) fn new(random: fastrand::Rng) -> Self {
        Self { random, block: BytesMut::new() }
    }

    /// A random UUID (RFC 9562 version 4).
    fn make(&mut self) -> HeaderValue {
        let text = uuid(self.random.u128(..));
        if self.block.capacity() < text.len() {
            self.block = BytesMut::with_capacity(Self::BLOCK);
        }
        self.block.extend_from_slice(&text);
        let text = self.block.split().freeze();
        HeaderValue::from_maybe_shared(text).expect("hexadecimal digits must be a field value")
    }
}

fn uuid(random: u128) -> [u8; 36] {
    const VERSION: u128 = 0xf << 76;
    const VARIANT: u128 = 0b11 << 62;
    let bytes = (random & !VERSION & !VARIANT | (4 << 76) | (0b10 << 62)).to_be_bytes();
    let mut digits = [0; 32];
    for (text, word) in digits.as_chunks_mut().0.iter_mut().zip(bytes.as_chunks().0) {
        *text = hexadecimal(u32::from_be_bytes(*word));
    }
    let mut text = [b'-'; 36];
    for (from, to) in [(0..8, 0), (8..12, 9), (12..16, 14), (16..20, 19), (20..32, 24)] {
        let count = from.len();
        text[to..to + count].copy_from_slice(&digits[from]);
    }
    text
}

/// The digits of a word, all at once: half a byte moves to each byte of a larger word, and ten or more
/// becomes a letter.
fn hexadecimal(word: u32) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut digits = u64::from(word);
    digits = (digits << 16 | digits) & 0x0000_ffff_0000_ffff;
    digits = (digits << 8 | digits) & 0x00ff_00ff_00ff_00ff;
    digits = (digits << 4 | digits) & 0x0f0f_0f0f_0f0f_0f0f;
    let letters = (digits + 6 * ONES) >> 4 & ONES;
    (digits + u64::from(b'0') * ONES + letters * u64::from(b'a' - b'9' - 1)).to_be_bytes()
}

/// Appends the peer to X-Forwarded-For, and says how the client came in and for which host.
fn set_forwarded(headers: &mut HeaderMap, peer: &Peer, scheme: Scheme, host: Option<HeaderValue>) {
    // Any other peer's fields are gone.
    if peer.trusted && headers.contains_key(X_FORWARDED_FOR) {
        append_peer(headers, peer);
    } else {
        headers.insert(X_FORWARDED_FOR, peer.address_value.clone());
    }
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(scheme.as_str()));
    if (!peer.trusted || !headers.contains_key(X_FORWARDED_HOST))
        && let Some(host) = host
    {
        headers.insert(X_FORWARDED_HOST, host);
    }
}

fn append_peer(headers: &mut HeaderMap, peer: &Peer) {
    let mut list = Vec::new();
    for value in headers.get_all(X_FORWARDED_FOR).iter().filter(|value| !value.is_empty()) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(peer.address_value.as_bytes());
    if let Ok(list) = HeaderValue::from_bytes(&list) {
        headers.insert(X_FORWARDED_FOR, list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::admission::scan;

    const PROXY: &str = "10.0.0.1:99";

    fn trusted() -> TrustedProxies {
        TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()])
    }

    fn ids(seed: u64) -> Ids {
        Ids::new(fastrand::Rng::with_seed(seed))
    }

    fn establish_for(peer: &str, fields: &[(&str, &str)]) -> (RequestContext, HeaderMap) {
        let peer = Peer::new(peer.parse().unwrap(), false, &trusted());
        let mut request = Request::builder().uri("/").header("host", "example.com");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).unwrap();
        let mut scan = scan(request.headers(), peer.trusted);
        let id = request_id(request.headers(), &scan, &mut ids(5));
        let context = establish(&mut request, &mut scan, &peer, &trusted(), &id);
        (context, request.into_parts().0.headers)
    }

    #[test]
    fn the_client_is_the_peer_unless_the_peer_is_trusted() {
        let forged = [("x-forwarded-for", "1.1.1.1")];
        let (context, headers) = establish_for("192.0.2.7:5", &forged);
        assert_eq!(context.client.to_string(), "192.0.2.7");
        assert_eq!(headers[X_FORWARDED_FOR], "192.0.2.7");
        let (context, headers) = establish_for(PROXY, &forged);
        assert_eq!(context.client.to_string(), "1.1.1.1");
        assert_eq!(headers[X_FORWARDED_FOR], "1.1.1.1, 10.0.0.1");
    }

    #[test]
    fn the_client_is_the_last_untrusted_hop() {
        for (list, client) in [
            ("6.6.6.6, 1.1.1.1, 10.2.3.4", "1.1.1.1"),
            ("10.9.9.9", "10.9.9.9"),
            ("1.1.1.1, junk, 10.2.3.4", "10.2.3.4"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("192.0.2.1:4711", "192.0.2.1"),
            ("", "10.0.0.1"),
        ] {
            let (context, _) = establish_for(PROXY, &[("x-forwarded-for", list)]);
            assert_eq!(context.client.to_string(), client, "{list}");
        }
    }

    #[test]
    fn the_scheme_is_the_first_word_of_a_trusted_proxy() {
        for (said, scheme, secure) in [
            (&["https"][..], "https", true),
            (&["HTTPS"], "https", true),
            (&["https, http"], "https", true),
            (&["http, https"], "http", false),
            (&["https", "http"], "https", true),
            (&[" , Wss"], "wss", true),
            (&["ws"], "ws", false),
            (&["gopher"], "http", false),
            (&["gopher, https"], "http", false),
            (&[""], "http", false),
            (&[], "http", false),
        ] {
            let fields: Vec<_> = said.iter().map(|value| ("x-forwarded-proto", *value)).collect();
            let (context, headers) = establish_for(PROXY, &fields);
            let passed: Vec<_> = headers.get_all(X_FORWARDED_PROTO).iter().map(HeaderValue::as_bytes).collect();
            assert_eq!((passed, context.secure), (vec![scheme.as_bytes()], secure), "{said:?}");
            let (context, headers) = establish_for("192.0.2.7:5", &fields);
            assert_eq!((&headers[X_FORWARDED_PROTO], context.secure), (&"http".parse().unwrap(), false), "{said:?}");
        }
    }

    #[test]
    fn connection_cannot_name_what_matters() {
        let (_, headers) = establish_for(
            "192.0.2.7:5",
            &[
                ("connection", "close, X-Own, Authorization, X-Forwarded-For, Cookie"),
                ("x-own", "1"),
                ("authorization", "a"),
                ("cookie", "c"),
            ],
        );
        assert!(!headers.contains_key("x-own") && !headers.contains_key("connection"));
        assert!(headers.contains_key("authorization") && headers.contains_key("cookie"));
        assert_eq!(headers[X_FORWARDED_FOR], "192.0.2.7");
    }

    #[test]
    fn a_given_id_is_kept_and_a_bad_one_replaced() {
        let (_, headers) = establish_for("192.0.2.7:5", &[("x-request-id", "abc-1")]);
        assert_eq!(headers[X_REQUEST_ID], "abc-1");
        for bad in ["", "two words", &"x".repeat(129)] {
            let (_, headers) = establish_for("192.0.2.7:5", &[("x-request-id", bad)]);
            assert_eq!(headers[X_REQUEST_ID].len(), 36, "{bad}");
        }
    }

    #[test]
    fn a_made_id_is_a_version_4_uuid() {
        let id = ids(1).make();
        let text = id.to_str().unwrap();
        let dashes: Vec<_> = text.match_indices('-').map(|(i, _)| i).collect();
        assert_eq!((text.len(), dashes, &text[14..15]), (36, vec![8, 13, 18, 23], "4"));
        assert!("89ab".contains(&text[19..20]), "{text}");
    }

    #[test]
    fn digits_are_those_of_the_standard_library() {
        for word in [0, 1, 0x0123_4567, 0x89ab_cdef, 0x9a9a_a9a9, u32::MAX] {
            assert_eq!(hexadecimal(word).as_slice(), format!("{word:08x}").as_bytes());
        }
        let bits = u128::MAX / 3;
        assert_eq!(uuid(bits).as_slice(), b"55555555-5555-4555-9555-555555555555");
    }

    #[test]
    fn an_upgrade_counts_only_when_connection_names_it() {
        let with = [("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")];
        let (context, headers) = establish_for("192.0.2.7:5", &with);
        assert_eq!(context.upgrade.unwrap(), "websocket");
        assert!(!headers.contains_key(UPGRADE));
        let (context, _) = establish_for("192.0.2.7:5", &[("upgrade", "websocket")]);
        assert!(context.upgrade.is_none());
    }

    #[test]
    fn an_upgrade_to_another_http_is_not_passed_on() {
        for protocol in ["h2c", "H2C", "websocket, h2c", "HTTP/2.0", "TLS/1.2, HTTP/1.1"] {
            let (context, headers) = establish_for(
                "192.0.2.7:5",
                &[("connection", "upgrade, http2-settings"), ("upgrade", protocol), ("http2_settings", "AAMAAABk")],
            );
            assert!(context.upgrade.is_none(), "{protocol}");
            assert!(!headers.contains_key(UPGRADE) && !headers.contains_key("http2_settings"), "{headers:?}");
        }
    }
}
