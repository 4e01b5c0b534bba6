//! What the hash strategy goes by: the client's address, or a field, cookie or parameter.

use crate::{
    live::picker::hash_key,
    model::upstream::{HashOn, Strategy},
};
use http::{HeaderMap, Uri, header::COOKIE};
use std::net::IpAddr;

/// The hash of a request for a strategy; 0 for strategies that do not hash.
pub(crate) fn hash_of(strategy: &Strategy, client: IpAddr, headers: &HeaderMap, target: &Uri) -> u64 {
    let Strategy::Hash(on) = strategy else { return 0 };
    let key = match on {
        HashOn::ClientAddress => None,
        HashOn::Header(name) => headers.get(name).map(http::HeaderValue::as_bytes),
        HashOn::Cookie(name) => cookie(headers, name),
        HashOn::QueryParam(name) => parameter(target, name),
    };
    key.map_or_else(|| hash_address(client), hash_key)
}

fn hash_address(client: IpAddr) -> u64 {
    match client {
        IpAddr::V4(address) => hash_key(&address.octets()),
        IpAddr::V6(address) => hash_key(&address.octets()),
    }
}

/// The value of a cookie (RFC 6265 section 4.2.1).
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(|pair| value_of(pair.trim_ascii(), name)).next()
}

fn parameter<'u>(target: &'u Uri, name: &str) -> Option<&'u [u8]> {
    target.query()?.as_bytes().split(|byte| *byte == b'&').find_map(|pair| value_of(pair, name))
}

fn value_of<'p>(pair: &'p [u8], name: &str) -> Option<&'p [u8]> {
    pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(on: HashOn, client: [u8; 4], cookie: &str, target: &str) -> u64 {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, cookie.parse().unwrap());
        hash_of(&Strategy::Hash(on), client.into(), &headers, &target.parse().unwrap())
    }

    #[test]
    fn a_key_is_found_wherever_it_stands() {
        let session = |cookie| hash(HashOn::Cookie("sid".into()), [192, 0, 2, 1], cookie, "/");
        assert_eq!(session("a=1; sid=7; b=2"), session("sid=7"));
        assert_ne!(session("sid=7"), session("sid=8"));
        assert_ne!(session("xsid=7"), session("sid=7"));
        let user = |target| hash(HashOn::QueryParam("user".into()), [192, 0, 2, 1], "", target);
        assert_eq!(user("/a?x=1&user=anna"), user("/b?user=anna&y"));
        assert_ne!(user("/a?user=anna"), user("/a?user=bert"));
    }

    #[test]
    fn a_request_without_the_key_goes_by_its_client() {
        let missing = |client| hash(HashOn::Cookie("sid".into()), client, "", "/");
        assert_eq!(missing([192, 0, 2, 1]), hash(HashOn::ClientAddress, [192, 0, 2, 1], "x=1", "/a?b"));
        assert_ne!(missing([192, 0, 2, 1]), missing([192, 0, 2, 2]));
    }
}
