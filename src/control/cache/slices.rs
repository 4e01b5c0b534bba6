//! EndpointSlices by the Service that they belong to.

use super::{
    pods::{MOST_WEIGHT, PodName, WEIGHT},
    store::Store,
};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

/// The label that names the Service of a slice.
pub const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// A Service by namespace and name.
pub type ServiceName = (Arc<str>, Arc<str>);

/// All slices, and the Service of each. Slices that belong to no Service are not kept.
#[derive(Debug, Default)]
pub struct Slices {
    by_service: Store<BTreeMap<Arc<str>, Arc<EndpointSlice>>>,
    service_of: Store<Arc<str>>,
}

/// What a change of slices touches.
#[derive(Debug, Default)]
pub(super) struct Shifted {
    /// Services whose endpoints may be others now.
    pub(super) services: BTreeSet<ServiceName>,
    /// Whether something else is to be explained now.
    pub(super) explains: bool,
}

/// The weight that a slice asks for and that is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadAsk<'s> {
    /// `annotations` or `labels`.
    pub place: &'static str,
    /// What stands there.
    pub value: &'s str,
}

impl Slices {
    /// The slices whose weight is not used, and why, by namespace and name.
    pub fn bad(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>, BadAsk<'_>)> {
        let of_service = |(namespace, _, slices): (_, _, _)| {
            let slices: &BTreeMap<Arc<str>, Arc<EndpointSlice>> = slices;
            slices.iter().flat_map(move |(name, slice)| bad_asks(slice).map(move |bad| (namespace, name, bad)))
        };
        self.by_service.iter().flat_map(of_service)
    }

    /// The slices of a Service, by name.
    pub fn of(&self, namespace: &str, service: &str) -> impl Iterator<Item = &Arc<EndpointSlice>> {
        self.by_service.get(namespace, service).into_iter().flat_map(BTreeMap::values)
    }

    /// The slices of all Services of a namespace.
    pub fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = &Arc<EndpointSlice>> {
        self.by_service.in_namespace(namespace).flat_map(|(_, slices)| slices.values())
    }

    /// A slice by its own name.
    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<&Arc<EndpointSlice>> {
        self.by_service.get(namespace, self.service_of.get(namespace, name)?)?.get(name)
    }

    /// The Services that have one of these Pods behind them.
    pub(super) fn services_of(&self, pods: &BTreeSet<PodName>) -> BTreeSet<ServiceName> {
        let namespaces: BTreeSet<&Arc<str>> = pods.iter().map(|(namespace, _)| namespace).collect();
        let mut services = BTreeSet::new();
        for namespace in namespaces {
            let names: HashSet<&str> = pods.iter().filter(|(of, _)| of == namespace).map(|(_, name)| &**name).collect();
            let has_one = |slices: &BTreeMap<_, Arc<EndpointSlice>>| {
                let endpoints = slices.values().flat_map(|slice| &slice.endpoints);
                endpoints.filter_map(pod_of).any(|(name, _)| names.contains(name))
            };
            let found = self.by_service.in_namespace(namespace).filter(|(_, slices)| has_one(slices));
            services.extend(found.map(|(service, _)| (Arc::clone(namespace), Arc::clone(service))));
        }
        services
    }

    /// Puts a slice in place.
    pub(super) fn upsert(&mut self, namespace: &Arc<str>, name: &Arc<str>, slice: Arc<EndpointSlice>) -> Shifted {
        let service = slice.metadata.labels.as_ref().and_then(|labels| labels.get(SERVICE_LABEL));
        let Some(service) = service.map(|service| Arc::<str>::from(service.as_str())) else {
            return self.remove(namespace, name);
        };
        let mut shifted = Shifted::default();
        if self.service_of.get(namespace, name).is_some_and(|old| *old != service) {
            shifted = self.remove(namespace, name);
        }
        self.put(namespace, name, service, slice, &mut shifted);
        shifted
    }

    fn put(
        &mut self,
        namespace: &Arc<str>,
        name: &Arc<str>,
        service: Arc<str>,
        slice: Arc<EndpointSlice>,
        shifted: &mut Shifted,
    ) {
        self.service_of.insert(namespace, name, Arc::clone(&service));
        if self.by_service.get(namespace, &service).is_none() {
            self.by_service.insert(namespace, &service, BTreeMap::new());
        }
        let Some(slices) = self.by_service.get_mut(namespace, &service) else { return };
        let old = slices.get(name);
        shifted.explains |= !old.into_iter().flat_map(|old| bad_asks(old)).eq(bad_asks(&slice));
        let is_same = old.is_some_and(|old| same_endpoints(old, &slice));
        slices.insert(Arc::clone(name), slice);
        if !is_same {
            shifted.services.insert((Arc::clone(namespace), service));
        }
    }

    /// Takes a slice out.
    pub(super) fn remove(&mut self, namespace: &str, name: &str) -> Shifted {
        let Some(service) = self.service_of.remove(namespace, name) else { return Shifted::default() };
        let Some(slices) = self.by_service.get_mut(namespace, &service) else { return Shifted::default() };
        let old = slices.remove(name);
        if slices.is_empty() {
            self.by_service.remove(namespace, &service);
        }
        let explains = old.is_some_and(|old| bad_asks(&old).next().is_some());
        Shifted { services: BTreeSet::from([(namespace.into(), service)]), explains }
    }

    /// The names of the slices in one namespace, or in all.
    pub(super) fn names(&self, scope: Option<&str>) -> Vec<(Arc<str>, Arc<str>)> {
        self.service_of.names(scope)
    }
}

/// The name and UID of the Pod behind an endpoint.
pub fn pod_of(endpoint: &Endpoint) -> Option<(&str, Option<&str>)> {
    let target = endpoint.target_ref.as_ref().filter(|target| target.kind.as_deref() == Some("Pod"))?;
    Some((target.name.as_deref()?, target.uid.as_deref()))
}

fn same_endpoints(old: &EndpointSlice, new: &EndpointSlice) -> bool {
    let same_weight = asked_weight(old) == asked_weight(new);
    old.endpoints == new.endpoints && old.ports == new.ports && old.address_type == new.address_type && same_weight
}

/// What a slice asks for as the weight of its endpoints, by an annotation, or by a label where that
/// is none.
#[must_use]
pub fn asked_weight(slice: &EndpointSlice) -> Option<u32> {
    asks(slice).find_map(|(_, value)| weight(value))
}

fn bad_asks(slice: &EndpointSlice) -> impl Iterator<Item = BadAsk<'_>> {
    asks(slice).filter(|(_, value)| weight(value).is_none()).map(|(place, value)| BadAsk { place, value })
}

/// What stands where the weight is looked for, in this order.
fn asks(slice: &EndpointSlice) -> impl Iterator<Item = (&'static str, &str)> {
    let metadata = &slice.metadata;
    let places = [("annotations", &metadata.annotations), ("labels", &metadata.labels)];
    places.into_iter().filter_map(|(place, words)| Some((place, words.as_ref()?.get(WEIGHT)?.as_str())))
}

fn weight(value: &str) -> Option<u32> {
    value.parse().ok().filter(|weight| *weight <= MOST_WEIGHT)
}
