//! A certificate authority, and the certificates that it signs.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// A certificate authority of a test.
#[derive(Debug)]
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    /// A fresh authority called `name`.
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let key = key();
        let certificate = params.self_signed(&key).expect("the authority must be signable").pem();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// The authority's own certificate, PEM.
    pub(crate) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A server certificate for `names` (host names or addresses) and its key, both PEM.
    pub(crate) fn issue(&self, names: &[&str]) -> (String, String) {
        self.sign(names, |_| {})
    }

    /// The same, expired.
    #[allow(dead_code, reason = "one tier has no use for it")]
    pub(crate) fn issue_expired(&self, names: &[&str]) -> (String, String) {
        self.sign(names, |params| {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2020, 2, 1);
        })
    }

    fn sign(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let key = key();
        let mut params = CertificateParams::new(names).expect("the names must be valid");
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("the certificate must be signable");
        (certificate.pem(), key.serialize_pem())
    }
}

/// A fresh key pair.
pub(crate) fn key() -> KeyPair {
    KeyPair::generate().expect("a key must be made")
}
