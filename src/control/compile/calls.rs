//! What a rule does with requests, and how it finds their service.

use super::Finding;
use crate::{
    model::{call::Calls, rule::Handler},
    resource::{
        self, HandlerType, PortRef, ResolverType, Rule,
        handler::unavailable,
        rule::{ANSWERS_ITSELF, NOWHERE},
    },
    rpc::resolver::{Kind, Resolver},
};

/// How a rule finds the service of each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledResolver {
    /// Finds the name.
    pub resolver: Resolver,
    /// The port of Services that are found by their own name; `None` for the only one.
    pub port: Option<PortRef>,
}

/// The handler of a rule. One that names none calls what its resolver finds, as go-micro does; without a resolver
/// it passes requests on.
pub(super) fn handler(rule: &Rule, field: &str, findings: &mut Vec<Finding>) -> Handler {
    let asked = &rule.handler;
    let default = if rule.resolver.is_some() { HandlerType::Api } else { HandlerType::Http };
    match asked.type_.unwrap_or(default) {
        HandlerType::Http => Handler::Http,
        HandlerType::Web => Handler::Web,
        HandlerType::Rpc => {
            let of = asked.rpc.clone().unwrap_or_default();
            Handler::Rpc(Calls { stream: of.stream.unwrap_or_default(), ..calls(of.service, of.method) })
        }
        HandlerType::Api => {
            let of = asked.api.clone().unwrap_or_default();
            Handler::Api(calls(of.service, of.method))
        }
        HandlerType::Registry => Handler::Registry,
        other @ (HandlerType::Event | HandlerType::CloudEvents | HandlerType::Broker) => {
            findings.push(Finding::error(format!("{field}.handler.type"), unavailable(&format!("{other:?}"))));
            Handler::Http
        }
    }
}

fn calls(service: Option<String>, method: Option<String>) -> Calls {
    Calls { service: service.map(Into::into), method: method.map(Into::into), stream: false }
}

/// Whether the rule says once where its requests go, and the resolver where that is one.
pub(super) fn resolver(rule: &Rule, field: &str, findings: &mut Vec<Finding>) -> Option<CompiledResolver> {
    if rule.handler.type_ == Some(HandlerType::Registry) {
        let asked = [
            ("backends", !rule.backends.is_empty()),
            ("resolver", rule.resolver.is_some()),
            ("mirror", rule.mirror.is_some()),
        ];
        let wrong = asked.into_iter().filter(|(_, is_set)| *is_set);
        findings.extend(wrong.map(|(name, _)| Finding::error(format!("{field}.{name}"), ANSWERS_ITSELF)));
        return None;
    }
    match (&rule.resolver, rule.backends.is_empty()) {
        (None, true) => {
            findings.push(Finding::error(format!("{field}.backends"), NOWHERE));
        }
        (Some(_), false) => {
            let message = "set exactly one of backends and resolver";
            findings.push(Finding::error(format!("{field}.resolver"), message));
        }
        (Some(_), true) | (None, false) => {}
    }
    rule.resolver.as_ref().map(compile)
}

fn compile(resolver: &resource::Resolver) -> CompiledResolver {
    let kind = match resolver.type_ {
        ResolverType::Micro => Kind::Micro,
        ResolverType::Path => Kind::Path,
        ResolverType::VPath => Kind::VPath,
        ResolverType::Host => Kind::Host,
        ResolverType::Grpc => Kind::Grpc,
    };
    CompiledResolver { resolver: Resolver::new(kind, resolver.namespace.as_str()), port: resolver.port.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::yaml;

    fn handled(rule: &str) -> (Handler, Vec<Finding>) {
        let mut findings = Vec::new();
        (handler(&yaml(rule), "r", &mut findings), findings)
    }

    #[test]
    fn a_resolver_without_a_handler_calls_with_the_whole_request() {
        assert_eq!(handled("{resolver: {}}").0, Handler::Api(Calls::default()));
        assert_eq!(handled("{resolver: {}, handler: {}}").0, Handler::Api(Calls::default()));
        assert_eq!(handled("{resolver: {}, handler: {type: Http}}").0, Handler::Http);
        assert_eq!(handled("{backends: [{service: a}]}").0, Handler::Http);
    }

    #[test]
    fn a_call_is_fixed_as_far_as_it_is_written() {
        let rule = "{handler: {type: Rpc, rpc: {service: go.micro.api.a, method: Say.Hello, stream: true}}}";
        let calls = Calls { service: Some("go.micro.api.a".into()), method: Some("Say.Hello".into()), stream: true };
        assert_eq!(handled(rule).0, Handler::Rpc(calls));
        let calls = Calls { method: Some("Say.Hello".into()), ..Calls::default() };
        assert_eq!(handled("{handler: {type: Api, api: {method: Say.Hello}}}").0, Handler::Api(calls));
    }

    #[test]
    fn a_kind_that_is_not_built_is_refused_with_those_that_are() {
        let (_, findings) = handled("{handler: {type: Event}}");
        assert_eq!(findings[0].field, "r.handler.type");
        assert_eq!(findings[0].message, "Event is not available in this version: use Http, Web, Rpc, Api or Registry");
    }

    #[test]
    fn a_rule_says_once_where_its_requests_go() {
        let told = |rule: &str| {
            let mut findings = Vec::new();
            resolver(&yaml(rule), "r", &mut findings);
            findings.into_iter().map(|finding| finding.field).collect::<Vec<_>>()
        };
        assert_eq!(told("{}"), ["r.backends"]);
        assert_eq!(told("{resolver: {}, backends: [{service: a}]}"), ["r.resolver"]);
        assert!(told("{resolver: {}}").is_empty());
        assert!(told("{handler: {type: Registry}}").is_empty());
        let all = "{handler: {type: Registry}, resolver: {}, backends: [{service: a}], mirror: {service: a}}";
        assert_eq!(told(all), ["r.backends", "r.resolver", "r.mirror"]);
    }
}
