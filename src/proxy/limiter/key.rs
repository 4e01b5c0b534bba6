//! What tells apart whose requests are counted.

use crate::{
    live::moment::Moment,
    model::{limit::LimitKey, snapshot::RuleId},
    table::Match,
};
use aws_lc_rs::digest::{SHA256, digest};
use http::HeaderMap;
use std::{fmt::Write as _, net::IpAddr};

/// What the limiter sees of a request.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    /// The client, as the request's context has it.
    pub(crate) client: IpAddr,
    /// The fields that go on to the endpoint.
    pub(crate) headers: &'a HeaderMap,
    /// The entry that takes the request.
    pub(crate) matched: &'a Match<'a, RuleId>,
    /// The path that was matched.
    pub(crate) path: &'a str,
    /// When the request's head was read.
    pub(crate) now: Moment,
}

/// The value of a request for one limit. A text of a client never equals an address.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) enum Value<'a> {
    Route,
    Address([u8; 16]),
    Header(&'a [u8]),
    Capture(&'a str),
}

impl<'a> Asked<'a> {
    /// The value that a limit counts by; the client's address where the request lacks it.
    pub(super) fn value(&self, key: &LimitKey) -> Value<'a> {
        let found = match key {
            LimitKey::Route => Some(Value::Route),
            LimitKey::ClientAddress => None,
            LimitKey::Header(name) => self.headers.get(name).map(|value| Value::Header(value.as_bytes())),
            LimitKey::PathCapture(field) => self.matched.captures(self.path).get(field).map(Value::Capture),
        };
        found.unwrap_or_else(|| Value::Address(client(self.client)))
    }
}

/// An IPv4 address, or the network of an IPv6 address: a client has 64 bits of addresses to choose
/// from (RFC 4291 section 2.5.4).
fn client(address: IpAddr) -> [u8; 16] {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => {
            let mut network = address.octets();
            network[8..].fill(0);
            network
        }
    }
}

impl Value<'_> {
    /// The name of its bucket in the shared store, the same on every replica. It holds no text of a
    /// client: keys and tokens stay here, and nobody can make two texts that share a bucket.
    pub(super) fn name(&self, id: &str) -> String {
        let (kind, text): (u8, &[u8]) = match self {
            Self::Route => return format!("paifang:{id}"),
            Self::Address(address) => (b'a', address),
            Self::Header(value) => (b'h', value),
            Self::Capture(text) => (b'c', text.as_bytes()),
        };
        let hash = digest(&SHA256, &[&[kind], text].concat());
        let mut name = format!("paifang:{id}:");
        for byte in &hash.as_ref()[..16] {
            // Writing to a text does not fail.
            let _ = write!(name, "{byte:02x}");
        }
        name
    }
}
