//! Resolvers: the services that the requests of a rule may name.
//!
//! They are those of the route's own namespace: all that registered themselves, and all Services that have the
//! port. What was registered wins over the name of a Service. Rules of one namespace and port share one directory.

use super::{Outcome, backends, build::Build, policy, source::Selected};
use crate::{
    control::{cache::Known, compile::calls::CompiledResolver},
    model::{
        call::{Directory, Resolution},
        target::{ServicePort, UpstreamId},
    },
    resource::{GatewayRoute, PortRef},
};
use std::sync::Arc;

/// How the rule finds services, and where all their requests go.
pub(super) fn resolve(
    build: &mut Build<'_>,
    route: &Selected<'_, GatewayRoute>,
    resolver: &CompiledResolver,
    outcome: &mut Outcome,
) -> Resolution {
    let services = directory(build, &route.object.namespace, resolver.port.as_ref());
    let mut upstreams: Vec<UpstreamId> = services.values().copied().collect();
    upstreams.sort_unstable();
    upstreams.dedup();
    policy::claim_by_resolver(build, &upstreams, route);
    outcome.upstreams.append(&mut upstreams);
    Resolution { resolver: resolver.resolver.clone(), services }
}

/// Where requests for a registered service go: to the Service that is said to be it, else to its nodes.
pub(super) fn registered_port(
    build: &Build<'_>,
    namespace: &Arc<str>,
    (name, known): (&Arc<str>, &Known),
    wanted: Option<&PortRef>,
) -> ServicePort {
    let of_service = known.services().find_map(|service| {
        let port = backends::open_port(build.cache.services.get(namespace, service)?, wanted)?;
        Some(ServicePort { namespace: Arc::clone(namespace), service: Arc::clone(service), port })
    });
    of_service.unwrap_or_else(|| ServicePort {
        namespace: Arc::clone(namespace),
        service: Arc::clone(name),
        port: ServicePort::REGISTERED,
    })
}

fn directory(build: &mut Build<'_>, namespace: &Arc<str>, port: Option<&PortRef>) -> Arc<Directory> {
    let key = (Arc::clone(namespace), port.cloned());
    if let Some(known) = build.directories.get(&key) {
        return Arc::clone(known);
    }
    let mut services = Directory::new();
    let cache = build.cache;
    for (name, service) in cache.services.in_namespace(namespace) {
        let Some(port) = backends::open_port(service, port) else { continue };
        let port = ServicePort { namespace: Arc::clone(namespace), service: Arc::clone(name), port };
        services.insert(Arc::clone(name), build.upstream(&port));
    }
    for (name, known) in cache.registrations.in_namespace(namespace) {
        let port = registered_port(build, namespace, (name, known), port);
        services.insert(Arc::clone(name), build.upstream(&port));
    }
    let services = Arc::new(services);
    build.directories.insert(key, Arc::clone(&services));
    services
}
