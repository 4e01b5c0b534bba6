//! A map by namespace and name that is looked up without allocating.

use std::{collections::BTreeMap, sync::Arc};

/// Things by namespace and name, in that order. Cluster-scoped things have an empty namespace.
#[derive(Clone, Debug)]
pub struct Store<T> {
    namespaces: BTreeMap<Arc<str>, BTreeMap<Arc<str>, T>>,
}

impl<T> Default for Store<T> {
    fn default() -> Self {
        Self { namespaces: BTreeMap::new() }
    }
}

impl<T> Store<T> {
    /// The thing of this name.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<&T> {
        self.namespaces.get(namespace)?.get(name)
    }

    /// The thing of this name and its shared names.
    #[must_use]
    pub fn get_named(&self, namespace: &str, name: &str) -> Option<(&Arc<str>, &Arc<str>, &T)> {
        let (namespace, names) = self.namespaces.get_key_value(namespace)?;
        let (name, value) = names.get_key_value(name)?;
        Some((namespace, name, value))
    }

    /// Everything, by namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>, &T)> {
        self.namespaces
            .iter()
            .flat_map(|(namespace, names)| names.iter().map(move |(name, value)| (namespace, name, value)))
    }

    /// Everything of one namespace, by name.
    pub fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = (&Arc<str>, &T)> {
        self.namespaces.get(namespace).into_iter().flatten()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.namespaces.values().map(BTreeMap::len).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.namespaces.is_empty()
    }

    /// Puts a thing in and returns the one that it takes the place of.
    pub(super) fn insert(&mut self, namespace: &Arc<str>, name: &Arc<str>, value: T) -> Option<T> {
        self.namespaces.entry(Arc::clone(namespace)).or_default().insert(Arc::clone(name), value)
    }

    /// The thing of this name, to be changed.
    pub(super) fn get_mut(&mut self, namespace: &str, name: &str) -> Option<&mut T> {
        self.namespaces.get_mut(namespace)?.get_mut(name)
    }

    /// Takes a thing out.
    pub(super) fn remove(&mut self, namespace: &str, name: &str) -> Option<T> {
        let names = self.namespaces.get_mut(namespace)?;
        let value = names.remove(name);
        if names.is_empty() {
            self.namespaces.remove(namespace);
        }
        value
    }

    /// The names in one namespace, or in all.
    pub(super) fn names(&self, scope: Option<&str>) -> Vec<(Arc<str>, Arc<str>)> {
        self.iter()
            .filter(|(namespace, ..)| scope.is_none_or(|scope| scope == &***namespace))
            .map(|(namespace, name, _)| (Arc::clone(namespace), Arc::clone(name)))
            .collect()
    }
}
