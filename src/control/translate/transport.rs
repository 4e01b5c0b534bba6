//! Transports of upstreams: what the port of a Service says that its endpoints speak, and what a
//! policy says of it.

use super::{
    Context,
    references::{self, From, GATEWAY_ROUTE, SECRET, To},
};
use crate::{
    control::{
        cache::{Cache, Tracked},
        compile::{
            Compile,
            certificate::{AUTHORITIES, CertificateError},
        },
        ports::tcp_ports,
    },
    model::{
        condition::{ConditionType, Reason},
        diagnostic::{Diagnostic, ObjectRef, Severity},
        target::ServicePort,
        transport::{EndpointTls, Protocol, Transport, Trust},
        upstream::Scheme,
    },
    resource::{self, SecretRef},
    rpc::registry::Dialect,
};
use aws_lc_rs::digest;
use rustls::{pki_types::ServerName, sign::CertifiedKey};
use std::sync::Arc;

/// A port, and what is set for it.
pub(super) struct Asked<'a> {
    pub(super) port: &'a ServicePort,
    pub(super) scheme: Option<Scheme>,
    /// How TLS is to be spoken, and the object that says so.
    pub(super) tls: Option<(&'a resource::EndpointTls, &'a ObjectRef)>,
}

/// How the endpoints of a port are connected to; `None` where what is set cannot be used.
pub(super) fn of(
    cache: &Cache,
    context: &Context,
    asked: &Asked<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Transport> {
    let (scheme, protocol) = match registered(cache, asked.port) {
        Some(Dialect::Grpc) => (Scheme::Http, Protocol::Http2),
        Some(_) => Default::default(),
        None => app_protocol(cache, asked.port).and_then(understand).unwrap_or_default(),
    };
    match asked.scheme.unwrap_or(scheme) {
        Scheme::Http => Some(Transport { protocol, tls: None }),
        Scheme::Https => {
            let tls = Tls { cache, context, asked }.resolve(diagnostics)?;
            Some(Transport { protocol, tls: Some(Arc::new(tls)) })
        }
    }
}

/// What the nodes of a service speak that registered itself.
pub(super) fn registered(cache: &Cache, port: &ServicePort) -> Option<Dialect> {
    let known = cache.registrations.get(&port.namespace, &port.service).filter(|_| port.is_registered())?;
    known.dialect()
}

/// The words that the port's `appProtocol` may have.
fn understand(word: &str) -> Option<(Scheme, Protocol)> {
    match word {
        "http" | "kubernetes.io/ws" => Some((Scheme::Http, Protocol::Http1)),
        "grpc" | "h2c" | "kubernetes.io/h2c" => Some((Scheme::Http, Protocol::Http2)),
        "https" | "kubernetes.io/wss" => Some((Scheme::Https, Protocol::Http1)),
        "h2" => Some((Scheme::Https, Protocol::Http2)),
        _ => None,
    }
}

/// What is to be said where a port's `appProtocol` is none of these words.
pub(super) fn warning(cache: &Cache, port: &ServicePort) -> Option<String> {
    let word = app_protocol(cache, port).filter(|word| understand(word).is_none())?;
    Some(format!(
        "port {} of Service `{}` has appProtocol `{word}`, which is not known here, so HTTP/1.1 is spoken: use {}",
        port.port, port.service, "http, https, grpc, h2, kubernetes.io/h2c, kubernetes.io/ws or kubernetes.io/wss"
    ))
}

fn app_protocol<'a>(cache: &'a Cache, port: &ServicePort) -> Option<&'a str> {
    let service = cache.services.get(&port.namespace, &port.service)?;
    tcp_ports(service).find(|known| known.port == i32::from(port.port))?.app_protocol.as_deref()
}

/// TLS that is asked for.
struct Tls<'a> {
    cache: &'a Cache,
    context: &'a Context,
    asked: &'a Asked<'a>,
}

/// Why a Secret cannot be used.
type Refusal = (Reason, String);

/// What of a Secret is used, and what is wrong with its newest version.
type Found<T> = Result<(T, Option<Refusal>), Refusal>;

impl Tls<'_> {
    fn resolve(&self, diagnostics: &mut Vec<Diagnostic>) -> Option<EndpointTls> {
        let mut id = digest::Context::new(&digest::SHA256);
        let trust = self.told("caSecret", self.trust(&mut id), diagnostics);
        let certificate = self.told("clientCertificate", self.certificate(), diagnostics);
        let (trust, certificate, server_names) = (trust?, certificate?, self.server_names());
        if server_names.is_empty() {
            return self.nameless(diagnostics);
        }
        for name in &server_names {
            id.update(name.to_str().as_bytes());
            id.update(b"\n");
        }
        for shown in certificate.iter().flat_map(|key| &key.cert) {
            id.update(shown);
        }
        let id = id.finish().as_ref().iter().take(8).fold(0, |id, byte| id << 8 | u64::from(*byte));
        Some(EndpointTls { id, server_names, trust, certificate })
    }

    /// What was found, after what is wrong with it was noted.
    fn told<T>(&self, field: &str, found: Found<T>, diagnostics: &mut Vec<Diagnostic>) -> Option<T> {
        let (found, refusal) = match found {
            Ok((found, refusal)) => (Some(found), refusal),
            Err(refusal) => (None, Some(refusal)),
        };
        if let Some(((reason, message), (_, owner))) = refusal.zip(self.asked.tls) {
            let (object, field) = (owner.clone(), format!("spec.proxy.tls.{field}"));
            let (severity, condition) = (Severity::Error, ConditionType::ResolvedRefs);
            diagnostics.push(Diagnostic { object, field, severity, condition, reason, message });
        }
        found
    }

    /// A service may register itself by a name that no certificate can have.
    fn nameless(&self, diagnostics: &mut Vec<Diagnostic>) -> Option<EndpointTls> {
        let service = &self.asked.port.service;
        let message = format!("`{service}` is no host name, so that TLS needs one: set serverName; requests get 500");
        let refusal: Found<EndpointTls> = Err((Reason::UnsupportedValue, message));
        self.told("serverName", refusal, diagnostics)
    }

    /// Names of Services are host names, so that none of these is left out.
    fn server_names(&self) -> Box<[ServerName<'static>]> {
        let ServicePort { namespace, service, .. } = self.asked.port;
        let named = self.asked.tls.and_then(|(tls, _)| tls.server_name.clone());
        let of_service =
            || vec![format!("{service}.{namespace}.svc"), format!("{service}.{namespace}.svc.cluster.local")];
        let names = named.map_or_else(of_service, |name| vec![name]);
        names.into_iter().filter_map(|name| ServerName::try_from(name).ok()).collect()
    }

    fn trust(&self, id: &mut digest::Context) -> Found<Trust> {
        let tls = self.asked.tls;
        if tls.is_some_and(|(tls, _)| tls.insecure_skip_verify.unwrap_or_default()) {
            id.update(b"anyone");
            return Ok((Trust::Anyone, None));
        }
        let Some((wanted, owner)) = tls.and_then(|(tls, owner)| Some((tls.ca_secret.as_ref()?, owner))) else {
            return Ok((Trust::Authorities(Arc::clone(&self.context.system_authorities)), None));
        };
        let namespace = self.readable(wanted, owner)?;
        let Some(tracked) = self.cache.authorities.get(namespace, &wanted.name) else {
            return Err(unusable(wanted, &format!("its data has no {AUTHORITIES}")));
        };
        let (found, refusal) = last_good(wanted, tracked)?;
        id.update(&found.bytes);
        Ok((Trust::Authorities(Arc::clone(&found.roots)), refusal))
    }

    fn certificate(&self) -> Found<Option<Arc<CertifiedKey>>> {
        let wanted = self.asked.tls.and_then(|(tls, owner)| Some((tls.client_certificate.as_ref()?, owner)));
        let Some((wanted, owner)) = wanted else { return Ok((None, None)) };
        let namespace = self.readable(wanted, owner)?;
        let Some(tracked) = self.cache.secrets.get(namespace, &wanted.name) else {
            return Err(unusable(wanted, "it cannot be read"));
        };
        let (parsed, refusal) = last_good(wanted, tracked)?;
        Ok((Some(Arc::clone(&parsed.key)), refusal))
    }

    /// The namespace of a Secret that is there and may be referred to.
    fn readable<'s>(&self, wanted: &'s SecretRef, owner: &'s ObjectRef) -> Result<&'s str, Refusal> {
        let (own, name) = (&*owner.namespace, &*wanted.name);
        let namespace = wanted.namespace.as_deref().unwrap_or(own);
        let from = From { kind: GATEWAY_ROUTE, namespace: own };
        references::may_reference(self.cache, from, To { kind: SECRET, namespace, name })
            .map_err(|message| (Reason::RefNotPermitted, message))?;
        if !self.context.secrets.covers(namespace) {
            return Err((Reason::InvalidCertificateRef, references::not_read(self.context, namespace)));
        }
        if self.cache.secrets.get(namespace, name).is_some() {
            return Ok(namespace);
        }
        let message = format!("there is no Secret `{name}` in namespace `{namespace}`: requests get 500");
        Err((Reason::InvalidCertificateRef, message))
    }
}

/// What of a Secret can be used; and where that is not its newest version, why.
fn last_good<'t, T, O: 'static>(wanted: &SecretRef, tracked: &'t Tracked<T>) -> Found<&'t O>
where
    T: Compile<Output = Result<O, CertificateError>>,
{
    let name = &wanted.name;
    match tracked.usable() {
        (None, problem) => Err(unusable(wanted, problem.as_deref().unwrap_or("it cannot be read"))),
        (Some(good), problem) => {
            let stale =
                |problem| format!("Secret `{name}` cannot be used: {problem}; its last good version goes on serving");
            Ok((good, problem.map(|problem| (Reason::InvalidCertificateRef, stale(problem)))))
        }
    }
}

fn unusable(wanted: &SecretRef, problem: &str) -> Refusal {
    let message = format!("Secret `{}` cannot be used: {problem}; requests get 500", wanted.name);
    (Reason::InvalidCertificateRef, message)
}
