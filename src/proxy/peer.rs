//! Who is at the other end of a connection, found out once for all of its requests.

use super::{
    clients::{Clients, Place},
    error::Failure,
};
use crate::{model::client_validation::ClientValidation, settings::TrustedProxies};
use http::HeaderValue;
use rustls::ServerConfig;
use std::{fmt, net::SocketAddr, sync::Arc};

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
    session: Option<Session>,
}

/// A connection that has just come, as its core gets it.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// The other end of the socket.
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<Secured>,
    /// Given back when the connection ends.
    pub(crate) place: Option<Place>,
    /// Where its client has to find a place, once a proxy has said who that is (PROXY protocol).
    pub(crate) proxied: Option<Arc<Clients>>,
}

/// What a connection over TLS is served with.
#[derive(Clone, Debug)]
pub(crate) struct Secured(pub(crate) Arc<dyn Hosts>);

/// What TLS is for which host.
pub(crate) trait Hosts: fmt::Debug + Send + Sync {
    /// What a client is served with that asks for this name.
    fn choose(&self, asked: Option<&str>) -> Chosen;

    /// Whether a client that asked for the one name may be answered for the other.
    fn fit(&self, asked: Option<&str>, host: &str) -> bool;
}

/// What a handshake goes on with.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) config: Arc<ServerConfig>,
    /// What the client is asked for, by its id.
    pub(crate) validation: Option<u64>,
}

/// What the TLS handshake of a connection was about.
#[derive(Debug)]
pub(crate) struct Session {
    /// The name that the client asked for (SNI), in lower case.
    asked: Option<Box<str>>,
    /// What it was asked for, and has shown.
    validation: Option<u64>,
    hosts: Arc<dyn Hosts>,
}

impl Session {
    pub(crate) fn new(asked: Option<&str>, validation: Option<u64>, hosts: Arc<dyn Hosts>) -> Self {
        Self { asked: asked.map(|name| name.to_ascii_lowercase().into()), validation, hosts }
    }
}

impl Peer {
    pub(crate) fn new(address: SocketAddr, tls: bool, trusted: &TrustedProxies) -> Self {
        let ip = address.ip().to_canonical();
        let address_value = HeaderValue::from_str(&ip.to_string()).expect("an address must be a field value");
        Self {
            address: SocketAddr::new(ip, address.port()),
            address_value,
            tls,
            trusted: trusted.contains(ip),
            session: None,
        }
    }

    /// Nothing that it says of others is believed.
    pub(crate) fn without_trust(self) -> Self {
        Self { trusted: false, ..self }
    }

    /// Once its handshake is over.
    pub(crate) fn with_session(self, session: Session) -> Self {
        Self { session: Some(session), ..self }
    }

    /// Whether a request for this host has no business on its connection: the handshake was about
    /// another one, with a certificate of its own. A trusted proxy asks for whom it likes.
    pub(crate) fn is_misdirected(&self, host: &str) -> bool {
        let Some(Session { asked, hosts, .. }) = self.session.as_ref().filter(|_| !self.trusted) else { return false };
        !host.is_empty() && asked.as_deref() != Some(host) && !hosts.fit(asked.as_deref(), host)
    }

    /// Whether its client is one of those that a rule wants. Nobody else vouches for a certificate, a trusted
    /// proxy neither.
    pub(crate) fn validated(&self, wanted: &ClientValidation) -> Result<(), Failure> {
        match &self.session {
            Some(session) if session.validation == Some(wanted.id) => Ok(()),
            Some(_) => Err(Failure::Misdirected),
            None if wanted.optional && wanted.authorities.is_some() => Ok(()),
            None => Err(Failure::ClientCertificateRequired),
        }
    }
}
