//! Parsing that cannot fail: an object that does not fit its type keeps its name and says why.

use super::kinds::Watched;
use crate::{control::change::Change, model::diagnostic::ObjectRef};
use kube::{
    Resource,
    api::{ApiResource, DynamicObject, ObjectMeta},
    core::DynamicResourceScope,
};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::{borrow::Cow, fmt, sync::Arc};

/// An object, or what can be said of one that does not parse.
///
/// kube's own guard buffers, clones, and loses the path of the field; this one names the field.
#[derive(Clone)]
pub(super) struct Guarded<K>(Result<Box<K>, Box<Unread>>);

/// What is known of an object that does not parse.
#[derive(Clone, Debug)]
struct Unread {
    metadata: ObjectMeta,
    message: String,
}

impl<K: Watched> Guarded<K> {
    /// Which object it is.
    pub(super) fn reference(&self) -> ObjectRef {
        let meta = self.meta();
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        ObjectRef::new(K::KIND, namespace, meta.name.as_deref().unwrap_or_default())
    }

    /// As a change of its own.
    pub(super) fn into_change(self) -> Change {
        let object = self.reference();
        match self.0 {
            Ok(value) => Change::Upsert(K::wrap(Arc::new(*value))),
            Err(unread) => {
                Change::Unreadable { object, generation: unread.metadata.generation, message: unread.message }
            }
        }
    }
}

impl<K> fmt::Debug for Guarded<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The content may be a Secret: it never gets into a log.
        f.write_str(if self.0.is_ok() { "Guarded(readable)" } else { "Guarded(unreadable)" })
    }
}

impl<'de, K: Watched> Deserialize<'de> for Guarded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(deserializer)?;
        prepare::<K>(&mut value);
        let parsed = serde_path_to_error::deserialize::<_, K>(&value);
        Ok(Self(parsed.map(Box::new).map_err(|error| Box::new(unread(&value, &error)))))
    }
}

/// Names the type, which items of a list and answers of other versions do not, and drops what
/// nobody here reads.
fn prepare<K: Watched>(value: &mut Value) {
    let Some(object) = value.as_object_mut() else { return };
    object.insert("apiVersion".to_owned(), Value::String(K::api_version(&()).into_owned()));
    object.insert("kind".to_owned(), Value::String(K::kind(&()).into_owned()));
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    K::trim(object);
}

fn unread(value: &Value, error: &serde_path_to_error::Error<serde_json::Error>) -> Unread {
    let metadata = &value["metadata"];
    let text = |field: &str| metadata[field].as_str().map(str::to_owned);
    let path = error.path().to_string();
    let message = match path.as_str() {
        "" | "." => error.inner().to_string(),
        path => format!("{path}: {}", error.inner()),
    };
    Unread {
        metadata: ObjectMeta {
            name: text("name"),
            namespace: text("namespace"),
            uid: text("uid"),
            resource_version: text("resourceVersion"),
            generation: metadata["generation"].as_i64(),
            ..ObjectMeta::default()
        },
        message,
    }
}

impl<K: Watched> Resource for Guarded<K> {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        DynamicObject::kind(resource)
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        DynamicObject::group(resource)
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        DynamicObject::version(resource)
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        DynamicObject::plural(resource)
    }

    fn metadata_api() -> bool {
        K::METADATA_ONLY
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|unread| &unread.metadata, |object| object.meta())
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|unread| &mut unread.metadata, |object| object.meta_mut())
    }
}
