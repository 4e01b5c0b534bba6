//! Ingresses: rules, the default backend and TLS hosts to patterns.

use super::{Compile, Finding, hosts, no_errors, paths, same_version};
use crate::{
    model::{condition::Reason, rule::PathSafety},
    resource::{PathMatchType, PortRef},
    table::{HostPattern, PathPattern},
};
use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, Ingress, IngressBackend, IngressRule, IngressSpec, IngressTLS,
};
use std::sync::Arc;

/// The annotation that turns redirects to HTTPS on.
pub const SSL_REDIRECT: &str = "paifang.dev/ssl-redirect";

/// What an Ingress says by itself.
#[derive(Debug, Default)]
pub struct CompiledIngress {
    /// One route per host and path, in the order of the object; the default backend's come last.
    pub routes: Vec<IngressRoute>,
    /// The certificates that it asks for.
    pub tls: Vec<CompiledTls>,
    /// Whether plain HTTP requests for its TLS hosts are redirected.
    pub redirect: bool,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// One host and path of an Ingress.
#[derive(Clone, Debug)]
pub struct IngressRoute {
    /// The host.
    pub host: HostPattern,
    /// The path.
    pub path: PathPattern,
    /// The Service.
    pub backend: Option<ServiceBackend>,
    /// The field of the backend.
    pub field: Arc<str>,
    /// The default backend, which any other rule outranks.
    pub last: bool,
    /// Why it cannot serve at all.
    pub broken: Option<Reason>,
}

/// A Service as Ingress names it.
#[derive(Clone, Debug)]
pub struct ServiceBackend {
    /// The name.
    pub service: Arc<str>,
    /// The port.
    pub port: PortRef,
}

/// One entry of `spec.tls`.
#[derive(Clone, Debug)]
pub struct CompiledTls {
    /// The hosts; empty for all hosts of the Ingress.
    pub hosts: Vec<HostPattern>,
    /// The Secret; `None` where only redirects or the default certificate are wanted.
    pub secret: Option<Arc<str>>,
}

impl CompiledIngress {
    /// Whether a host is under TLS by this Ingress.
    #[must_use]
    pub fn is_tls(&self, host: &HostPattern) -> bool {
        self.tls.iter().any(|tls| tls.hosts.is_empty() || tls.hosts.contains(host))
    }

    /// The distinct hosts of the routes.
    #[must_use]
    pub fn hosts(&self) -> Vec<HostPattern> {
        let mut hosts: Vec<_> = self.routes.iter().map(|route| route.host.clone()).collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }
}

impl Compile for Ingress {
    type Output = CompiledIngress;

    fn compile(&self) -> CompiledIngress {
        let default = IngressSpec::default();
        let spec = self.spec.as_ref().unwrap_or(&default);
        let mut compiled = CompiledIngress::default();
        for (index, rule) in spec.rules.iter().flatten().enumerate() {
            compile_rule(index, rule, &mut compiled);
        }
        if let Some(backend) = &spec.default_backend {
            compile_default(backend, spec.rules.as_deref().unwrap_or_default(), &mut compiled);
        }
        compiled.tls = compile_tls(spec.tls.as_deref().unwrap_or_default(), &mut compiled.findings);
        compiled.redirect = compile_redirect(self, &mut compiled);
        compiled
    }

    fn failed() -> CompiledIngress {
        CompiledIngress { findings: vec![Finding::bug()], ..CompiledIngress::default() }
    }

    fn is_good(output: &CompiledIngress) -> bool {
        no_errors(&output.findings)
    }

    fn same_object(old: &Self, new: &Self) -> bool {
        old.metadata.uid == new.metadata.uid
    }

    fn same_meaning(old: &Self, new: &Self) -> bool {
        same_version(&old.metadata, &new.metadata)
            && old.spec == new.spec
            && old.metadata.annotations == new.metadata.annotations
    }
}

fn compile_rule(index: usize, rule: &IngressRule, compiled: &mut CompiledIngress) {
    let field = format!("spec.rules[{index}]");
    let Some(host) = compile_host(rule.host.as_deref(), &format!("{field}.host"), &mut compiled.findings) else {
        return;
    };
    for (index, path) in rule.http.iter().flat_map(|http| http.paths.iter()).enumerate() {
        compile_http_path(&host, path, &format!("{field}.http.paths[{index}]"), compiled);
    }
}

fn compile_host(host: Option<&str>, field: &str, findings: &mut Vec<Finding>) -> Option<HostPattern> {
    match host.unwrap_or_default() {
        "" => Some(HostPattern::Any),
        host => hosts::parse(host, hosts::Star::OneLabel)
            .map_err(|message| findings.push(Finding::error(field, message)))
            .ok(),
    }
}

fn compile_http_path(host: &HostPattern, path: &HTTPIngressPath, field: &str, compiled: &mut CompiledIngress) {
    // ImplementationSpecific is a prefix here, as it is for most controllers.
    let type_ = match path.path_type.as_str() {
        "Exact" => PathMatchType::Exact,
        _ => PathMatchType::PathPrefix,
    };
    let value = path.path.as_deref().filter(|value| !value.is_empty()).unwrap_or("/");
    let field_of_path = format!("{field}.path");
    match paths::parse(type_, value, PathSafety::Strict) {
        Ok(pattern) => push_route(host.clone(), pattern, &path.backend, &format!("{field}.backend"), false, compiled),
        Err(message) => compiled.findings.push(Finding::error(field_of_path, message)),
    }
}

fn push_route(
    host: HostPattern,
    path: PathPattern,
    backend: &IngressBackend,
    field: &str,
    last: bool,
    compiled: &mut CompiledIngress,
) {
    let backend = compile_backend(backend).map_err(|(reason, message)| {
        let finding = Finding { reason, ..Finding::error(field, message) };
        if !compiled.findings.contains(&finding) {
            compiled.findings.push(finding);
        }
        reason
    });
    compiled.routes.push(IngressRoute {
        host,
        path,
        broken: backend.as_ref().err().copied(),
        backend: backend.ok(),
        field: field.into(),
        last,
    });
}

fn compile_backend(backend: &IngressBackend) -> Result<ServiceBackend, (Reason, String)> {
    let Some(service) = &backend.service else {
        return Err((Reason::InvalidKind, "a resource cannot be a backend: name a service and its port".to_owned()));
    };
    let port = service.port.as_ref();
    let port = match port.map(|port| (port.number, port.name.as_deref())) {
        Some((Some(number), _)) => u16::try_from(number).ok().map(PortRef::Number),
        Some((None, Some(name))) => Some(PortRef::Name(name.to_owned())),
        _ => None,
    };
    let port = port.ok_or_else(|| {
        (Reason::UnsupportedValue, "service.port must have a number from 1 to 65535 or a name".to_owned())
    })?;
    Ok(ServiceBackend { service: service.name.as_str().into(), port })
}

/// The default backend takes what no rule of any object takes: for the hosts of this Ingress, or
/// for every host where it names none.
fn compile_default(backend: &IngressBackend, rules: &[IngressRule], compiled: &mut CompiledIngress) {
    let mut hosts: Vec<_> =
        rules.iter().filter_map(|rule| compile_host(rule.host.as_deref(), "", &mut Vec::new())).collect();
    if rules.is_empty() {
        hosts.push(HostPattern::Any);
    }
    hosts.sort();
    hosts.dedup();
    for host in hosts {
        push_route(host, PathPattern::Prefix("".into()), backend, "spec.defaultBackend", true, compiled);
    }
}

fn compile_tls(entries: &[IngressTLS], findings: &mut Vec<Finding>) -> Vec<CompiledTls> {
    let mut compiled = Vec::with_capacity(entries.len());
    for (index, tls) in entries.iter().enumerate() {
        let names = tls.hosts.as_deref().unwrap_or_default();
        let mut hosts = Vec::with_capacity(names.len());
        for (at, name) in names.iter().enumerate() {
            hosts.extend(compile_host(Some(name), &format!("spec.tls[{index}].hosts[{at}]"), findings));
        }
        if hosts.len() == names.len() {
            compiled.push(CompiledTls { hosts, secret: tls.secret_name.as_deref().map(Into::into) });
        }
    }
    compiled
}

fn compile_redirect(ingress: &Ingress, compiled: &mut CompiledIngress) -> bool {
    let annotation = ingress.metadata.annotations.as_ref().and_then(|annotations| annotations.get(SSL_REDIRECT));
    let field = format!("metadata.annotations[{SSL_REDIRECT}]");
    match annotation.map(String::as_str) {
        Some("true") if compiled.tls.is_empty() => {
            let message = "there is no spec.tls, so nothing is redirected: add the hosts that are served over HTTPS";
            compiled.findings.push(Finding::warning(field, message));
            false
        }
        Some("true") => true,
        None | Some("false") => false,
        Some(other) => {
            let message = format!("`{other}` is neither \"true\" nor \"false\": nothing is redirected");
            compiled.findings.push(Finding::warning(field, message));
            false
        }
    }
}
