//! The weights that Pods ask for by a label. Nothing else of a Pod is kept.

use super::store::Store;
use crate::control::change::PodMeta;
use std::{collections::BTreeSet, sync::Arc};

/// The label of a Pod, and the label or annotation of an EndpointSlice, that sets the weight of
/// its endpoints. Of Pods only those with the label are watched, so that it cannot be an
/// annotation there: the API server selects by labels alone.
pub const WEIGHT: &str = "paifang.dev/weight";
/// The largest weight.
pub const MOST_WEIGHT: u32 = 1_000_000;

/// A Pod by namespace and name.
pub(super) type PodName = (Arc<str>, Arc<str>);

/// All Pods that ask for a weight.
#[derive(Debug, Default)]
pub struct Pods(Store<Known>);

/// What is known of a Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    /// Empty where the source has none.
    uid: Arc<str>,
    weight: Result<u32, BadWeight>,
}

/// Why the weight of a Pod is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadWeight {
    /// The label has this value.
    Value(Box<str>),
    /// There is an annotation in place of the label.
    Annotation,
}

/// What a change of Pods touches.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Pods whose weight is another now.
    pub(super) pods: BTreeSet<PodName>,
    /// Whether something else is to be explained now.
    pub(super) explains: bool,
}

impl Pods {
    /// The weight of the endpoints of a Pod, if it asks for one. A Pod of the same name that came
    /// before it, or after it, is another one.
    #[must_use]
    pub fn weight(&self, namespace: &str, name: &str, uid: Option<&str>) -> Option<u32> {
        let known = self.0.get(namespace, name)?;
        let is_other = uid.is_some_and(|uid| !known.uid.is_empty() && *known.uid != *uid);
        known.weight.as_ref().ok().filter(|_| !is_other).copied()
    }

    /// The Pods whose weight is not used, and why, by namespace and name.
    pub fn bad(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>, &BadWeight)> {
        self.0.iter().filter_map(|(namespace, name, known)| Some((namespace, name, known.weight.as_ref().err()?)))
    }

    pub(super) fn upsert(&mut self, namespace: &Arc<str>, name: &Arc<str>, pod: &PodMeta, touched: &mut Touched) {
        let Some(weight) = weight(pod) else { return self.remove(namespace, name, touched) };
        let known = Known { uid: pod.metadata.uid.as_deref().unwrap_or_default().into(), weight };
        let (old, new) = (self.0.insert(namespace, name, known.clone()), Some(known));
        touched.note(namespace, name, old.as_ref(), new.as_ref());
    }

    pub(super) fn remove(&mut self, namespace: &str, name: &str, touched: &mut Touched) {
        let old = self.0.remove(namespace, name);
        touched.note(&namespace.into(), &name.into(), old.as_ref(), None);
    }

    /// The names of the Pods in one namespace, or in all.
    pub(super) fn names(&self, scope: Option<&str>) -> Vec<PodName> {
        self.0.names(scope)
    }
}

impl Touched {
    fn note(&mut self, namespace: &Arc<str>, name: &Arc<str>, old: Option<&Known>, new: Option<&Known>) {
        if old == new {
            return;
        }
        let bad = |known: Option<&Known>| known.and_then(|known| known.weight.as_ref().err().cloned());
        self.explains |= bad(old) != bad(new);
        self.pods.insert((Arc::clone(namespace), Arc::clone(name)));
    }
}

/// The weight that a Pod asks for; `None` where it asks for none.
fn weight(pod: &PodMeta) -> Option<Result<u32, BadWeight>> {
    let meta = &pod.metadata;
    let Some(value) = meta.labels.as_ref().and_then(|labels| labels.get(WEIGHT)) else {
        let is_annotated = meta.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(WEIGHT));
        return is_annotated.then_some(Err(BadWeight::Annotation));
    };
    let weight = value.parse().ok().filter(|weight| *weight <= MOST_WEIGHT);
    Some(weight.ok_or_else(|| BadWeight::Value(value.as_str().into())))
}
