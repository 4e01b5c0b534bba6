//! Keys and certificates: a certificate authority for the API server and for TLS routes, and the
//! key pair that signs `ServiceAccount` tokens.

use std::{fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};

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
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let key = key();
        let certificate = CertificateParams::new(names)
            .expect("the names must be valid")
            .signed_by(&key, &self.issuer)
            .expect("the certificate must be signable");
        (certificate.pem(), key.serialize_pem())
    }
}

/// Writes what the API server needs into `folder`: `ca.crt`, `server.crt`, `server.key`, and
/// `accounts.key` with `accounts.pub`.
pub(crate) fn write_server_files(folder: &Path, authority: &Authority, server: &str) {
    let (certificate, server_key) = authority.issue(&[server, "localhost", "kubernetes.default.svc"]);
    let accounts = key();
    for (name, content) in [
        ("ca.crt", authority.certificate()),
        ("server.crt", &certificate),
        ("server.key", &server_key),
        ("accounts.key", &accounts.serialize_pem()),
        ("accounts.pub", &accounts.public_key_pem()),
    ] {
        fs::write(folder.join(name), content).expect("the folder must be writable");
    }
}

/// A Secret with a certificate and its key.
pub(crate) fn tls_secret(name: &str, certificate: &str, key: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": certificate, "tls.key": key},
    })
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key must be made")
}
