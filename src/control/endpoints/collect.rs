//! The endpoints of one Service port, joined from its slices.

use crate::{
    control::{
        cache::{Cache, ServiceName, asked_weight, pod_of},
        ports::{is_tcp, tcp_ports},
    },
    model::endpoint::{Conditions, EndpointFacts, ZoneHint},
};
use k8s_openapi::api::{
    core::v1::Service,
    discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice},
};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// The endpoints of a port, by address. None where the Service or its port does not exist.
pub(super) fn endpoints_of(
    cache: &Cache,
    (namespace, name): &ServiceName,
    port: u16,
    zone: Option<&str>,
) -> Vec<EndpointFacts> {
    let mut found = BTreeMap::new();
    let Some(port_name) = cache.services.get(namespace, name).and_then(|service| port_name(service, port)) else {
        return Vec::new();
    };
    for slice in cache.slices.of(namespace, name) {
        let weigh = |endpoint: &Endpoint| of_pod(cache, namespace, endpoint).unwrap_or_else(|| weight(slice));
        collect_slice(slice, port_name, zone, weigh, &mut found);
    }
    found.into_values().collect()
}

/// Slices carry the name of the Service's port. A port without a name is the only one.
fn port_name(service: &Service, number: u16) -> Option<&str> {
    let port = tcp_ports(service).find(|port| port.port == i32::from(number))?;
    Some(port.name.as_deref().unwrap_or_default())
}

fn collect_slice(
    slice: &EndpointSlice,
    port_name: &str,
    zone: Option<&str>,
    weigh: impl Fn(&Endpoint) -> u32,
    found: &mut BTreeMap<SocketAddr, EndpointFacts>,
) {
    let ports = slice.ports.as_deref().unwrap_or_default();
    let Some(port) = ports.iter().find(|port| is_port(port, port_name)).and_then(number) else { return };
    if slice.address_type != "IPv4" && slice.address_type != "IPv6" {
        return;
    }
    for endpoint in &slice.endpoints {
        if let Some(facts) = facts(endpoint, port, weigh(endpoint), zone) {
            found.entry(facts.address).and_modify(|known| merge(known, &facts)).or_insert(facts);
        }
    }
}

fn is_port(port: &EndpointPort, name: &str) -> bool {
    port.name.as_deref().unwrap_or_default() == name && is_tcp(port.protocol.as_deref())
}

fn number(port: &EndpointPort) -> Option<u16> {
    u16::try_from(port.port?).ok().filter(|port| *port > 0)
}

/// The share that the Pod behind an endpoint asks for. A slice names Pods of its own namespace.
fn of_pod(cache: &Cache, namespace: &str, endpoint: &Endpoint) -> Option<u32> {
    let (name, uid) = pod_of(endpoint)?;
    cache.pods.weight(namespace, name, uid)
}

/// The share of each endpoint of a slice: an annotation or a label `paifang.dev/weight` of it.
fn weight(slice: &EndpointSlice) -> u32 {
    asked_weight(slice).unwrap_or(1)
}

/// Only the first address has a meaning in the API.
fn facts(endpoint: &Endpoint, port: u16, weight: u32, zone: Option<&str>) -> Option<EndpointFacts> {
    let address: IpAddr = endpoint.addresses.first()?.parse().ok()?;
    Some(EndpointFacts {
        address: SocketAddr::new(address, port),
        identity: identity(endpoint),
        weight,
        zone: endpoint.zone.as_deref().unwrap_or_default().into(),
        hint: zone.map_or(ZoneHint::None, |zone| hint(endpoint, zone)),
        conditions: conditions(endpoint.conditions.as_ref()),
        metadata: Arc::default(),
    })
}

/// What the hints of an endpoint mean in a zone.
fn hint(endpoint: &Endpoint, zone: &str) -> ZoneHint {
    let zones = endpoint.hints.as_ref().and_then(|hints| hints.for_zones.as_deref()).unwrap_or_default();
    match zones {
        [] => ZoneHint::None,
        zones if zones.iter().any(|hinted| hinted.name == zone) => ZoneHint::Here,
        _ => ZoneHint::Elsewhere,
    }
}

fn identity(endpoint: &Endpoint) -> Arc<str> {
    let target = endpoint.target_ref.as_ref();
    let identity = target.and_then(|target| target.uid.as_deref().or(target.name.as_deref()));
    identity.unwrap_or_default().into()
}

/// What a slice leaves open is meant well: ready, and serving as far as it is ready.
pub(super) fn conditions(conditions: Option<&EndpointConditions>) -> Conditions {
    let ready = conditions.and_then(|conditions| conditions.ready).unwrap_or(true);
    Conditions {
        ready,
        serving: conditions.and_then(|conditions| conditions.serving).unwrap_or(ready),
        terminating: conditions.and_then(|conditions| conditions.terminating).unwrap_or(false),
    }
}

/// An endpoint may stand in two slices while it moves from one to the other. The better news hold.
fn merge(known: &mut EndpointFacts, other: &EndpointFacts) {
    let (mine, theirs) = (known.conditions, other.conditions);
    known.conditions = Conditions {
        ready: mine.ready || theirs.ready,
        serving: mine.serving || theirs.serving,
        terminating: mine.terminating && theirs.terminating,
    };
    if known.hint == ZoneHint::None {
        known.hint = other.hint;
    }
    if known.identity.is_empty() {
        known.identity = Arc::clone(&other.identity);
    }
}
