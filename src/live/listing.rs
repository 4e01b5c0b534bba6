//! The services of one namespace as the Registry handler tells them, in a cell that one task writes and every core
//! reads.

use crate::rpc::registry::Service;
use arc_swap::{ArcSwap, Guard};
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

/// All versions of a service, and how they are told.
#[derive(Debug)]
pub struct Listed {
    versions: Box<[Service]>,
    /// A JSON list.
    json: Bytes,
}

/// The services of a namespace at one moment.
#[derive(Debug, Default)]
pub struct Listing {
    services: BTreeMap<Arc<str>, Arc<Listed>>,
    /// All of them in one JSON list, made when somebody asks.
    whole: OnceLock<Bytes>,
}

/// Holds the newest listing of one namespace.
#[derive(Debug, Default)]
pub struct ListingCell(ArcSwap<Listing>);

impl Listed {
    /// These versions of a service.
    #[must_use]
    pub fn new(versions: Vec<Service>) -> Self {
        let json = serde_json::to_vec(&versions).unwrap_or_default().into();
        Self { versions: versions.into(), json }
    }

    /// The versions, each with its nodes.
    #[must_use]
    pub const fn versions(&self) -> &[Service] {
        &self.versions
    }
}

impl Listing {
    /// These services.
    #[must_use]
    pub const fn new(services: BTreeMap<Arc<str>, Arc<Listed>>) -> Self {
        Self { services, whole: OnceLock::new() }
    }

    /// The services, by name.
    #[must_use]
    pub const fn services(&self) -> &BTreeMap<Arc<str>, Arc<Listed>> {
        &self.services
    }

    /// A JSON list of the versions of one service; `None` where there is no such service.
    #[must_use]
    pub fn one(&self, name: &str) -> Option<Bytes> {
        self.services.get(name).map(|listed| listed.json.clone())
    }

    /// A JSON list of the versions of all services.
    #[must_use]
    pub fn all(&self) -> Bytes {
        self.whole.get_or_init(|| whole(self.services.values())).clone()
    }
}

/// One list of the elements of many.
fn whole<'a>(services: impl Iterator<Item = &'a Arc<Listed>>) -> Bytes {
    let mut text = vec![b'['];
    for listed in services {
        let elements = listed.json.strip_prefix(b"[").and_then(|json| json.strip_suffix(b"]"));
        if text.len() > 1 {
            text.push(b',');
        }
        text.extend_from_slice(elements.unwrap_or_default());
    }
    text.push(b']');
    text.into()
}

impl ListingCell {
    /// The newest listing. Cheap and lock-free.
    #[must_use]
    pub fn load(&self) -> Guard<Arc<Listing>> {
        self.0.load()
    }

    /// Puts a new listing in place. For the one writer only.
    pub fn store(&self, listing: Listing) {
        self.0.store(Arc::new(listing));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str, versions: &[&str]) -> (Arc<str>, Arc<Listed>) {
        let version = |version: &&str| Service { name: name.into(), version: (*version).into(), ..Service::default() };
        (name.into(), Arc::new(Listed::new(versions.iter().map(version).collect())))
    }

    #[test]
    fn the_list_of_all_has_every_version_once() {
        let listing = Listing::new([listed("b", &["1", "2"]), listed("a", &[""])].into());
        let all: Vec<Service> = serde_json::from_slice(&listing.all()).unwrap();
        let told: Vec<_> = all.iter().map(|service| (service.name.as_str(), service.version.as_str())).collect();
        assert_eq!(told, [("a", ""), ("b", "1"), ("b", "2")]);
        assert_eq!(listing.one("a").unwrap(), r#"[{"name":"a","version":"","metadata":{},"endpoints":[],"nodes":[]}]"#);
        assert_eq!(listing.one("c"), None);
        assert_eq!(Listing::default().all(), "[]");
    }
}
