//! GatewayRoutes: hosts and matches to patterns.

use super::{
    Compile, Finding,
    calls::{self, CompiledResolver},
    conditions, hosts, limits, no_errors, paths,
    policy::{self, Setting},
    same_version,
};
use crate::{
    model::{
        condition::Reason,
        limit::RequestLimits,
        rule::{self, HstsValue, Options},
    },
    resource::{GatewayRoute, GatewayRouteSpec, Hsts, PathMatch, PathMatchType, PathSafety, RouteMatch, Rule},
    table::{Conditions, HostPattern, PathPattern},
};
use http::HeaderValue;
use std::sync::Arc;

/// What a GatewayRoute says by itself.
#[derive(Debug, Default)]
pub struct CompiledRoute {
    /// The hosts: `Any` alone where the route names none. Empty only where all names are bad.
    pub hosts: Vec<HostPattern>,
    /// The rules, in the order of the object.
    pub rules: Vec<CompiledRule>,
    /// What it sets for Service ports.
    pub settings: Vec<Setting>,
    /// How many of its requests pass.
    pub limits: Option<Arc<RequestLimits>>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// What a rule says by itself.
#[derive(Debug)]
pub struct CompiledRule {
    /// The requests that it takes, as far as they could be understood.
    pub matches: Vec<(PathPattern, Conditions)>,
    /// How the service of each request is found; `None` where backends are written.
    pub resolver: Option<CompiledResolver>,
    /// What holds for them. The limits are those of the route.
    pub options: Options,
    /// Why it cannot serve at all.
    pub broken: Option<Reason>,
}

impl Compile for GatewayRoute {
    type Output = CompiledRoute;

    fn compile(&self) -> CompiledRoute {
        let mut findings = Vec::new();
        let hosts = compile_hosts(&self.spec.hostnames, &mut findings);
        let settings = policy::settings(&self.spec);
        let shared = options_of_route(&self.spec, &settings);
        let rules = self.spec.rules.as_deref().unwrap_or_default();
        let rules: Vec<_> =
            rules.iter().enumerate().map(|(index, rule)| compile_rule(index, rule, &shared, &mut findings)).collect();
        if self.spec.rules.is_none() && self.spec.policy_for.is_none() {
            findings.push(Finding::error("spec", "set exactly one of rules and policyFor"));
        }
        let asked = self.spec.limiter.as_ref().and_then(|limiter| limiter.requests.as_deref()).unwrap_or_default();
        let paths = rules.iter().flat_map(|rule| rule.matches.iter().map(|(path, _)| path));
        let limits = limits::compile(asked, &self.metadata, &paths, &mut findings);
        CompiledRoute { hosts, rules, settings, limits, findings }
    }

    fn failed() -> CompiledRoute {
        CompiledRoute { findings: vec![Finding::bug()], ..CompiledRoute::default() }
    }

    fn is_good(output: &CompiledRoute) -> bool {
        no_errors(&output.findings)
    }

    fn same_object(old: &Self, new: &Self) -> bool {
        old.metadata.uid == new.metadata.uid
    }

    fn same_meaning(old: &Self, new: &Self) -> bool {
        same_version(&old.metadata, &new.metadata) && old.spec == new.spec
    }
}

fn compile_hosts(names: &[String], findings: &mut Vec<Finding>) -> Vec<HostPattern> {
    if names.is_empty() {
        return vec![HostPattern::Any];
    }
    let mut compiled = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        match hosts::parse(name, hosts::Star::Labels) {
            Ok(host) if compiled.contains(&host) => {}
            Ok(host) => compiled.push(host),
            Err(message) => findings.push(Finding::error(format!("spec.hostnames[{index}]"), message)),
        }
    }
    compiled
}

/// What holds for all rules of a route.
fn options_of_route(spec: &GatewayRouteSpec, settings: &[Setting]) -> Options {
    let tls = spec.tls.as_ref();
    Options {
        trim_prefix: spec.proxy.as_ref().and_then(|proxy| proxy.trim_prefix).unwrap_or_default(),
        overrides: policy::overrides(settings),
        redirect_to_https: tls.and_then(|tls| tls.redirect).unwrap_or_default(),
        hsts: tls.and_then(|tls| tls.hsts.as_ref()).map(hsts_value),
        ..Options::default()
    }
}

fn compile_rule(index: usize, rule: &Rule, shared: &Options, findings: &mut Vec<Finding>) -> CompiledRule {
    let field = format!("spec.rules[{index}]");
    let before = findings.len();
    let handler = calls::handler(rule, &field, findings);
    let resolver = calls::resolver(rule, &field, findings);
    let path_safety = compile_path_safety(rule.path_safety);
    let matches = compile_matches(&rule.matches, path_safety, &field, findings);
    let broken = (findings.len() > before).then_some(Reason::UnsupportedValue);
    CompiledRule { matches, resolver, options: Options { handler, path_safety, ..shared.clone() }, broken }
}

const fn compile_path_safety(safety: PathSafety) -> rule::PathSafety {
    match safety {
        PathSafety::Strict => rule::PathSafety::Strict,
        PathSafety::AllowEncodedSlash => rule::PathSafety::AllowEncodedSlash,
        PathSafety::Raw => rule::PathSafety::Raw,
    }
}

fn compile_matches(
    matches: &[RouteMatch],
    safety: rule::PathSafety,
    field: &str,
    findings: &mut Vec<Finding>,
) -> Vec<(PathPattern, Conditions)> {
    if matches.is_empty() {
        return vec![(PathPattern::Prefix("".into()), Conditions::default())];
    }
    let compile = |(index, condition)| compile_match(condition, safety, &format!("{field}.matches[{index}]"), findings);
    matches.iter().enumerate().filter_map(compile).collect()
}

fn compile_match(
    condition: &RouteMatch,
    safety: rule::PathSafety,
    field: &str,
    findings: &mut Vec<Finding>,
) -> Option<(PathPattern, Conditions)> {
    let path = compile_path(condition.path.as_ref(), safety, field, findings);
    let conditions = conditions::compile(condition, field, findings);
    Some((path?, conditions?))
}

fn compile_path(
    path: Option<&PathMatch>,
    safety: rule::PathSafety,
    field: &str,
    findings: &mut Vec<Finding>,
) -> Option<PathPattern> {
    let (type_, value) = path.map_or((PathMatchType::PathPrefix, "/"), |path| (path.type_, path.value.as_str()));
    match paths::parse(type_, value, safety) {
        Ok(pattern) => Some(pattern),
        Err(message) => {
            findings.push(Finding::error(format!("{field}.path.value"), message));
            None
        }
    }
}

fn hsts_value(hsts: &Hsts) -> HstsValue {
    let mut value = format!("max-age={}", hsts.max_age_seconds.max(0));
    if hsts.include_subdomains {
        value.push_str("; includeSubDomains");
    }
    if hsts.preload {
        value.push_str("; preload");
    }
    HeaderValue::try_from(value).expect("digits and words must be a field value")
}
