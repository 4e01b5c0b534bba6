//! Resolvers: the services that the requests of a rule may name.
//!
//! They are those of the route's own namespace: all that registered themselves, and all Services that have the
//! port. Rules of one namespace and port share one directory.

use super::{Outcome, backends, build::Build, policy, source::Selected};
use crate::{
    control::compile::calls::CompiledResolver,
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
    let services = Arc::new(services);
    build.directories.insert(key, Arc::clone(&services));
    services
}
