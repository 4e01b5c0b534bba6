//! Which clients may speak to a host over TLS, by the certificates that they show.

use rustls::RootCertStore;
use std::sync::Arc;

/// Which clients may speak to a host.
#[derive(Clone, Debug)]
pub struct ClientValidation {
    /// Tells it from every other: a hash of what it asks for, the same on all replicas.
    pub id: u64,
    /// A client may show no certificate; what it shows must be valid.
    pub optional: bool,
    /// Where certificates must lead to. `None` where that cannot be found out: nobody may speak to the host.
    pub authorities: Option<Arc<RootCertStore>>,
}

impl PartialEq for ClientValidation {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for ClientValidation {}
