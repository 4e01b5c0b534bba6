//! Transports: how connections to the endpoints of an upstream are made, and what they speak.

/// What is spoken over a connection to an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1: a connection carries one request at a time.
    #[default]
    Http1,
    /// HTTP/2, without asking first: a connection carries many requests.
    Http2,
}

/// How connections to the endpoints of an upstream are made. Default: HTTP/1.1 without TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transport {
    /// What is spoken.
    pub protocol: Protocol,
}

impl Transport {
    /// Tells transports apart: a connection that was made for one is never used for another.
    #[must_use]
    pub const fn key(&self) -> u64 {
        match self.protocol {
            Protocol::Http1 => 0,
            Protocol::Http2 => 1,
        }
    }
}
