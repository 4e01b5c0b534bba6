//! The endpoints of a service that registered itself: its nodes, which are Pods.
//!
//! A registration says where a node is, not how it is. Where an EndpointSlice of any Service names the Pod, its
//! conditions count, those of all slices together; else a node is ready for as long as its registration stands.

use super::collect::conditions;
use crate::{
    control::{
        cache::{Cache, Known, ServiceName, pod_of},
        registration::{Node, Registration},
    },
    model::endpoint::{Conditions, EndpointFacts, ZoneHint},
};
use k8s_openapi::api::discovery::v1::Endpoint;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// What slices say of Pods, read once for each namespace that is asked for.
pub(super) struct PodStates<'a> {
    cache: &'a Cache,
    namespaces: HashMap<Arc<str>, HashMap<&'a str, State<'a>>>,
}

/// What slices say of one Pod.
#[derive(Clone, Copy)]
struct State<'a> {
    uid: Option<&'a str>,
    conditions: Conditions,
    zone: &'a str,
}

impl<'a> PodStates<'a> {
    /// Nothing is read yet.
    pub(super) fn of(cache: &'a Cache) -> Self {
        Self { cache, namespaces: HashMap::new() }
    }

    /// The objects.
    pub(super) const fn cache(&self) -> &'a Cache {
        self.cache
    }

    /// Whether the nodes of a Pod take requests.
    pub(super) fn is_ready(&mut self, namespace: &Arc<str>, pod: &Registration) -> bool {
        self.get(namespace, pod).map_or_else(|| alone(pod), |state| state.conditions).ready
    }

    fn get(&mut self, namespace: &Arc<str>, pod: &Registration) -> Option<State<'a>> {
        if !self.namespaces.contains_key(namespace) {
            self.namespaces.insert(Arc::clone(namespace), read(self.cache, namespace));
        }
        let state = self.namespaces.get(namespace)?.get(&*pod.name).copied()?;
        let is_other = state.uid.is_some_and(|uid| !pod.uid.is_empty() && *uid != *pod.uid);
        Some(state).filter(|_| !is_other)
    }
}

fn read<'a>(cache: &'a Cache, namespace: &str) -> HashMap<&'a str, State<'a>> {
    let mut states: HashMap<&str, State<'_>> = HashMap::new();
    for endpoint in cache.slices.in_namespace(namespace).flat_map(|slice| &slice.endpoints) {
        let Some((pod, uid)) = pod_of(endpoint) else { continue };
        let state = state(endpoint, uid);
        states
            .entry(pod)
            .and_modify(|known| known.conditions = both(known.conditions, state.conditions))
            .or_insert(state);
    }
    states
}

fn state<'a>(endpoint: &'a Endpoint, uid: Option<&'a str>) -> State<'a> {
    let zone = endpoint.zone.as_deref().unwrap_or_default();
    State { uid, conditions: conditions(endpoint.conditions.as_ref()), zone }
}

/// A Service may publish Pods that are not ready as if they were: the worse news hold.
const fn both(one: Conditions, other: Conditions) -> Conditions {
    Conditions {
        ready: one.ready && other.ready,
        serving: one.serving && other.serving,
        terminating: one.terminating || other.terminating,
    }
}

/// The nodes that speak what most of them do, by address.
pub(super) fn endpoints_of(pods: &mut PodStates<'_>, (namespace, service): &ServiceName) -> Vec<EndpointFacts> {
    let registrations = &pods.cache.registrations;
    let dialect = registrations.get(namespace, service).and_then(Known::dialect);
    let mut found = BTreeMap::new();
    for (pod, _, node) in registrations.nodes(namespace, service).filter(|(.., node)| Some(node.dialect) == dialect) {
        let facts = facts(pods, namespace, pod, node);
        // Two Pods at one address are one that is gone and its successor.
        if found.get(&node.address).is_none_or(|known: &EndpointFacts| known.conditions.terminating) {
            found.insert(node.address, facts);
        }
    }
    found.into_values().collect()
}

fn facts(pods: &mut PodStates<'_>, namespace: &Arc<str>, pod: &Registration, node: &Node) -> EndpointFacts {
    let state = pods.get(namespace, pod);
    let uid = Some(&*pod.uid).filter(|uid| !uid.is_empty());
    EndpointFacts {
        address: node.address,
        identity: Arc::clone(&node.id),
        weight: pods.cache.pods.weight(namespace, &pod.name, uid).unwrap_or(1),
        zone: state.map_or("", |state| state.zone).into(),
        hint: ZoneHint::None,
        conditions: state.map_or_else(|| alone(pod), |state| state.conditions),
        metadata: Arc::clone(&node.metadata),
    }
}

/// The conditions of a Pod that no slice names.
const fn alone(pod: &Registration) -> Conditions {
    Conditions { ready: !pod.is_leaving, serving: true, terminating: pod.is_leaving }
}
