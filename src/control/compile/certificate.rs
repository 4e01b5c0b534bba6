//! TLS Secrets to certificates that are ready for handshakes.
//!
//! The bytes come from users. The parsers are total, and a panic in them would all the same end
//! with a finding on this one Secret.

use super::{Compile, same_version};
use k8s_openapi::api::core::v1::Secret;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer as _, X509Certificate},
    public_key::PublicKey,
};

/// The type of Secret that holds a certificate and its key.
pub const TLS_TYPE: &str = "kubernetes.io/tls";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
/// The key of a Secret with authorities.
pub const AUTHORITIES: &str = "ca.crt";
const SMALLEST_RSA_BITS: usize = 2048;

/// A certificate with its key.
#[derive(Clone, Debug)]
pub struct ParsedCertificate {
    /// The chain and key.
    pub key: Arc<CertifiedKey>,
    /// The DNS names that it is made for, in lower case; some with a star as the first label.
    pub names: Box<[Arc<str>]>,
    /// When it starts to be valid.
    pub not_before: SystemTime,
    /// When it expires.
    pub not_after: SystemTime,
}

impl ParsedCertificate {
    /// Whether it is made for a host name. A host name with a star needs the same star.
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        let parent = host.split_once('.').map(|(_, parent)| parent);
        self.names
            .iter()
            .any(|name| **name == *host || name.strip_prefix("*.").is_some_and(|suffix| parent == Some(suffix)))
    }
}

/// Why a Secret is no certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The wrong type of Secret.
    #[error("its type is `{0}`: make it with `kubectl create secret tls`, which gives it type {TLS_TYPE}")]
    Type(String),
    /// A key of the Secret is missing or empty.
    #[error("its data has no {0}")]
    Missing(&'static str),
    /// `tls.crt` cannot be read.
    #[error("its {CERTIFICATE} is not a chain of PEM certificates: {0}")]
    Certificate(String),
    /// `tls.key` cannot be read.
    #[error("its {KEY} is not a PEM private key that can be used (RSA, ECDSA P-256, P-384 or P-521, or Ed25519): {0}")]
    Key(String),
    /// `ca.crt` cannot be read.
    #[error("its {AUTHORITIES} is not a list of PEM certificates of authorities: {0}")]
    Authorities(String),
    /// The key belongs to another certificate.
    #[error("its {KEY} does not belong to the first certificate of its {CERTIFICATE}")]
    Mismatch,
    /// An RSA key that is too short.
    #[error("its RSA key has {0} bits; the least is {SMALLEST_RSA_BITS}")]
    Short(usize),
}

impl Compile for Secret {
    type Output = Result<ParsedCertificate, CertificateError>;

    fn compile(&self) -> Self::Output {
        parse(self)
    }

    fn failed() -> Self::Output {
        Err(CertificateError::Certificate("it broke the parser".to_owned()))
    }

    fn is_good(output: &Self::Output) -> bool {
        output.is_ok()
    }

    fn same_object(old: &Self, new: &Self) -> bool {
        old.metadata.uid == new.metadata.uid
    }

    fn same_meaning(old: &Self, new: &Self) -> bool {
        same_version(&old.metadata, &new.metadata) && old.type_ == new.type_ && old.data == new.data
    }
}

fn parse(secret: &Secret) -> Result<ParsedCertificate, CertificateError> {
    let type_ = secret.type_.as_deref().unwrap_or("Opaque");
    if type_ != TLS_TYPE {
        return Err(CertificateError::Type(type_.to_owned()));
    }
    let chain = read_chain(entry(secret, CERTIFICATE)?)?;
    let key = read_key(entry(secret, KEY)?)?;
    let first = chain.first().ok_or(CertificateError::Missing(CERTIFICATE))?.clone();
    let (_, x509) =
        X509Certificate::from_der(&first).map_err(|error| CertificateError::Certificate(error.to_string()))?;
    check_strength(&x509)?;
    Ok(ParsedCertificate {
        names: dns_names(&x509),
        not_before: at(x509.validity().not_before.timestamp()),
        not_after: at(x509.validity().not_after.timestamp()),
        key: Arc::new(certify(chain, &key)?),
    })
}

/// The authorities in a Secret's `ca.crt`, and the bytes that say so.
///
/// # Errors
///
/// There are none, or one cannot be used.
pub fn authorities(secret: &Secret) -> Result<(RootCertStore, &[u8]), CertificateError> {
    let pem = entry(secret, AUTHORITIES)?;
    let wrong = |error: String| CertificateError::Authorities(error);
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() { Err(wrong("it has no CERTIFICATE section".to_owned())) } else { Ok((roots, pem)) }
}

fn entry<'a>(secret: &'a Secret, key: &'static str) -> Result<&'a [u8], CertificateError> {
    let value = secret.data.as_ref().and_then(|data| data.get(key)).map(|value| value.0.as_slice());
    value.filter(|value| !value.is_empty()).ok_or(CertificateError::Missing(key))
}

fn read_chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| CertificateError::Certificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(CertificateError::Certificate("it has no CERTIFICATE section".to_owned()));
    }
    Ok(chain)
}

fn read_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, CertificateError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| CertificateError::Key(error.to_string()))
}

fn certify(
    chain: Vec<CertificateDer<'static>>,
    key: &PrivateKeyDer<'static>,
) -> Result<CertifiedKey, CertificateError> {
    let signing_key = rustls::crypto::aws_lc_rs::sign::any_supported_type(key)
        .map_err(|error| CertificateError::Key(error.to_string()))?;
    let certified = CertifiedKey::new(chain, signing_key);
    match certified.keys_match() {
        Ok(()) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(_)) => Err(CertificateError::Mismatch),
        Err(error) => Err(CertificateError::Certificate(error.to_string())),
    }
}

fn check_strength(x509: &X509Certificate<'_>) -> Result<(), CertificateError> {
    match x509.public_key().parsed() {
        Ok(PublicKey::RSA(key)) if key.key_size() < SMALLEST_RSA_BITS => Err(CertificateError::Short(key.key_size())),
        _ => Ok(()),
    }
}

fn dns_names(x509: &X509Certificate<'_>) -> Box<[Arc<str>]> {
    let Ok(Some(alternatives)) = x509.subject_alternative_name() else { return Box::default() };
    let dns = alternatives.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(Arc::from(name.to_ascii_lowercase())),
        _ => None,
    });
    dns.collect()
}

fn at(timestamp: i64) -> SystemTime {
    let offset = Duration::from_secs(timestamp.unsigned_abs());
    let time = if timestamp < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(offset)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(offset)
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::{certificate, secret};
    use proptest::prelude::*;

    #[test]
    fn a_certificate_serves_its_names() {
        let (pem, key) = certificate(&["api.example.com", "*.shop.example.com"]);
        let parsed = secret("a", "s", &pem, &key).compile().unwrap();
        assert!(parsed.covers("api.example.com"));
        assert!(parsed.covers("eu.shop.example.com"));
        assert!(parsed.covers("*.shop.example.com"));
        assert!(!parsed.covers("shop.example.com"));
        assert!(!parsed.covers("a.eu.shop.example.com"));
        assert!(parsed.not_after > parsed.not_before);
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (pem, _) = certificate(&["a.example.com"]);
        let (_, key) = certificate(&["a.example.com"]);
        assert_eq!(secret("a", "s", &pem, &key).compile().unwrap_err(), CertificateError::Mismatch);
    }

    #[test]
    fn the_type_and_both_entries_are_needed() {
        let (pem, key) = certificate(&["a.example.com"]);
        let mut opaque = secret("a", "s", &pem, &key);
        opaque.type_ = Some("Opaque".to_owned());
        assert_eq!(opaque.compile().unwrap_err(), CertificateError::Type("Opaque".to_owned()));
        assert_eq!(secret("a", "s", "", &key).compile().unwrap_err(), CertificateError::Missing(CERTIFICATE));
        assert!(matches!(secret("a", "s", "text", &key).compile(), Err(CertificateError::Certificate(_))));
        assert!(matches!(secret("a", "s", &pem, "text").compile(), Err(CertificateError::Key(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(pem in "\\PC{0,200}", der in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (good, key) = certificate(&["a.example.com"]);
            let _ = secret("a", "s", &pem, &key).compile();
            let mut bytes = good.into_bytes();
            for (at, byte) in der.iter().enumerate() {
                let at = (at * 7 + usize::from(*byte)) % bytes.len();
                bytes[at] = *byte;
            }
            let _ = secret("a", "s", &String::from_utf8_lossy(&bytes), &key).compile();
        }
    }
}
