//! Query parameters as forms write them: `+` is a space, `%XX` an octet, a stray `%` itself.

use super::path::octet::hex_digit;
use std::borrow::Cow;

/// The value, still encoded, of the first parameter with this name. Without `=` it is empty.
pub(super) fn first_value<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .find(|(key, _)| decoded(key).eq(name.bytes()))
        .map(|(_, value)| value)
}

/// The decoded octets.
pub(super) fn decoded(encoded: &str) -> impl Iterator<Item = u8> + '_ {
    let mut left = encoded.as_bytes();
    std::iter::from_fn(move || {
        let (octet, rest) = match left {
            [] => return None,
            [b'+', rest @ ..] => (b' ', rest),
            [b'%', high, low, rest @ ..] => match (hex_digit(*high), hex_digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, rest),
                _ => (b'%', &left[1..]),
            },
            [octet, rest @ ..] => (*octet, rest),
        };
        left = rest;
        Some(octet)
    })
}

/// The decoded text, `None` when it is not UTF-8.
pub(super) fn decoded_text(encoded: &str) -> Option<Cow<'_, str>> {
    if !encoded.contains(['%', '+']) {
        return Some(Cow::Borrowed(encoded));
    }
    String::from_utf8(decoded(encoded).collect()).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_value_counts_and_names_are_decoded() {
        for (query, name, value) in [
            ("a=1&a=2", "a", Some("1")),
            ("b&a=1", "b", Some("")),
            ("&&a=1", "a", Some("1")),
            ("x%20y=1", "x y", Some("1")),
            ("x+y=1=2", "x y", Some("1=2")),
            ("", "a", None),
            ("", "", None),
            ("=1", "", Some("1")),
            ("ab=1", "a", None),
        ] {
            assert_eq!(first_value(query, name), value, "{name} in {query}");
        }
    }

    #[test]
    fn values_are_decoded_once() {
        for (encoded, text) in
            [("a+b", "a b"), ("%2B%2b", "++"), ("%252F", "%2F"), ("%zz%4", "%zz%4"), ("%E4%BD%A0", "你")]
        {
            assert_eq!(decoded_text(encoded).as_deref(), Some(text));
        }
        assert_eq!(decoded_text("%ff"), None);
    }
}
