//! Keys and certificates of the API server, and the key pair that signs `ServiceAccount` tokens.

use std::{fs, path::Path};

use super::authority::{Authority, key};
use serde_json::{Value, json};

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
