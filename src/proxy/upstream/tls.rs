//! TLS to endpoints: who is believed, what is offered, and sessions to resume.
//!
//! Each core keeps what it made for a transport as long as it is used, so that a new table costs
//! no session.

use crate::model::transport::{EndpointTls, Protocol, Transport, Trust};
use hashbrown::HashMap;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs::default_provider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::{CertifiedKey, SingleCertAndKey},
};
use std::{cell::RefCell, sync::Arc};

/// What was not used for so many ticks is dropped: an hour.
const LIFETIME_TICKS: u64 = 36_000;

/// What one core made for its transports.
#[derive(Debug, Default)]
pub(crate) struct Configurations(RefCell<HashMap<u64, Kept>>);

#[derive(Debug)]
struct Kept {
    config: Arc<ClientConfig>,
    used: u64,
}

impl Configurations {
    /// The configuration of a transport. Fails where nobody could be believed.
    pub(super) fn of(&self, transport: &Transport, tls: &EndpointTls, now: u64) -> Result<Arc<ClientConfig>, Error> {
        let mut kept = self.0.borrow_mut();
        if let Some(known) = kept.get_mut(&transport.key()) {
            known.used = now;
            return Ok(Arc::clone(&known.config));
        }
        let config = Arc::new(configure(tls, transport.protocol)?);
        kept.insert(transport.key(), Kept { config: Arc::clone(&config), used: now });
        Ok(config)
    }

    pub(super) fn sweep(&self, now: u64) {
        self.0.borrow_mut().retain(|_, kept| kept.used + LIFETIME_TICKS > now);
    }
}

/// The configuration of connections to endpoints. Fails where nobody could be believed.
pub(crate) fn configure(tls: &EndpointTls, protocol: Protocol) -> Result<ClientConfig, Error> {
    let provider = Arc::new(default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier(tls, provider)?);
    let mut config = match &tls.certificate {
        None => builder.with_no_client_auth(),
        Some(key) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::clone(key)))),
    };
    config.alpn_protocols = match protocol {
        Protocol::Http1 => vec![b"http/1.1".to_vec()],
        Protocol::Http2 => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    Ok(config)
}

fn verifier(tls: &EndpointTls, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let roots = match &tls.trust {
        Trust::Anyone => return Ok(Arc::new(AnyCertificate(provider))),
        Trust::Authorities(roots) => Arc::clone(roots),
    };
    let inner = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
    let inner = inner.map_err(|error| Error::General(error.to_string()))?;
    Ok(Arc::new(AnyName { inner, names: tls.server_names.clone() }))
}

/// Takes a certificate that is made for any of some names.
#[derive(Debug)]
struct AnyName {
    inner: Arc<WebPkiServerVerifier>,
    names: Box<[ServerName<'static>]>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut last = Err(Error::InvalidCertificate(CertificateError::NotValidForName));
        for name in &self.names {
            last = self.inner.verify_server_cert(end_entity, intermediates, name, ocsp_response, now);
            if !matches!(
                last,
                Err(Error::InvalidCertificate(
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
                ))
            ) {
                break;
            }
        }
        last
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Takes any certificate whose key the other side has.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
