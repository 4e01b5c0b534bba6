//! GatewayRoutes to rules and table entries.

use super::{
    Outcome,
    backends::{self, Part, Wanted},
    build::Build,
    certificates, clients, endpoint_rules, limits, policy,
    references::{From, GATEWAY_ROUTE},
    resolving,
    source::{Selected, Source},
    transport,
};
use crate::{
    control::compile::route::{CompiledRoute, CompiledRule},
    model::{
        condition::{ConditionType, Reason},
        diagnostic::{Kind, ObjectRef},
        rule::{Backend, BackendTarget, Mirror, Options, Origin, PathSafety, Rule, Targets},
        snapshot::RuleId,
        target::ServicePort,
    },
    resource::{self, BackendRef, GatewayRoute, GatewayRouteSpec},
    table::{Entry, HostPattern},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::sync::Arc;

/// The routes of this gateway's class.
pub(super) fn select<'a>(build: &mut Build<'a>) -> Vec<Source<'a>> {
    let class = &build.context.class_name;
    let is_ours = |route: &GatewayRoute| route.spec.class_name == *class;
    let routes = build.cache.routes.iter();
    let select = |route| Selected::new(build, Kind::GatewayRoute, route, meta, is_ours).map(Source::Route);
    routes.filter_map(select).collect()
}

const fn meta(route: &GatewayRoute) -> &ObjectMeta {
    &route.metadata
}

fn findings(compiled: &CompiledRoute) -> &[crate::control::compile::Finding] {
    &compiled.findings
}

/// Translates one route.
pub(super) fn translate(build: &mut Build<'_>, route: &Selected<'_, GatewayRoute>) {
    let mut outcome = route.open(build, meta, findings);
    if route.serving.is_condemned() {
        return build.close(outcome);
    }
    let (spec, compiled) = (&route.serving.object().spec, route.serving.compiled());
    note_trust(spec, &mut outcome);
    let mut entries = Entries::new(route);
    let rules = spec.rules.as_deref().unwrap_or_default();
    let limits = limits::of_route(build, route);
    let clients = clients::of_route(build, route, spec.tls.as_ref(), &compiled.hosts);
    let mut resolving = None;
    for (index, (rule, compiled_rule)) in rules.iter().zip(&compiled.rules).enumerate() {
        note_path_safety(index, compiled_rule.options.path_safety, &mut outcome);
        let rule = translate_rule(build, route, index, rule, compiled_rule, &mut outcome);
        let options = Options { limits: limits.clone(), ..rule.options };
        let rule = Rule { options, clients: clients.clone(), ..rule };
        if let Targets::Resolved(resolution) = &rule.targets
            && rule.broken.is_none()
        {
            resolving.get_or_insert_with(|| (rule.clone(), Arc::clone(&resolution.services)));
        }
        let id = build.add_rule(rule);
        entries.add(build, compiled, compiled_rule, id);
    }
    if let Some((rule, services)) = &resolving {
        endpoint_rules::add(build, route, compiled, (rule, services));
    }
    #[cfg(test)]
    crate::control::testing::trip(&route.serving.object().metadata);
    serve_certificate(build, route, spec, &compiled.hosts);
    explain_broken(build, &route.object, &compiled.rules);
    build.close(outcome);
}

/// Numbers the entries of one route.
struct Entries {
    created: i64,
    name: Arc<str>,
    next: u32,
}

impl Entries {
    fn new(route: &Selected<'_, GatewayRoute>) -> Self {
        let name = format!("{}/{}", route.object.namespace, route.object.name).into();
        Self { created: route.created, name, next: 0 }
    }

    fn add(&mut self, build: &mut Build<'_>, route: &CompiledRoute, rule: &CompiledRule, payload: RuleId) {
        for (path, conditions) in &rule.matches {
            for host in &route.hosts {
                build.add_entry(Entry {
                    host: host.clone(),
                    path: path.clone(),
                    conditions: conditions.clone(),
                    created: self.created,
                    order: (Arc::clone(&self.name), self.next),
                    payload,
                });
            }
            self.next += 1;
        }
    }
}

fn translate_rule(
    build: &mut Build<'_>,
    route: &Selected<'_, GatewayRoute>,
    index: usize,
    rule: &resource::Rule,
    compiled: &CompiledRule,
    outcome: &mut Outcome,
) -> Rule {
    let targets = match &compiled.resolver {
        Some(resolver) => Targets::Resolved(resolving::resolve(build, route, resolver, outcome)),
        None => translate_backends(build, route, index, &rule.backends, outcome),
    };
    Rule {
        targets,
        clients: None,
        mirror: rule.mirror.as_ref().and_then(|asked| mirror(build, route, index, asked)),
        origin: origin(&route.object, index, rule.name.as_deref()),
        options: compiled.options.clone(),
        broken: compiled.broken,
    }
}

fn translate_backends(
    build: &mut Build<'_>,
    route: &Selected<'_, GatewayRoute>,
    index: usize,
    backends: &[BackendRef],
    outcome: &mut Outcome,
) -> Targets {
    let targets = resolve_backends(build, route, index, backends);
    for port in targets.iter().flatten() {
        policy::claim_by_route(build, port, route);
    }
    let shares = backends.iter().zip(&targets).map(|(backend, target)| share(build, backend, target, outcome));
    Targets::Backends(shares.collect())
}

fn origin(object: &ObjectRef, index: usize, name: Option<&str>) -> Origin {
    Origin {
        object: object.clone(),
        rule: u32::try_from(index).unwrap_or(u32::MAX),
        name: name.unwrap_or_default().into(),
    }
}

type Target = Result<ServicePort, Reason>;

fn resolve_backends(
    build: &mut Build<'_>,
    route: &Selected<'_, GatewayRoute>,
    rule: usize,
    backends: &[BackendRef],
) -> Vec<Target> {
    let own = &*route.object.namespace;
    let mut targets = Vec::with_capacity(backends.len());
    for (index, backend) in backends.iter().enumerate() {
        let wanted = Wanted {
            from: From { kind: GATEWAY_ROUTE, namespace: own },
            namespace: backend.namespace.as_deref().unwrap_or(own),
            service: &backend.service,
            port: backend.port.as_ref(),
        };
        let field = format!("spec.rules[{rule}].backends[{index}]");
        let target = backends::resolve(build.cache, build.context, wanted);
        match &target {
            Ok(port) => warn_of_protocol(build, &route.object, format!("{field}.port"), port),
            Err(refusal) => {
                let (field, message) = (format!("{field}.{}", field_of(refusal.part)), refusal.message.clone());
                build.error(&route.object, field, ConditionType::ResolvedRefs, refusal.reason, message);
            }
        }
        targets.push(target.map_err(|refusal| refusal.reason));
    }
    targets
}

/// Warns where the port of a Service says that its endpoints speak what is not known here.
pub(super) fn warn_of_protocol(build: &mut Build<'_>, object: &ObjectRef, field: String, port: &ServicePort) {
    if let Some(message) = transport::warning(build.cache, port) {
        build.warning(object, field, ConditionType::ResolvedRefs, Reason::UnsupportedProtocol, message);
    }
}

/// Who gets copies of requests. A reference that cannot be used is told of, and costs nothing else.
fn mirror(
    build: &mut Build<'_>,
    route: &Selected<'_, GatewayRoute>,
    rule: usize,
    asked: &resource::Mirror,
) -> Option<Mirror> {
    let own = &*route.object.namespace;
    let wanted = Wanted {
        from: From { kind: GATEWAY_ROUTE, namespace: own },
        namespace: asked.namespace.as_deref().unwrap_or(own),
        service: &asked.service,
        port: asked.port.as_ref(),
    };
    let field = format!("spec.rules[{rule}].mirror");
    match backends::resolve(build.cache, build.context, wanted) {
        Ok(port) => {
            let percent = asked.percent.map_or(100, |percent| u8::try_from(percent.clamp(0, 100)).unwrap_or_default());
            warn_of_protocol(build, &route.object, format!("{field}.port"), &port);
            Some(Mirror { target: build.upstream(&port), percent })
        }
        Err(refusal) => {
            let field = format!("{field}.{}", field_of(refusal.part));
            build.error(&route.object, field, ConditionType::ResolvedRefs, refusal.reason, refusal.message);
            None
        }
    }
}

const fn field_of(part: Part) -> &'static str {
    match part {
        Part::Namespace => "namespace",
        Part::Service => "service",
        Part::Port => "port",
    }
}

fn share(build: &mut Build<'_>, backend: &BackendRef, target: &Target, outcome: &mut Outcome) -> Backend {
    let target = match target {
        Ok(port) => {
            let id = build.upstream(port);
            outcome.upstreams.push(id);
            BackendTarget::Upstream(id)
        }
        Err(reason) => BackendTarget::Invalid(*reason),
    };
    Backend { target, weight: u32::try_from(backend.weight).unwrap_or_default() }
}

fn note_trust(spec: &GatewayRouteSpec, outcome: &mut Outcome) {
    let tls = spec.proxy.as_ref().and_then(|proxy| proxy.tls.as_ref());
    if tls.is_some_and(|tls| tls.insecure_skip_verify.unwrap_or_default()) {
        outcome.notes.push("spec.proxy.tls.insecureSkipVerify: any certificate of endpoints is taken".to_owned());
    }
}

fn note_path_safety(index: usize, safety: PathSafety, outcome: &mut Outcome) {
    let note = match safety {
        PathSafety::Strict => return,
        PathSafety::AllowEncodedSlash => "encoded slashes pass",
        PathSafety::Raw => "paths pass unchecked",
    };
    outcome.notes.push(format!("spec.rules[{index}].pathSafety: {note}"));
}

fn serve_certificate(
    build: &mut Build<'_>,
    route: &Selected<'_, GatewayRoute>,
    spec: &GatewayRouteSpec,
    hosts: &[HostPattern],
) {
    let Some(tls) = &spec.tls else { return };
    let Some(name) = &tls.secret_name else { return };
    let own = &*route.object.namespace;
    let wanted = certificates::Wanted {
        object: &route.object,
        from: From { kind: GATEWAY_ROUTE, namespace: own },
        namespace: tls.secret_namespace.as_deref().unwrap_or(own),
        name,
        field: "spec.tls.secretName",
    };
    certificates::serve(build, wanted, &host_names(hosts));
}

/// The names that clients ask for; none for a route that takes every host.
pub(super) fn host_names(hosts: &[HostPattern]) -> Vec<Arc<str>> {
    let name = |host: &HostPattern| match host {
        HostPattern::Exact(name) => Some(Arc::clone(name)),
        HostPattern::Wildcard(suffix) | HostPattern::WildcardLabel(suffix) => Some(format!("*.{suffix}").into()),
        HostPattern::Any => None,
    };
    hosts.iter().filter_map(name).collect()
}

fn explain_broken(build: &mut Build<'_>, object: &ObjectRef, rules: &[CompiledRule]) {
    if !rules.is_empty() && rules.iter().all(|rule| rule.broken.is_some()) {
        let message = "no rule can serve: requests that reach one get 500, and a rule without a valid match takes none";
        build.error(object, "", ConditionType::Programmed, Reason::Invalid, message);
    }
}
