//! The headers of a client that travel with a call: all but those that would steer it.
//!
//! To a service every header is metadata, and go-micro's own words are headers too. So a client could turn its call into
//! an event, or pass values for those of a path, unless they are left out here.

use http::{HeaderMap, HeaderName, HeaderValue, header};

#[cfg(test)]
mod tests;

/// Headers of one connection or one message (RFC 9110, 7.6.1), and those that a call sets itself.
const LEFT_OUT: [HeaderName; 17] = [
    header::ACCEPT,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::EXPECT,
    header::HOST,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("local"),
    HeaderName::from_static("remote"),
];

/// What names of control metadata start with.
const CONTROL: [&str; 5] = ["micro-", "x-micro-", "x-api-field-", "grpc-", "sec-websocket-"];

/// Names of control metadata.
const CONTROL_NAMES: [&str; 3] = ["timeout", "x-api-body", "x-content-type"];

/// What of these headers travels with a call. Of a header that is repeated the values are joined with commas, because
/// services see the first one alone.
#[must_use]
pub fn of_headers(headers: &HeaderMap) -> HeaderMap {
    let named = connection_options(headers);
    let mut metadata = HeaderMap::with_capacity(headers.keys_len() + 8);
    for name in headers.keys() {
        let kept = !LEFT_OUT.contains(name)
            && !is_control(name.as_str())
            && !named.iter().any(|option| option.eq_ignore_ascii_case(name.as_str()));
        if let Some(value) = kept.then(|| joined(headers, name)).flatten() {
            metadata.insert(name.clone(), value);
        }
    }
    metadata
}

/// Whether a header says how a call is made. An underscore counts as a hyphen: some services read both alike.
#[must_use]
pub fn is_control(name: &str) -> bool {
    let plain = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    let starts = |with: &str| {
        name.len() >= with.len() && name.as_bytes().iter().map(plain).zip(with.bytes()).all(|(a, b)| a == b)
    };
    CONTROL.into_iter().any(starts) || CONTROL_NAMES.into_iter().any(|word| name.len() == word.len() && starts(word))
}

/// The headers that `Connection` names.
fn connection_options(headers: &HeaderMap) -> Vec<&str> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).collect()
}

/// All values of a header: cookies are joined as cookies are, anything else with commas.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    let Some(second) = values.next() else { return Some(first.clone()) };
    let between: &[u8] = if name == header::COOKIE { b"; " } else { b"," };
    let mut all = first.as_bytes().to_vec();
    for value in std::iter::once(second).chain(values) {
        all.extend_from_slice(between);
        all.extend_from_slice(value.as_bytes());
    }
    HeaderValue::from_bytes(&all).ok()
}
