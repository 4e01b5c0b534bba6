//! TLS towards clients: which certificate answers which name, and the server configuration.
//!
//! Certificates change while connections come in: one cell holds the newest table of them, and a
//! handshake that has begun keeps what it found.

mod clients;
mod tickets;

use super::peer::{Chosen, Hosts, Secured};
use crate::model::{client_validation::ClientValidation, snapshot::Snapshot};
use arc_swap::ArcSwap;
use rustls::{
    ServerConfig, SupportedProtocolVersion,
    crypto::CryptoProvider,
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use std::{collections::HashMap, sync::Arc};
use tickets::Tickets;

/// The oldest TLS version that clients may speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinimumVersion {
    /// TLS 1.2.
    #[default]
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl MinimumVersion {
    const fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        match self {
            Self::Tls12 => &BOTH,
            Self::Tls13 => BOTH.first_chunk::<1>().expect("the list must not be empty"),
        }
    }
}

/// The certificates in use, by name.
#[derive(Debug, Default)]
struct Table {
    exact: HashMap<Arc<str>, Arc<CertifiedKey>>,
    /// By the name without its star and dot.
    wildcard: HashMap<Arc<str>, Arc<CertifiedKey>>,
    default: Option<Arc<CertifiedKey>>,
}

impl Table {
    fn new(snapshot: &Snapshot) -> Self {
        let mut table = Self {
            default: snapshot.default_certificate.as_ref().map(|found| Arc::clone(&found.key)),
            ..Self::default()
        };
        for certificate in &snapshot.certificates {
            for name in &certificate.hostnames {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(suffix) => (&mut table.wildcard, suffix.into()),
                    None => (&mut table.exact, Arc::clone(name)),
                };
                // The first one stands: translation has put them in order of age.
                names.entry(name).or_insert_with(|| Arc::clone(&certificate.key));
            }
        }
        table
    }

    fn find(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let named = name.and_then(|name| self.exact.get(name).or_else(|| self.wildcard_for(name)));
        named.or(self.default.as_ref()).cloned()
    }

    fn wildcard_for(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let mut rest = name;
        while let Some((_, suffix)) = rest.split_once('.') {
            if let Some(found) = self.wildcard.get(suffix) {
                return Some(found);
            }
            rest = suffix;
        }
        None
    }
}

/// Everything about TLS that changes at run time.
#[derive(Debug)]
pub struct Tls {
    certificates: Arc<Certificates>,
    tickets: Arc<Tickets>,
    /// Asks clients for nothing.
    config: Arc<ServerConfig>,
    /// What hosts ask their clients for.
    clients: ArcSwap<clients::Table>,
    maker: Maker,
    /// Whether requests must be for the host that the handshake was about.
    strict: bool,
}

/// Makes server configurations that differ in what they ask clients for.
#[derive(Debug)]
struct Maker {
    provider: Arc<CryptoProvider>,
    minimum: MinimumVersion,
    certificates: Arc<Certificates>,
    tickets: Arc<Tickets>,
}

impl Maker {
    fn make(&self, asked: Option<&ClientValidation>) -> Result<ServerConfig, rustls::Error> {
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(self.minimum.versions())?;
        let builder = match asked {
            None => builder.with_no_client_auth(),
            Some(asked) => builder.with_client_cert_verifier(clients::verifier(asked, &self.provider)),
        };
        let mut config = builder.with_cert_resolver(Arc::<Certificates>::clone(&self.certificates));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = self.tickets.of(asked.map(|asked| asked.id));
        Ok(config)
    }
}

/// The cell that handshakes read.
#[derive(Debug, Default)]
struct Certificates(ArcSwap<Table>);

impl Hosts for Tls {
    fn choose(&self, asked: Option<&str>) -> Chosen {
        let clients = self.clients.load();
        match clients.find(asked.map(str::to_ascii_lowercase).as_deref()) {
            None => Chosen { config: Arc::clone(&self.config), validation: None },
            Some(found) => Chosen { config: Arc::clone(&found.config), validation: Some(found.id) },
        }
    }

    fn fit(&self, asked: Option<&str>, host: &str) -> bool {
        if !self.strict {
            return true;
        }
        let table = self.certificates.0.load();
        match (table.find(asked), table.find(Some(host))) {
            (Some(one), Some(other)) => Arc::ptr_eq(&one, &other) || one.cert == other.cert,
            _ => false,
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        self.0.load().find(name.as_deref())
    }
}

impl Tls {
    /// A configuration without certificates yet. `strict`: requests must be for the host that the
    /// handshake was about, or for one with the same certificate.
    ///
    /// # Errors
    /// When the cryptographic provider lacks what TLS needs.
    pub fn new(minimum: MinimumVersion, strict: bool) -> Result<Self, rustls::Error> {
        let certificates = Arc::<Certificates>::default();
        let tickets = Arc::new(Tickets::random()?);
        let maker = Maker {
            provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
            minimum,
            certificates: Arc::clone(&certificates),
            tickets: Arc::clone(&tickets),
        };
        let config = Arc::new(maker.make(None)?);
        Ok(Self { certificates, tickets, config, clients: ArcSwap::default(), maker, strict })
    }

    /// What a new connection is served with.
    pub(crate) fn secured(self: &Arc<Self>) -> Secured {
        Secured(Arc::<Self>::clone(self))
    }

    /// Puts the certificates, the policies for clients and the ticket keys of a snapshot in use, for handshakes
    /// from now on.
    pub fn install(&self, snapshot: &Snapshot) {
        // Before anybody is served by a certificate that it did not have: what is asked for first.
        let make = |asked: &ClientValidation| {
            // As for the one without, which is there.
            Arc::new(self.maker.make(Some(asked)).expect("what makes one configuration must make another"))
        };
        self.clients.store(Arc::new(clients::Table::new(snapshot, make)));
        self.certificates.0.store(Arc::new(Table::new(snapshot)));
        self.tickets.install(&snapshot.ticket_keys);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::certificate::Certificate;
    use std::time::SystemTime;

    fn certificate(names: &[&str]) -> Certificate {
        let made = rcgen::generate_simple_self_signed(vec!["x.example".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let signing = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).unwrap();
        Certificate {
            namespace: "shop".into(),
            secret: "tls".into(),
            hostnames: names.iter().map(|name| Arc::from(*name)).collect(),
            not_after: SystemTime::UNIX_EPOCH,
            key: Arc::new(CertifiedKey::new(vec![made.cert.der().clone()], signing)),
        }
    }

    #[test]
    fn the_most_specific_name_wins_and_the_default_is_last() {
        let certificates = vec![certificate(&["*.example.com"]), certificate(&["a.example.com", "*.a.example.com"])];
        let keys: Vec<_> = certificates.iter().map(|certificate| Arc::clone(&certificate.key)).collect();
        let default = certificate(&[]);
        let default_key = Arc::clone(&default.key);
        let mut snapshot = Snapshot { certificates, ..Snapshot::default() };
        assert!(Table::new(&snapshot).find(Some("other.test")).is_none(), "no name, no default: an alert");
        snapshot.default_certificate = Some(default);
        let table = Table::new(&snapshot);
        for (name, expected) in [
            (Some("a.example.com"), &keys[1]),
            (Some("b.a.example.com"), &keys[1]),
            (Some("b.example.com"), &keys[0]),
            (Some("example.com"), &default_key),
            (None, &default_key),
        ] {
            assert!(Arc::ptr_eq(&table.find(name).unwrap(), expected), "{name:?}");
        }
    }
}
