//! Transports: how connections to the endpoints of an upstream are made, and what they speak.

use rustls::{RootCertStore, pki_types::ServerName, sign::CertifiedKey};
use std::sync::Arc;

/// What is spoken over a connection to an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1: a connection carries one request at a time.
    #[default]
    Http1,
    /// HTTP/2: a connection carries many requests. Over TLS it is offered, and an endpoint that
    /// does not take it is spoken to by HTTP/1.1; else nobody is asked.
    Http2,
}

/// Which certificates of endpoints are believed.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Those that lead to one of these authorities and are made for one of the server's names.
    Authorities(Arc<RootCertStore>),
    /// Any at all: whoever answers is taken for the endpoint.
    Anyone,
}

/// TLS to endpoints.
#[derive(Clone, Debug)]
pub struct EndpointTls {
    /// Differs where anything else here does.
    pub id: u64,
    /// The names that an endpoint may prove to have; the first one is asked for (SNI). Never empty.
    pub server_names: Box<[ServerName<'static>]>,
    /// Which certificates are believed.
    pub trust: Trust,
    /// What the gateway shows of itself to endpoints that ask.
    pub certificate: Option<Arc<CertifiedKey>>,
}

impl PartialEq for EndpointTls {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for EndpointTls {}

/// How connections to the endpoints of an upstream are made. Default: HTTP/1.1 without TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transport {
    /// What is spoken.
    pub protocol: Protocol,
    /// TLS; `None` for plain connections.
    pub tls: Option<Arc<EndpointTls>>,
}

impl Transport {
    /// Tells transports apart: a connection that was made for one is never used for another.
    #[must_use]
    pub fn key(&self) -> u64 {
        let tls = self.tls.as_ref().map_or(0, |tls| tls.id << 1);
        tls | u64::from(self.protocol == Protocol::Http2)
    }
}
