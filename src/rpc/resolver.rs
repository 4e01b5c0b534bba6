//! From a request to the name of a service and of its method, as go-micro's resolvers read it.
//!
//! The five kinds of go-micro with one rule of names for all of them: the namespace is joined always, and a
//! method is computed always, where go-micro's own leave it to the handler and then fail.

use percent_encoding::percent_decode_str;
use std::sync::Arc;

mod name;
#[cfg(test)]
pub(crate) mod tests;

/// Where the name of the service stands in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Service and method from the path: `/greeter/say/hello` is `Say.Hello` of `greeter`.
    Micro,
    /// The first segment of the path.
    Path,
    /// The first segment, or the first two where the first is a version: `/v1/foo` is `v1.foo`.
    VPath,
    /// The host, without its port.
    Host,
    /// A gRPC path: `/greeter.Say/Hello` is `Say.Hello` of `greeter`.
    Grpc,
}

/// What a handler asks of a resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A service that is called by method: the handlers `api` and `rpc`.
    Method,
    /// A service that takes the request as it is: `http` and `web`.
    Service,
}

/// A resolver of one route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolver {
    kind: Kind,
    namespace: Arc<str>,
}

/// A service, and its method where one was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The name of the service, with its namespace: `go.micro.api.greeter`.
    pub service: String,
    /// The method, `Say.Hello`. Empty when only a service was wanted.
    pub method: String,
}

/// Why a request names nothing that can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// There is nothing to read a service from.
    #[error("the request names no service")]
    NoService,
    /// There is a service and no method.
    #[error("the request names no method of the service")]
    NoMethod,
    /// The first segment of a path is not the name of a service.
    #[error("the path does not start with the name of a service: letters and digits, joined by hyphens")]
    BadName,
}

impl Resolver {
    /// A resolver that puts services into this namespace.
    ///
    /// An empty namespace adds nothing. One that ends in a hyphen is put in front, and every dot of the result becomes
    /// a hyphen, as names of Kubernetes want it. Any other is joined with one dot.
    #[must_use]
    pub fn new(kind: Kind, namespace: impl Into<Arc<str>>) -> Self {
        Self { kind, namespace: namespace.into() }
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What is put in front of names.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What a request names: `host` as the request has it, and the path without its query, percent-encoded.
    ///
    /// # Errors
    /// When the request names no service, or no method where one is wanted.
    pub fn resolve(&self, host: &str, path: &str, wanted: Wanted) -> Result<Resolved, Unresolved> {
        let decoded = percent_decode_str(path).decode_utf8_lossy();
        let segments = name::clean(&decoded);
        let service = self.service(host, &segments, wanted)?;
        let method = match wanted {
            Wanted::Service => String::new(),
            Wanted::Method => self.method(&segments).ok_or(Unresolved::NoMethod)?,
        };
        Ok(Resolved { service: name::join(&self.namespace, &service), method })
    }

    fn service(&self, host: &str, segments: &[&str], wanted: Wanted) -> Result<String, Unresolved> {
        let (first, rest) = segments.split_first().map_or(("", segments), |(first, rest)| (*first, rest));
        let service = match (self.kind, wanted) {
            (Kind::Host, _) => name::without_port(host).to_owned(),
            (Kind::Micro, Wanted::Method) => name::service_of(segments).join("."),
            (Kind::Micro, Wanted::Service) => return alias(first, rest),
            (Kind::VPath, _) => versioned(first, rest),
            (Kind::Path, _) => first.to_owned(),
            (Kind::Grpc, _) => first.rsplit_once('.').map_or("", |(package, _)| package).to_owned(),
        };
        if service.is_empty() { Err(Unresolved::NoService) } else { Ok(service) }
    }

    fn method(&self, segments: &[&str]) -> Option<String> {
        match (self.kind, segments) {
            (Kind::Grpc, [service, method, ..]) => {
                let (_, name) = service.rsplit_once('.')?;
                (!name.is_empty()).then(|| format!("{name}.{method}"))
            }
            (Kind::Grpc, _) => None,
            (Kind::VPath, [version, rest @ ..]) if name::is_version(version) && !rest.is_empty() => {
                name::method_of(rest)
            }
            _ => name::method_of(segments),
        }
    }
}

/// The method that a path names by the rule of [`Kind::Micro`], for a service that is known already.
#[must_use]
pub fn method_of(path: &str) -> Option<String> {
    name::method_of(&name::clean(&percent_decode_str(path).decode_utf8_lossy()))
}

/// The first segment, with the version in front of it where there is one.
fn versioned(first: &str, rest: &[&str]) -> String {
    match rest.first() {
        Some(second) if name::is_version(first) => format!("{first}.{second}"),
        _ => first.to_owned(),
    }
}

/// The service of a path that is not a call: only a plain name is one.
fn alias(first: &str, rest: &[&str]) -> Result<String, Unresolved> {
    let named = match rest.first() {
        Some(second) if name::is_version(first) => second,
        _ => first,
    };
    match named {
        "" => Err(Unresolved::NoService),
        _ if !name::is_alias(named) => Err(Unresolved::BadName),
        _ => Ok(versioned(first, rest)),
    }
}
