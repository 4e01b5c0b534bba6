//! WebSockets over HTTP/2 (RFC 8441): a client asks by an extended CONNECT, and the endpoint is asked by an
//! upgrade of HTTP/1.1.
//!
//! For routes and everybody else such a request is the GET that it stands for. HTTP/2 has no key and no
//! proof of it: here they are made and checked in the client's place (RFC 6455 section 4.1).

use super::error::Failure;
use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
};
use hyper::ext::Protocol;

/// The one protocol that is asked for like this.
pub(crate) const WEBSOCKET: &str = "websocket";
/// What a key is proven with.
const PROOF: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Takes an extended CONNECT for the GET that it stands for. A plain one stays what it is.
pub(crate) fn read<B>(request: &mut Request<B>) {
    let extended = request.version() == Version::HTTP_2
        && request.method() == Method::CONNECT
        && request.extensions().get::<Protocol>().is_some_and(|asked| asked.as_str() == WEBSOCKET);
    if extended {
        *request.method_mut() = Method::GET;
    }
}

/// Whether a request was an extended CONNECT: HTTP/2 takes the word for it on no other one.
pub(crate) fn is_asked<B>(request: &Request<B>) -> bool {
    request.version() == Version::HTTP_2 && request.extensions().get::<Protocol>().is_some()
}

/// A handshake with an endpoint in the name of a client that speaks HTTP/2.
#[derive(Debug)]
pub(crate) struct Handshake {
    accept: String,
}

impl Handshake {
    /// Begins one, if the request asks for it, with a key made of this.
    pub(crate) fn begin<B>(request: &mut Request<B>, random: u128) -> Option<Self> {
        if !is_asked(request) {
            return None;
        }
        request.extensions_mut().remove::<Protocol>();
        let key = STANDARD.encode(random.to_be_bytes());
        let headers = request.headers_mut();
        headers.entry(SEC_WEBSOCKET_VERSION).or_insert(HeaderValue::from_static("13"));
        headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::from_str(&key).expect("base64 must be a field value"));
        Some(Self { accept: accept(key.as_bytes()) })
    }

    /// The endpoint has agreed: its answer becomes that of HTTP/2, if it is one.
    pub(crate) fn finish<B>(self, response: &mut Response<B>) -> Result<(), Failure> {
        let headers = response.headers_mut();
        let is = |value: Option<&HeaderValue>, wanted: &str| {
            value.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(wanted.as_bytes()))
        };
        let agreed = is(headers.get(UPGRADE), WEBSOCKET);
        let proven =
            headers.remove(SEC_WEBSOCKET_ACCEPT).is_some_and(|proof| proof.as_bytes() == self.accept.as_bytes());
        if !agreed || !proven {
            return Err(Failure::UpstreamBroken);
        }
        *response.status_mut() = StatusCode::OK;
        Ok(())
    }
}

/// The proof for a key (RFC 6455, section 4.2.2).
pub(crate) fn accept(key: &[u8]) -> String {
    STANDARD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &[key, PROOF].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_proven_as_its_specification_shows() {
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    fn asked(protocol: &'static str, version: Version) -> Request<()> {
        let mut request = Request::connect("https://a.example/chat").version(version).body(()).unwrap();
        request.extensions_mut().insert(Protocol::from_static(protocol));
        request
    }

    #[test]
    fn only_a_websocket_over_http_2_stands_for_get() {
        for (protocol, version, method) in [
            ("websocket", Version::HTTP_2, Method::GET),
            ("connect-udp", Version::HTTP_2, Method::CONNECT),
            ("websocket", Version::HTTP_11, Method::CONNECT),
        ] {
            let mut request = asked(protocol, version);
            read(&mut request);
            assert_eq!(request.method(), method, "{protocol}");
        }
    }

    #[test]
    fn an_endpoint_has_to_agree_and_to_prove_it() {
        for (upgrade, proof, taken) in [
            (Some("WebSocket"), true, true),
            (Some("websocket"), false, false),
            (Some("h2c"), true, false),
            (None, true, false),
        ] {
            let mut request = asked("websocket", Version::HTTP_2);
            let handshake = Handshake::begin(&mut request, 7).unwrap();
            assert_eq!(request.headers()[SEC_WEBSOCKET_VERSION], "13");
            let key = request.headers()[SEC_WEBSOCKET_KEY].as_bytes().to_vec();
            let proof = if proof { accept(&key) } else { "none".to_owned() };
            let mut response = Response::builder().status(101).header(SEC_WEBSOCKET_ACCEPT, proof).body(()).unwrap();
            response.headers_mut().extend(upgrade.map(|word| (UPGRADE, HeaderValue::from_static(word))));
            assert_eq!(handshake.finish(&mut response).is_ok(), taken, "{upgrade:?}");
            assert!(!taken || response.status() == 200 && !response.headers().contains_key(SEC_WEBSOCKET_ACCEPT));
        }
        assert!(Handshake::begin(&mut Request::get("/").version(Version::HTTP_2).body(()).unwrap(), 7).is_none());
    }
}
