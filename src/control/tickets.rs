//! Session ticket keys that replicas share, out of one Secret that the flags name.
//!
//! The Secret is of type Opaque and each of its entries is one key of 32 random bytes. The entry
//! whose name sorts last seals new tickets, the others still open older ones: a new key is added
//! under a later name, and the oldest is taken away when its tickets have expired.

use super::change::{Change, Object};
use k8s_openapi::api::core::v1::Secret;

/// The keys in use. A Secret that cannot be used changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketKeys(Vec<[u8; 32]>);

impl TicketKeys {
    /// The keys, the one that seals first.
    #[must_use]
    pub fn keys(&self) -> &[[u8; 32]] {
        &self.0
    }

    /// Takes the keys out of a change, if it is about their Secret. Returns whether they changed.
    pub fn note(&mut self, change: &Change, name: &(String, String)) -> bool {
        match change {
            Change::Upsert(object) => self.note_object(object, name),
            Change::Replace { objects, .. } => {
                objects.iter().filter(|object| self.note_object(object, name)).count() > 0
            }
            Change::Delete(_) | Change::Unreadable { .. } => false,
        }
    }

    fn note_object(&mut self, object: &Object, name: &(String, String)) -> bool {
        let Object::Secret(secret) = object else { return false };
        let metadata = &secret.metadata;
        let named = (metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref().unwrap_or_default());
        if named != (&*name.0, &*name.1) {
            return false;
        }
        match parse(secret) {
            Ok(keys) if keys != *self => {
                *self = keys;
                true
            }
            Ok(_) => false,
            Err(problem) => {
                tracing::error!(namespace = named.0, secret = named.1, "session ticket keys: {problem}");
                false
            }
        }
    }
}

fn parse(secret: &Secret) -> Result<TicketKeys, String> {
    let entries = secret.data.iter().flatten();
    let keys = entries.rev().map(|(name, value)| {
        <[u8; 32]>::try_from(value.0.as_slice())
            .map_err(|_| format!("entry `{name}` has {} bytes: a key has 32 random bytes", value.0.len()))
    });
    let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
    if keys.is_empty() {
        return Err("the Secret has no entries: add at least one key of 32 random bytes".to_owned());
    }
    Ok(TicketKeys(keys))
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::{ByteString, apimachinery::pkg::apis::meta::v1::ObjectMeta};
    use std::sync::Arc;

    fn secret(name: &str, entries: &[(&str, Vec<u8>)]) -> Change {
        let data = entries.iter().map(|(name, value)| ((*name).to_owned(), ByteString(value.clone()))).collect();
        Change::Upsert(Object::Secret(Arc::new(Secret {
            metadata: ObjectMeta {
                namespace: Some("gw".to_owned()),
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            data: Some(data),
            ..Secret::default()
        })))
    }

    #[test]
    fn the_last_name_seals_and_a_bad_secret_changes_nothing() {
        let name = ("gw".to_owned(), "tickets".to_owned());
        let mut keys = TicketKeys::default();
        assert!(!keys.note(&secret("other", &[("a", vec![1; 32])]), &name));
        let good = secret("tickets", &[("2026-01", vec![1; 32]), ("2026-02", vec![2; 32])]);
        assert!(keys.note(&good, &name));
        assert!(!keys.note(&good, &name), "the same again");
        for bad in [vec![], vec![("a", vec![1; 31])]] {
            assert!(!keys.note(&secret("tickets", &bad), &name));
        }
        assert_eq!(keys.keys(), [[2; 32], [1; 32]]);
    }
}
