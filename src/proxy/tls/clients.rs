//! Certificates of clients: one server configuration for each policy, found by the name that a client asks
//! for, before the rest of its handshake.

use crate::{
    model::{client_validation::ClientValidation, snapshot::Snapshot},
    table::HostPattern,
};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use std::{collections::HashMap, sync::Arc};

/// A policy, ready for handshakes.
#[derive(Clone, Debug)]
pub(super) struct Validating {
    pub(super) id: u64,
    pub(super) config: Arc<ServerConfig>,
}

/// What each host asks its clients for.
#[derive(Debug, Default)]
pub(super) struct Table {
    exact: HashMap<Arc<str>, Option<Validating>>,
    /// By the name without its star and dot.
    wildcard: HashMap<Arc<str>, Option<Validating>>,
    /// For names that are nowhere, and clients that ask for none.
    any: Option<Validating>,
}

impl Table {
    /// The policies of a snapshot. `build` makes the configuration of one, with its id.
    pub(super) fn new(snapshot: &Snapshot, build: impl Fn(&ClientValidation) -> Arc<ServerConfig>) -> Self {
        let mut built = HashMap::<u64, Validating>::new();
        let mut table = Self::default();
        for (host, asked) in &snapshot.client_validation {
            let found = asked.as_ref().map(|asked| {
                let make = || Validating { id: asked.id, config: build(asked) };
                built.entry(asked.id).or_insert_with(make).clone()
            });
            match host {
                HostPattern::Exact(name) => drop(table.exact.insert(Arc::clone(name), found)),
                // The star of an Ingress asks for nothing, whatever else has the same suffix.
                HostPattern::WildcardLabel(suffix) => drop(table.wildcard.entry(Arc::clone(suffix)).or_default()),
                HostPattern::Wildcard(suffix) => drop(table.wildcard.insert(Arc::clone(suffix), found)),
                HostPattern::Any => table.any = found,
            }
        }
        table
    }

    /// What clients of this name are asked for, by its most specific pattern.
    pub(super) fn find(&self, name: Option<&str>) -> Option<&Validating> {
        let Some(name) = name else { return self.any.as_ref() };
        if let Some(found) = self.exact.get(name) {
            return found.as_ref();
        }
        let mut rest = name;
        while let Some((_, suffix)) = rest.split_once('.') {
            if let Some(found) = self.wildcard.get(suffix) {
                return found.as_ref();
            }
            rest = suffix;
        }
        self.any.as_ref()
    }
}

/// Who decides about certificates of clients.
pub(super) fn verifier(asked: &ClientValidation, provider: &Arc<CryptoProvider>) -> Arc<dyn ClientCertVerifier> {
    let nobody = || Arc::new(Nobody(Arc::clone(provider)));
    let Some(authorities) = &asked.authorities else { return nobody() };
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::clone(authorities), Arc::clone(provider));
    let builder = if asked.optional { builder.allow_unauthenticated() } else { builder };
    builder.build().unwrap_or_else(|_| nobody())
}

/// Lets nobody in: for hosts whose authorities are not known.
#[derive(Debug)]
struct Nobody(Arc<CryptoProvider>);

impl Nobody {
    const fn refused<T>() -> Result<T, Error> {
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
    }
}

impl ClientCertVerifier for Nobody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Self::refused()
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::refused()
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::refused()
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::server::ResolvesServerCertUsingSni;

    fn config() -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Arc::new(builder.with_no_client_auth().with_cert_resolver(Arc::new(ResolvesServerCertUsingSni::new())))
    }

    #[test]
    fn the_most_specific_pattern_of_a_name_decides() {
        let asked = |id| Some(Arc::new(ClientValidation { id, optional: false, authorities: None }));
        let client_validation = vec![
            (HostPattern::Exact("a.example".into()), asked(1)),
            (HostPattern::Exact("open.b.example".into()), None),
            (HostPattern::Wildcard("b.example".into()), asked(2)),
            (HostPattern::WildcardLabel("b.example".into()), None),
            (HostPattern::Wildcard("deep.b.example".into()), asked(3)),
            (HostPattern::Wildcard("open.example".into()), None),
            (HostPattern::Any, asked(4)),
        ];
        let snapshot = Snapshot { client_validation, ..Snapshot::default() };
        let config = config();
        let table = Table::new(&snapshot, |_| Arc::clone(&config));
        for (name, id) in [
            (Some("a.example"), Some(1)),
            (Some("open.b.example"), None),
            (Some("x.b.example"), Some(2)),
            (Some("y.x.b.example"), Some(2)),
            (Some("x.deep.b.example"), Some(3)),
            (Some("x.open.example"), None),
            (Some("unknown"), Some(4)),
            (Some("b.example"), Some(4)),
            (None, Some(4)),
        ] {
            assert_eq!(table.find(name).map(|found| found.id), id, "{name:?}");
        }
        assert!(Table::default().find(Some("a.example")).is_none());
    }
}
