//! Listings: the services of the namespaces that somebody lists, in cells that the data plane reads.
//!
//! They take the short road as endpoints do, so that a list is as new as what requests are sent to.

use super::{listed::versions_of, registered::PodStates};
use crate::{
    control::cache::{Cache, ServiceName},
    live::listing::{Listed, Listing, ListingCell},
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// Cells by their namespaces.
pub type ListingCells = HashMap<Arc<str>, Arc<ListingCell>>;

/// The one writer of listings. A namespace that nobody lists has none.
#[derive(Debug, Default)]
pub struct Listings(ListingCells);

impl Listings {
    /// The cells of some namespaces, filled from the cache. Those of other namespaces are given up.
    pub fn cells<'a>(&mut self, cache: &Cache, namespaces: impl Iterator<Item = &'a Arc<str>>) -> ListingCells {
        let mut old = std::mem::take(&mut self.0);
        for namespace in namespaces {
            if !self.0.contains_key(namespace) {
                self.0.insert(Arc::clone(namespace), old.remove(namespace).unwrap_or_default());
            }
        }
        let mut pods = PodStates::of(cache);
        for (namespace, cell) in &self.0 {
            let known = cell.load().services().keys().cloned().collect::<BTreeSet<_>>();
            update(cell, &mut pods, namespace, known.into_iter().chain(names(cache, namespace)).collect());
        }
        self.0.clone()
    }

    /// Brings some services up to date.
    pub fn refresh(&self, cache: &Cache, services: &BTreeSet<ServiceName>) {
        let mut pods = PodStates::of(cache);
        for (namespace, cell) in &self.0 {
            let names = services.iter().filter(|(of, _)| of == namespace).map(|(_, name)| name);
            let names = names.flat_map(|name| with_registered(cache, namespace, name)).collect();
            update(cell, &mut pods, namespace, names);
        }
    }
}

/// Whatever may be a service of a namespace.
fn names<'a>(cache: &'a Cache, namespace: &'a str) -> impl Iterator<Item = Arc<str>> + 'a {
    let services = cache.services.in_namespace(namespace).map(|(name, _)| name);
    let registered = cache.registrations.in_namespace(namespace).map(|(name, _)| name);
    services.chain(registered).map(Arc::clone)
}

/// A service, and those that it is said to be.
fn with_registered(cache: &Cache, namespace: &str, name: &Arc<str>) -> Vec<Arc<str>> {
    let registered = cache.registrations.of_service(namespace, name).map(Arc::from);
    std::iter::once(Arc::clone(name)).chain(registered).collect()
}

fn update(cell: &ListingCell, pods: &mut PodStates<'_>, namespace: &Arc<str>, names: BTreeSet<Arc<str>>) {
    if names.is_empty() {
        return;
    }
    let mut services = cell.load().services().clone();
    let mut is_same = true;
    for name in names {
        let versions = versions_of(pods, namespace, &name);
        if services.get(&name).map_or(&[][..], |known| known.versions()) == versions.as_slice() {
            continue;
        }
        is_same = false;
        if versions.is_empty() {
            services.remove(&name);
        } else {
            services.insert(name, Arc::new(Listed::new(versions)));
        }
    }
    if !is_same {
        cell.store(Listing::new(services));
    }
}
