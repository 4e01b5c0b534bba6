//! Certificates that the TLS listeners serve, by the host names that ask for them.

use rustls::sign::CertifiedKey;
use std::{sync::Arc, time::SystemTime};

/// A certificate with its key, from a Secret.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The namespace of the Secret.
    pub namespace: Arc<str>,
    /// The name of the Secret.
    pub secret: Arc<str>,
    /// The host names that it is served for: exact, or with a star as the first label.
    pub hostnames: Box<[Arc<str>]>,
    /// When it expires.
    pub not_after: SystemTime,
    /// The chain and key, ready for handshakes.
    pub key: Arc<CertifiedKey>,
}

/// A key is parsed once for each version of its Secret: another place is another version.
impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.key, &other.key)
            && (&self.namespace, &self.secret) == (&other.namespace, &other.secret)
            && self.hostnames == other.hostnames
            && self.not_after == other.not_after
    }
}
