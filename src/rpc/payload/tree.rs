//! JSON that is taken apart only where something is put into it. Everything else stays the text it was.

use super::PayloadError;
use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use std::{borrow::Cow, collections::BTreeMap};

/// How deep objects are merged.
pub const MAX_DEPTH: usize = 32;

type Fields<'a> = BTreeMap<Cow<'a, str>, Tree<'a>>;

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Tree<'a> {
    /// As it was written.
    Written(Cow<'a, RawValue>),
    /// An object that was taken apart.
    Object(Fields<'a>),
    /// A list of what was put together.
    List(Vec<Self>),
}

/// One step into a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'n> {
    /// Into the field of this name.
    Field(&'n str),
    /// To the end of the list.
    Push,
}

impl Serialize for Tree<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Written(raw) => raw.serialize(serializer),
            Self::Object(fields) => fields.serialize(serializer),
            Self::List(list) => list.serialize(serializer),
        }
    }
}

impl<'a> Tree<'a> {
    /// No fields.
    pub(super) const fn object() -> Self {
        Self::Object(BTreeMap::new())
    }

    /// A text.
    pub(super) fn text(text: &str) -> Result<Self, PayloadError> {
        to_raw_value(text).map(|raw| Self::Written(Cow::Owned(raw))).map_err(|_| PayloadError::NotJson)
    }

    /// JSON where the text reads as such, and else the text.
    pub(super) fn guess(text: &str) -> Result<Self, PayloadError> {
        match serde_json::from_str::<Box<RawValue>>(text) {
            Ok(raw) => Ok(Self::Written(Cow::Owned(raw))),
            Err(_) => Self::text(text),
        }
    }

    /// The object in a body.
    pub(super) fn object_of(body: &'a [u8]) -> Result<Self, PayloadError> {
        let raw: &RawValue = serde_json::from_slice(body).map_err(|_| PayloadError::NotJson)?;
        let is_object = raw.get().starts_with('{');
        is_object.then_some(Self::Written(Cow::Borrowed(raw))).ok_or(PayloadError::NotObject)
    }

    /// The bytes of it.
    pub(super) fn to_json(&self) -> Result<Bytes, PayloadError> {
        serde_json::to_vec(self).map(Bytes::from).map_err(|_| PayloadError::NotJson)
    }

    /// Puts a value where the steps lead, in place of what is there.
    pub(super) fn put<'n>(&mut self, mut steps: impl Iterator<Item = Step<'n>>, value: Self) {
        match steps.next() {
            None => *self = value,
            Some(Step::Push) => {
                if !matches!(self, Self::List(_)) {
                    *self = Self::List(Vec::new());
                }
                if let Self::List(list) = self {
                    let mut element = Self::object();
                    element.put(steps, value);
                    list.push(element);
                }
            }
            Some(Step::Field(name)) => {
                self.open();
                if let Self::Object(fields) = self {
                    fields.entry(Cow::Owned(name.to_owned())).or_insert_with(Self::object).put(steps, value);
                }
            }
        }
    }

    /// Takes an object apart. Anything else gives way to an object without fields.
    fn open(&mut self) {
        if !matches!(self, Self::Object(_)) {
            *self = Self::Object(self.fields().unwrap_or_default());
        }
    }

    /// The fields, if it is an object.
    fn fields(&self) -> Option<Fields<'a>> {
        let written = match self {
            Self::Object(fields) => return Some(fields.clone()),
            Self::List(_) => return None,
            Self::Written(Cow::Borrowed(raw)) => {
                let fields: BTreeMap<Cow<'a, str>, &'a RawValue> = serde_json::from_str(raw.get()).ok()?;
                return Some(fields.into_iter().map(|(name, raw)| (name, Self::Written(Cow::Borrowed(raw)))).collect());
            }
            Self::Written(Cow::Owned(raw)) => raw.get(),
        };
        let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(written).ok()?;
        Some(fields.into_iter().map(|(name, raw)| (Cow::Owned(name), Self::Written(Cow::Owned(raw)))).collect())
    }

    fn is_null(&self) -> bool {
        matches!(self, Self::Written(raw) if raw.get() == "null")
    }

    /// Merges a patch over it as RFC 7396 has it: objects field by field, `null` removes, and all else replaces.
    pub(super) fn merge(&mut self, patch: Self, depth: usize) -> Result<(), PayloadError> {
        let Some(changes) = patch.fields() else {
            *self = patch;
            return Ok(());
        };
        let depth = depth.checked_sub(1).ok_or(PayloadError::TooDeep)?;
        self.open();
        let Self::Object(fields) = self else { return Ok(()) };
        for (name, change) in changes {
            if change.is_null() {
                fields.remove(&name);
            } else {
                fields.entry(name).or_insert_with(Self::object).merge(change, depth)?;
            }
        }
        Ok(())
    }
}
