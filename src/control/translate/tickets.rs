//! The session ticket keys that replicas share, from the Secret that the settings name.

use super::build::Build;
use crate::model::{
    condition::{ConditionType, Reason},
    diagnostic::{Kind, ObjectRef},
};

/// The keys of the Secret, by the names of its entries: the first one seals, all of them open. So
/// a key is rotated by adding an entry that sorts first, and later taking the last one away.
pub(super) fn keys(build: &mut Build<'_>) -> Vec<[u8; 32]> {
    let Some((namespace, name)) = &build.context.ticket_keys else { return Vec::new() };
    let object = ObjectRef::new(Kind::Secret, namespace, name);
    let refuse = |build: &mut Build<'_>, field: String, message: &str| {
        build.error(&object, field, ConditionType::ResolvedRefs, Reason::Invalid, message);
    };
    let secret = build.cache.secrets.get(namespace, name).and_then(|tracked| tracked.newest());
    let Some(secret) = secret else {
        refuse(
            build,
            String::new(),
            "the Secret with the session ticket keys is not there: every replica uses its own",
        );
        return Vec::new();
    };
    let mut keys = Vec::new();
    for (entry, value) in secret.object().data.iter().flatten() {
        match <[u8; 32]>::try_from(value.0.as_slice()) {
            Ok(key) => keys.push(key),
            Err(_) => refuse(build, format!("data[{entry}]"), "a session ticket key has exactly 32 bytes"),
        }
    }
    keys
}
