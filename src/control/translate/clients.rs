//! Which clients may speak to which hosts: the policy of each route, and of each host name.
//!
//! A host has one policy, that of the oldest route that sets one; rules remember their own, so that the
//! data path refuses what came in by another. What cannot be found out lets nobody in.

use super::{
    build::Build,
    certificates::{self, Wanted},
    references::{From, GATEWAY_ROUTE},
    source::Selected,
};
use crate::{
    model::{
        client_validation::ClientValidation,
        condition::{ConditionType, Reason},
    },
    resource::{self, GatewayRoute, gateway_route::RouteTls},
    table::HostPattern,
};
use aws_lc_rs::digest;
use std::sync::Arc;

const FIELD: &str = "spec.tls.clientValidation";

/// What a route asks of its clients; its hosts ask for the same.
pub(super) fn of_route(
    build: &mut Build<'_>,
    route: &Selected<'_, GatewayRoute>,
    tls: Option<&RouteTls>,
    hosts: &[HostPattern],
) -> Option<Arc<ClientValidation>> {
    let asked = tls?.client_validation.as_ref()?;
    let validation = Arc::new(resolve(build, route, asked));
    for host in hosts {
        if !build.validated.claim(host, &validation) {
            let message = format!(
                "an older route asks clients of `{host}` for other certificates, so requests to this route get 421: \
                 give both the same clientValidation, or this route host names of its own"
            );
            build.error(&route.object, FIELD, ConditionType::Accepted, Reason::Conflicted, message);
        }
    }
    Some(validation)
}

fn resolve(
    build: &mut Build<'_>,
    route: &Selected<'_, GatewayRoute>,
    asked: &resource::ClientValidation,
) -> ClientValidation {
    let own = &*route.object.namespace;
    let wanted = Wanted {
        object: &route.object,
        from: From { kind: GATEWAY_ROUTE, namespace: own },
        namespace: asked.ca_secret.namespace.as_deref().unwrap_or(own),
        name: &asked.ca_secret.name,
        field: "spec.tls.clientValidation.caSecret",
    };
    let found = certificates::find(build, wanted, "nobody may speak to its hosts", |cache| &cache.authorities);
    let optional = asked.mode == resource::ClientValidationMode::Optional;
    let (authorities, pem) = match found {
        Some((.., found)) => (Some(found.roots), found.bytes),
        None => (None, Box::default()),
    };
    let id = digest::digest(&digest::SHA256, &[&[u8::from(optional)], &pem[..]].concat());
    let id = id.as_ref().iter().take(8).fold(0, |id, byte| id << 8 | u64::from(*byte));
    ClientValidation { id, optional, authorities }
}
