//! The certificates found so far, and the host names that each serves.

use crate::{control::compile::certificate::ParsedCertificate, model::certificate::Certificate};
use std::{collections::HashMap, sync::Arc};

/// The certificates found so far, each once.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    found: Vec<Found>,
    by_secret: HashMap<(Arc<str>, Arc<str>), usize>,
    by_host: HashMap<Arc<str>, usize>,
    pub(super) default: Option<Certificate>,
}

/// One certificate, and the host names that it serves.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) namespace: Arc<str>,
    pub(super) secret: Arc<str>,
    pub(super) parsed: ParsedCertificate,
    pub(super) hostnames: Vec<Arc<str>>,
}

impl Certificates {
    /// The certificates by host name, and the default one.
    pub(super) fn finish(self) -> (Vec<Certificate>, Option<Certificate>) {
        let certificates = self.found.into_iter().filter(|found| !found.hostnames.is_empty()).map(Found::finish);
        (certificates.collect(), self.default)
    }

    pub(super) fn place(&mut self, namespace: &Arc<str>, secret: &Arc<str>, parsed: &ParsedCertificate) -> usize {
        let found = &mut self.found;
        *self.by_secret.entry((Arc::clone(namespace), Arc::clone(secret))).or_insert_with(|| {
            found.push(Found {
                namespace: Arc::clone(namespace),
                secret: Arc::clone(secret),
                parsed: parsed.clone(),
                hostnames: Vec::new(),
            });
            found.len() - 1
        })
    }

    /// Serves a host name by a certificate, unless another one does already. Returns whether.
    pub(super) fn serve(&mut self, host: &Arc<str>, place: usize) -> bool {
        let owner = *self.by_host.entry(Arc::clone(host)).or_insert_with(|| {
            if let Some(found) = self.found.get_mut(place) {
                found.hostnames.push(Arc::clone(host));
            }
            place
        });
        owner == place
    }
}

impl Found {
    pub(super) fn finish(self) -> Certificate {
        Certificate {
            namespace: self.namespace,
            secret: self.secret,
            hostnames: self.hostnames.into(),
            not_after: self.parsed.not_after,
            key: self.parsed.key,
        }
    }
}
