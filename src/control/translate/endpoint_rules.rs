//! The endpoints of registered services that say which requests reach them, as rows of the table.
//!
//! A route with a resolver takes them in for its own hosts: those of services of its namespace. They come after the
//! rules of routes where both are as specific, and an older route before a younger one.

use super::{build::Build, source::Selected};
use crate::{
    control::{
        cache::Known,
        compile::route::CompiledRoute,
        registration::{Description, EndpointRule},
    },
    model::{
        call::{Calls, Directory},
        condition::{ConditionType, Reason},
        rule::{Backend, BackendTarget, Handler, Options, Origin, Rule, Targets},
        snapshot::RuleId,
        target::UpstreamId,
    },
    resource::GatewayRoute,
    rpc::{endpoint, registry::Metadata},
    table::{Entry, HostPattern},
};
use std::{collections::BTreeMap, sync::Arc};

/// The most rows that one service gets from one route.
const MOST_OF_SERVICE: usize = 1_000;

/// The most rows that one route makes of endpoints.
const MOST_OF_ROUTE: usize = 10_000;

/// Later than any object was ever created, in seconds since the epoch.
const AFTER_ALL_ROUTES: i64 = 1 << 48;

/// Adds the rows of one route. `rule` is its rule with the resolver, `services` what that may find.
pub(super) fn add(
    build: &mut Build<'_>,
    route: &Selected<'_, GatewayRoute>,
    compiled: &CompiledRoute,
    (rule, services): (&Rule, &Directory),
) {
    let cache = build.cache;
    let mut left = MOST_OF_ROUTE;
    for (name, known) in cache.registrations.in_namespace(&route.object.namespace) {
        let Some(upstream) = services.get(name) else { continue };
        let mut rows = Rows { route, compiled, rule, service: name, upstream: *upstream, next: 0 };
        let most = MOST_OF_SERVICE.min(left);
        let is_whole = rows.add(build, known, most);
        left -= rows.next as usize;
        if !is_whole {
            let field = format!("spec.rules[{}].resolver", rule.origin.rule);
            let message =
                format!("the endpoints of service {name} ask for more than {most} rows: the rest is left out");
            build.warning(&route.object, field, ConditionType::Accepted, Reason::UnsupportedValue, message);
        }
    }
}

/// The rows of one service.
struct Rows<'a> {
    route: &'a Selected<'a, GatewayRoute>,
    compiled: &'a CompiledRoute,
    rule: &'a Rule,
    service: &'a Arc<str>,
    upstream: UpstreamId,
    next: u32,
}

impl Rows<'_> {
    /// Whether all of them found room.
    fn add(&mut self, build: &mut Build<'_>, known: &Known, most: usize) -> bool {
        let order = format!("{} {}/{}", self.service, self.route.object.namespace, self.route.object.name).into();
        for endpoint in endpoints(known).into_values() {
            let rows: Vec<_> = self.rows(endpoint, &order).collect();
            if self.next as usize + rows.len() > most {
                return false;
            }
            let id = if rows.is_empty() { continue } else { build.add_rule(self.rule(endpoint)) };
            for row in rows {
                build.add_entry(Entry { payload: id, order: (Arc::clone(&order), self.next), ..row });
                self.next += 1;
            }
        }
        true
    }

    fn rows(&self, endpoint: &endpoint::Rule, order: &Arc<str>) -> impl Iterator<Item = Entry<RuleId>> {
        let created = AFTER_ALL_ROUTES.saturating_add(self.route.created);
        let rows = endpoint.entries(order, created, &RuleId(0));
        rows.flat_map(|row| {
            let hosts: Vec<_> = self.compiled.hosts.iter().filter_map(|host| narrow(host, &row.host)).collect();
            hosts.into_iter().map(move |host| Entry { host, ..row.clone() })
        })
    }

    fn rule(&self, endpoint: &endpoint::Rule) -> Rule {
        let target = BackendTarget::Upstream(self.upstream);
        Rule {
            targets: Targets::Backends([Backend { target, weight: 1 }].into()),
            origin: Origin { name: Arc::clone(&endpoint.name), ..self.rule.origin.clone() },
            options: Options { handler: self.handler(endpoint), ..self.rule.options.clone() },
            ..self.rule.clone()
        }
    }

    fn handler(&self, endpoint: &endpoint::Rule) -> Handler {
        let calls = || Calls {
            service: Some(Arc::clone(self.service)),
            method: Some(Arc::clone(&endpoint.name)),
            stream: endpoint.stream,
        };
        match (endpoint.handler, &self.rule.options.handler) {
            (endpoint::Handler::Http, _) => Handler::Http,
            (endpoint::Handler::Web, _) => Handler::Web,
            (endpoint::Handler::Rpc, _) => Handler::Rpc(calls()),
            (endpoint::Handler::Api, _) => Handler::Api(calls()),
            (_, Handler::Rpc(_)) => Handler::Rpc(calls()),
            (_, Handler::Api(_)) => Handler::Api(calls()),
            (_, other @ (Handler::Http | Handler::Web | Handler::Registry)) => other.clone(),
        }
    }
}

/// What all versions of a service say, each once, in an order that is the same on every replica.
fn endpoints(known: &Known) -> BTreeMap<(&str, &Metadata), &endpoint::Rule> {
    let rules = known.descriptions().flat_map(|description| Description::rules(description));
    rules.map(|EndpointRule { metadata, rule }| ((&*rule.name, metadata), &**rule)).collect()
}

/// The hosts that both patterns take.
fn narrow(route: &HostPattern, asked: &HostPattern) -> Option<HostPattern> {
    let is_below = |suffix: &str, other: &str| suffix.strip_suffix(other).is_some_and(|rest| rest.ends_with('.'));
    match (route, asked) {
        (one, HostPattern::Any) | (HostPattern::Any, one) => Some(one.clone()),
        (one, other) if one == other => Some(one.clone()),
        (one @ HostPattern::Exact(name), other) | (other, one @ HostPattern::Exact(name)) => {
            other.takes(name).then(|| one.clone())
        }
        (HostPattern::Wildcard(one), HostPattern::Wildcard(other)) if is_below(one, other) => Some(route.clone()),
        (HostPattern::Wildcard(one), HostPattern::Wildcard(other)) if is_below(other, one) => Some(asked.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_endpoints_stay_within_those_of_the_route() {
        let (exact, wild) =
            (|name: &str| HostPattern::Exact(name.into()), |name: &str| HostPattern::Wildcard(name.into()));
        let any = HostPattern::Any;
        assert_eq!(narrow(&any, &exact("a.b")), Some(exact("a.b")));
        assert_eq!(narrow(&wild("b"), &any), Some(wild("b")));
        assert_eq!(narrow(&wild("b"), &exact("a.b")), Some(exact("a.b")));
        assert_eq!(narrow(&exact("a.b"), &wild("b")), Some(exact("a.b")));
        assert_eq!(narrow(&exact("a.b"), &exact("c.b")), None);
        assert_eq!(narrow(&wild("b"), &exact("a.c")), None);
        assert_eq!(narrow(&wild("a.b"), &wild("b")), Some(wild("a.b")));
        assert_eq!(narrow(&wild("b"), &wild("a.b")), Some(wild("a.b")));
        assert_eq!(narrow(&wild("ab"), &wild("b")), None);
        assert_eq!(narrow(&wild("b"), &wild("b")), Some(wild("b")));
    }
}
