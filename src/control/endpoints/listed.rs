//! A service as it is listed: what was registered of it with the nodes that take requests, or a Service of Kubernetes
//! with its endpoints as nodes.

use super::{collect, registered::PodStates};
use crate::{
    control::{
        cache::{Cache, ServiceName},
        ports::tcp_ports,
        registration::{Description, Registered},
    },
    model::{diagnostic::Kind, endpoint::EndpointFacts},
    rpc::registry::{Metadata, Node, Service},
};
use k8s_openapi::api::core::v1::ServicePort;
use std::{
    collections::{BTreeMap, HashSet},
    net::SocketAddr,
    sync::Arc,
};

/// The metadata of a node that says what it speaks.
const PROTOCOL: &str = "protocol";

/// All versions of a service. None: there is no such service.
pub(super) fn versions_of(pods: &mut PodStates<'_>, namespace: &Arc<str>, name: &Arc<str>) -> Vec<Service> {
    let cache = pods.cache();
    if cache.registrations.get(namespace, name).is_some() {
        return registered(pods, namespace, name);
    }
    let is_known = cache.slices.of(namespace, name).next().is_some() && cache.services.get(namespace, name).is_some();
    let service = || Service {
        name: name.to_string(),
        nodes: nodes_of(cache, &(Arc::clone(namespace), Arc::clone(name))).into_values().collect(),
        ..Service::default()
    };
    is_known.then(service).into_iter().collect()
}

/// Nodes by their addresses: two at one address are one that is gone and its successor, or one that is known twice.
type Nodes = BTreeMap<SocketAddr, Node>;

/// What was registered of one version.
#[derive(Default)]
struct Version<'a> {
    descriptions: Vec<&'a Arc<Description>>,
    nodes: Nodes,
}

fn registered(pods: &mut PodStates<'_>, namespace: &Arc<str>, name: &str) -> Vec<Service> {
    let cache = pods.cache();
    let mut versions: BTreeMap<&str, Version<'_>> = BTreeMap::new();
    for (kind, object, registered) in cache.registrations.objects(namespace, name) {
        let description = &registered.description;
        let version = versions.entry(description.service().version.as_str()).or_default();
        if !version.descriptions.iter().any(|known| Arc::ptr_eq(known, description)) {
            version.descriptions.push(description);
        }
        let nodes = if kind == Kind::Service {
            nodes_of(cache, &(Arc::clone(namespace), Arc::clone(&object.name)))
        } else if pods.is_ready(namespace, object) {
            written(registered)
        } else {
            Nodes::new()
        };
        for (address, node) in nodes {
            version.nodes.entry(address).or_insert(node);
        }
    }
    versions.into_values().map(Version::into_service).collect()
}

impl Version<'_> {
    /// Objects that describe a version in different ways add to each other: what the first one says holds.
    fn into_service(self) -> Service {
        let mut described = self.descriptions.iter().map(|description| description.service());
        let mut service = described.next().cloned().unwrap_or_default();
        let mut known: HashSet<String> = service.endpoints.iter().map(|endpoint| endpoint.name.clone()).collect();
        for endpoint in described.flat_map(|other| &other.endpoints) {
            if known.insert(endpoint.name.clone()) {
                service.endpoints.push(endpoint.clone());
            }
        }
        service.nodes = self.nodes.into_values().collect();
        service
    }
}

/// The nodes that a Pod wrote.
fn written(registered: &Registered) -> Nodes {
    let nodes = registered.nodes.iter().map(|node| {
        let metadata = Metadata::clone(&node.metadata);
        (node.address, Node { id: node.id.to_string(), address: node.address.to_string(), metadata })
    });
    nodes.collect()
}

/// The endpoints of a Service that are ready, of all its ports.
fn nodes_of(cache: &Cache, service: &ServiceName) -> Nodes {
    let ports = cache.services.get(&service.0, &service.1).into_iter().flat_map(|service| tcp_ports(service));
    let ports: Vec<_> = ports.collect();
    let is_only = ports.len() < 2;
    let of_port = |port: &ServicePort| {
        let number = u16::try_from(port.port).unwrap_or_default();
        let ready =
            collect::endpoints_of(cache, service, number, None).into_iter().filter(|facts| facts.conditions.ready);
        let named = ready.map(|facts| (facts.address, node(&facts, port.app_protocol.as_deref(), is_only)));
        named.collect::<Vec<_>>()
    };
    ports.into_iter().flat_map(of_port).collect()
}

fn node(facts: &EndpointFacts, protocol: Option<&str>, is_only: bool) -> Node {
    let address = facts.address.to_string();
    let id = match &*facts.identity {
        "" => address.clone(),
        identity if is_only => identity.to_owned(),
        identity => format!("{identity}:{}", facts.address.port()),
    };
    let protocol = protocol.map(|word| if matches!(word, "h2c" | "kubernetes.io/h2c") { "grpc" } else { word });
    let metadata = protocol.map(|protocol| (PROTOCOL.to_owned(), protocol.to_owned())).into_iter().collect();
    Node { id, address, metadata }
}
