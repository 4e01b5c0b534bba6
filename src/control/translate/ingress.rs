//! Ingresses to rules and table entries.

use super::{
    Outcome,
    backends::{self, Part, Wanted},
    build::Build,
    certificates,
    gateway_route::{host_names, warn_of_protocol},
    references::{From, INGRESS},
    source::{Selected, Source},
};
use crate::{
    control::compile::{
        Finding,
        ingress::{CompiledIngress, IngressRoute},
    },
    model::{
        condition::{ConditionType, Reason},
        diagnostic::Kind,
        rule::{Backend, BackendTarget, Handler, Options, Origin, Rule, Targets},
        target::ServicePort,
    },
    table::{Conditions, Entry},
};
use k8s_openapi::{
    api::networking::v1::{Ingress, IngressClass},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use std::sync::Arc;

const CLASS: &str = "kubernetes.io/ingress.class";
const DEFAULT_CLASS: &str = "ingressclass.kubernetes.io/is-default-class";

/// The Ingresses of this gateway's classes.
pub(super) fn select<'a>(build: &mut Build<'a>) -> Vec<Source<'a>> {
    let classes = Classes::of(build);
    let ingresses = build.cache.ingresses.iter();
    let is_ours = |ingress: &Ingress| classes.claims(ingress);
    let select = |ingress| Selected::new(build, Kind::Ingress, ingress, meta, is_ours).map(Source::Ingress);
    ingresses.filter_map(select).collect()
}

/// The ways in which an Ingress can say that it is ours.
struct Classes<'a> {
    names: Vec<&'a str>,
    /// The value of the annotation that classes took the place of.
    annotation: &'a str,
    serves_unnamed: bool,
}

impl<'a> Classes<'a> {
    fn of(build: &Build<'a>) -> Self {
        let context = build.context;
        let annotation = context.class_name.as_str();
        if context.watched != super::Namespaces::All {
            return Self { names: vec![annotation], annotation, serves_unnamed: false };
        }
        let is_ours = |class: &IngressClass| {
            class.spec.as_ref().and_then(|spec| spec.controller.as_deref()) == Some(context.controller_name.as_str())
        };
        let ours: Vec<_> = build.cache.classes.iter().filter(|(.., class)| is_ours(class)).collect();
        Self {
            names: ours.iter().map(|(_, name, _)| &***name).collect(),
            annotation,
            serves_unnamed: ours.iter().any(|(.., class)| is_default(class)),
        }
    }

    /// A class named in the spec counts before the annotation.
    fn claims(&self, ingress: &Ingress) -> bool {
        let class = ingress.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_deref());
        let annotation = annotation(&ingress.metadata, CLASS);
        match (class, annotation) {
            (Some(class), _) => self.names.contains(&class),
            (None, Some(annotation)) => annotation == self.annotation,
            (None, None) => self.serves_unnamed,
        }
    }
}

fn is_default(class: &IngressClass) -> bool {
    annotation(&class.metadata, DEFAULT_CLASS) == Some("true")
}

fn annotation<'a>(meta: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(name).map(String::as_str)
}

const fn meta(ingress: &Ingress) -> &ObjectMeta {
    &ingress.metadata
}

fn findings(compiled: &CompiledIngress) -> &[Finding] {
    &compiled.findings
}

/// Translates one Ingress.
pub(super) fn translate(build: &mut Build<'_>, ingress: &Selected<'_, Ingress>) {
    let mut outcome = ingress.open(build, meta, findings);
    if ingress.serving.is_condemned() {
        return build.close(outcome);
    }
    let compiled = ingress.serving.compiled();
    let name: Arc<str> = format!("{}/{}", ingress.object.namespace, ingress.object.name).into();
    for (index, route) in compiled.routes.iter().enumerate() {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let rule = translate_route(build, ingress, compiled, index, route, &mut outcome);
        let payload = build.add_rule(rule);
        build.add_entry(Entry {
            host: route.host.clone(),
            path: route.path.clone(),
            conditions: Conditions::default(),
            // Any rule of any object outranks a default backend, however young it is.
            created: if route.last { i64::MAX } else { ingress.created },
            order: (Arc::clone(&name), index),
            payload,
        });
    }
    serve_certificates(build, ingress, compiled);
    build.close(outcome);
}

fn translate_route(
    build: &mut Build<'_>,
    ingress: &Selected<'_, Ingress>,
    compiled: &CompiledIngress,
    index: u32,
    route: &IngressRoute,
    outcome: &mut Outcome,
) -> Rule {
    let target = resolve_backend(build, ingress, route);
    let target = target.map(|port| build.upstream(&port));
    outcome.upstreams.extend(target.as_ref().ok());
    Rule {
        origin: Origin { object: ingress.object.clone(), rule: index, name: "".into() },
        targets: Targets::Backends(
            [Backend { target: target.map_or_else(BackendTarget::Invalid, BackendTarget::Upstream), weight: 1 }].into(),
        ),
        mirror: None,
        clients: None,
        options: Options {
            // An Ingress has no word for upgrades, and its users expect WebSockets to work.
            handler: Handler::Web,
            redirect_to_https: compiled.redirect && compiled.is_tls(&route.host),
            ..Options::default()
        },
        broken: route.broken,
    }
}

fn resolve_backend(
    build: &mut Build<'_>,
    ingress: &Selected<'_, Ingress>,
    route: &IngressRoute,
) -> Result<ServicePort, Reason> {
    let Some(backend) = &route.backend else { return Err(route.broken.unwrap_or(Reason::Invalid)) };
    let namespace = &*ingress.object.namespace;
    let from = From { kind: INGRESS, namespace };
    let wanted = Wanted { from, namespace, service: &backend.service, port: Some(&backend.port) };
    let target = backends::resolve(build.cache, build.context, wanted);
    match &target {
        Ok(port) => warn_of_protocol(build, &ingress.object, format!("{}.service.port", route.field), port),
        Err(refusal) => {
            let part = if refusal.part == Part::Port { "port" } else { "name" };
            let (field, message) = (format!("{}.service.{part}", route.field), refusal.message.clone());
            build.error(&ingress.object, field, ConditionType::ResolvedRefs, refusal.reason, message);
        }
    }
    target.map_err(|refusal| refusal.reason)
}

fn serve_certificates(build: &mut Build<'_>, ingress: &Selected<'_, Ingress>, compiled: &CompiledIngress) {
    let namespace = &*ingress.object.namespace;
    for (index, tls) in compiled.tls.iter().enumerate() {
        let Some(name) = &tls.secret else { continue };
        let hosts = if tls.hosts.is_empty() { host_names(&compiled.hosts()) } else { host_names(&tls.hosts) };
        let field = format!("spec.tls[{index}].secretName");
        let from = From { kind: INGRESS, namespace };
        let wanted = certificates::Wanted { object: &ingress.object, from, namespace, name, field: &field };
        certificates::serve(build, wanted, &hosts);
    }
}
