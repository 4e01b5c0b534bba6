//! Who is at the other end of a connection, found out once for all of its requests.

use crate::settings::TrustedProxies;
use http::HeaderValue;
use std::net::SocketAddr;

/// Who is at the other end of a connection.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// The address without port, as a field value.
    pub(crate) address_value: HeaderValue,
    /// The connection is encrypted.
    pub(crate) tls: bool,
    /// Its forwarded headers are believed.
    pub(crate) trusted: bool,
}

impl Peer {
    pub(crate) fn new(address: SocketAddr, tls: bool, trusted: &TrustedProxies) -> Self {
        let ip = address.ip().to_canonical();
        let address_value = HeaderValue::from_str(&ip.to_string()).expect("an address must be a field value");
        Self { address: SocketAddr::new(ip, address.port()), address_value, tls, trusted: trusted.contains(ip) }
    }
}
