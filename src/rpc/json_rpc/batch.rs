//! One request or many in a body.

use super::{Call, Failure, Id, VERSION, call};
use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::fmt;

/// The most requests of one batch.
pub const MAX_BATCH: usize = 100;

/// What a body holds. Something that is no request has its error in the place of it.
#[derive(Clone, Debug)]
pub enum Requests {
    /// One request, or what should be one.
    One(Result<Call, (Id, Failure)>),
    /// A batch, which is answered by a list.
    Batch(Vec<Result<Call, (Id, Failure)>>),
}

/// Whether a body of JSON names version 2.0: itself, or the first of a batch.
#[must_use]
pub fn is_version_two(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        jsonrpc: std::borrow::Cow<'a, str>,
    }
    let names = |text: &str| serde_json::from_str::<Named<'_>>(text).is_ok_and(|named| named.jsonrpc == VERSION);
    match serde_json::from_slice::<&RawValue>(body) {
        Ok(one) if one.get().starts_with('{') => names(one.get()),
        Ok(many) => serde_json::from_str::<Elements<'_>>(many.get())
            .is_ok_and(|Elements(list)| list.first().is_some_and(|first| names(first.get()))),
        Err(_) => false,
    }
}

/// Reads a body.
#[must_use]
pub fn read(body: &Bytes) -> Requests {
    let refused = |failure| Requests::One(Err((Id::null(), failure)));
    let Ok(raw) = serde_json::from_slice::<&RawValue>(body) else { return refused(Failure::parse_error()) };
    if !raw.get().starts_with('[') {
        return Requests::One(call(body, raw));
    }
    match serde_json::from_str::<Elements<'_>>(raw.get()) {
        Ok(Elements(list)) if !list.is_empty() => {
            Requests::Batch(list.into_iter().map(|raw| call(body, raw)).collect())
        }
        Ok(_) => refused(Failure::invalid_request()),
        Err(_) => refused(Failure::too_many()),
    }
}

/// The elements of a list that has no more than [`MAX_BATCH`].
struct Elements<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Elements<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Few;
        impl<'de> Visitor<'de> for Few {
            type Value = Vec<&'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MAX_BATCH} requests")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(element) = sequence.next_element()? {
                    if list.len() == MAX_BATCH {
                        return Err(A::Error::invalid_length(MAX_BATCH + 1, &self));
                    }
                    list.push(element);
                }
                Ok(list)
            }
        }
        deserializer.deserialize_seq(Few).map(Self)
    }
}
