//! References to Services, resolved to a port number.

use super::{
    Context,
    references::{self, From, SERVICE, To},
};
use crate::{
    control::{
        cache::Cache,
        ports::{all_ports, is_tcp, tcp_ports},
    },
    model::{condition::Reason, target::ServicePort},
    resource::PortRef,
};
use k8s_openapi::api::core::v1::{Service, ServicePort as Port};
use std::sync::Arc;

/// A Service and a port of it, as an object names them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// Who refers.
    pub(super) from: From<'a>,
    /// The namespace of the Service.
    pub(super) namespace: &'a str,
    /// The name of the Service.
    pub(super) service: &'a str,
    /// The port; `None` for the only one.
    pub(super) port: Option<&'a PortRef>,
}

/// The part of a reference that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The namespace.
    Namespace,
    /// The name of the Service.
    Service,
    /// The port.
    Port,
}

/// Why a reference cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The part that is wrong.
    pub(super) part: Part,
    /// The reason word.
    pub(super) reason: Reason,
    /// What is wrong and how to mend it.
    pub(super) message: String,
}

impl Refusal {
    const fn new(part: Part, reason: Reason, message: String) -> Self {
        Self { part, reason, message }
    }
}

/// The Service port that is meant.
pub(super) fn resolve(cache: &Cache, context: &Context, wanted: Wanted<'_>) -> Result<ServicePort, Refusal> {
    let (namespace, name, service) = find(cache, context, wanted)?;
    let port = find_port(service, wanted)?;
    Ok(ServicePort { namespace: Arc::clone(namespace), service: Arc::clone(name), port })
}

type Found<'a> = (&'a Arc<str>, &'a Arc<str>, &'a Service);

fn find<'a>(cache: &'a Cache, context: &Context, wanted: Wanted<'_>) -> Result<Found<'a>, Refusal> {
    let Wanted { from, namespace, service: name, .. } = wanted;
    references::may_reference(cache, from, To { kind: SERVICE, namespace, name })
        .map_err(|message| Refusal::new(Part::Namespace, Reason::RefNotPermitted, message))?;
    if !context.watched.covers(namespace) {
        let message = format!("namespace `{namespace}` is not watched: add it to --watch-namespaces");
        return Err(Refusal::new(Part::Namespace, Reason::BackendNotFound, message));
    }
    let Some((namespace, name, service)) = cache.services.get_named(namespace, name) else {
        let message = format!("there is no Service `{name}` in namespace `{namespace}`");
        return Err(Refusal::new(Part::Service, Reason::BackendNotFound, message));
    };
    if type_of(service) == "ExternalName" {
        let message = format!(
            "Service `{name}` has type ExternalName, which leads out of the cluster: use a Service with EndpointSlices"
        );
        return Err(Refusal::new(Part::Service, Reason::UnsupportedProtocol, message));
    }
    Ok((namespace, name, service))
}

/// The port by which a Service is found by its name: the one that is wanted, or the only one.
pub(super) fn open_port(service: &Service, wanted: Option<&PortRef>) -> Option<u16> {
    let port = pick(tcp_ports(service), wanted).filter(|_| type_of(service) != "ExternalName")?;
    u16::try_from(port.port).ok().filter(|port| *port != ServicePort::REGISTERED)
}

fn type_of(service: &Service) -> &str {
    service.spec.as_ref().and_then(|spec| spec.type_.as_deref()).unwrap_or("ClusterIP")
}

fn find_port(service: &Service, wanted: Wanted<'_>) -> Result<u16, Refusal> {
    let refuse = |reason, message| Refusal::new(Part::Port, reason, message);
    let Some(port) = pick(tcp_ports(service), wanted.port) else {
        let Some(other) = pick(all_ports(service).iter(), wanted.port) else {
            return Err(refuse(Reason::BackendNotFound, missing(all_ports(service), wanted)));
        };
        let message = format!("port {} of Service `{}` is not a TCP port", other.port, wanted.service);
        return Err(refuse(Reason::UnsupportedProtocol, message));
    };
    u16::try_from(port.port).map_err(|_| {
        refuse(Reason::BackendNotFound, format!("port {} of Service `{}` is no port", port.port, wanted.service))
    })
}

/// The port that is meant; where none is named, the only one. A name that is a number in quotes is
/// meant as the number.
fn pick<'a>(mut ports: impl Iterator<Item = &'a Port>, wanted: Option<&PortRef>) -> Option<&'a Port> {
    match wanted {
        Some(PortRef::Number(number)) => ports.find(|port| port.port == i32::from(*number)),
        Some(PortRef::Name(name)) => {
            let number = name.parse().ok();
            ports.find(|port| port.name.as_ref() == Some(name) || Some(port.port) == number)
        }
        None => ports.next().filter(|_| ports.next().is_none()),
    }
}

fn missing(ports: &[Port], wanted: Wanted<'_>) -> String {
    let names: Vec<_> = ports.iter().map(describe).collect();
    let has = if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) };
    match wanted.port {
        Some(port) => format!("Service `{}` has no port `{port}`: {has}", wanted.service),
        None => {
            format!(
                "Service `{}` does not have exactly one TCP port, so name the one that is meant: {has}",
                wanted.service
            )
        }
    }
}

fn describe(port: &Port) -> String {
    let protocol = port.protocol.as_deref().filter(|protocol| !is_tcp(Some(protocol)));
    let protocol = protocol.map(|protocol| format!("/{protocol}")).unwrap_or_default();
    match &port.name {
        Some(name) => format!("{}{protocol} ({name})", port.port),
        None => format!("{}{protocol}", port.port),
    }
}
