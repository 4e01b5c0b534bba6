//! References to TLS Secrets, and the certificates by the host names that ask for them.

use super::{
    build::Build,
    found::Found,
    references::{self, From, SECRET, To},
};
use crate::{
    control::{
        cache::{Cache, Store, Tracked},
        compile::{
            Compile,
            certificate::{AUTHORITIES, CertificateError, ParsedCertificate},
        },
    },
    model::{
        condition::{ConditionType, Reason},
        diagnostic::{Kind, ObjectRef},
    },
};
use std::sync::Arc;

/// A Secret as an object names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// The object that names it.
    pub(super) object: &'a ObjectRef,
    /// The same, as grants name it.
    pub(super) from: From<'a>,
    /// The namespace of the Secret.
    pub(super) namespace: &'a str,
    /// The name of the Secret.
    pub(super) name: &'a str,
    /// The field that names it.
    pub(super) field: &'a str,
}

/// Serves a Secret's certificate for some host names, or for all names that it is made for where
/// none are given.
pub(super) fn serve(build: &mut Build<'_>, wanted: Wanted<'_>, hosts: &[Arc<str>]) {
    let Some((namespace, name, parsed)) = find_certificate(build, wanted) else { return };
    let place = build.certificates.place(&namespace, &name, &parsed);
    warn_of_dates(build, wanted, &parsed);
    let hosts = if hosts.is_empty() { &parsed.names } else { hosts };
    for host in hosts {
        serve_host(build, wanted, &parsed, host, place);
    }
}

fn serve_host(build: &mut Build<'_>, wanted: Wanted<'_>, parsed: &ParsedCertificate, host: &Arc<str>, place: usize) {
    let warn = |build: &mut Build<'_>, reason, message: String| {
        build.warning(wanted.object, wanted.field, ConditionType::ResolvedRefs, reason, message);
    };
    if !parsed.covers(host) {
        let message = format!("the certificate is not made for `{host}`: clients will refuse it");
        warn(build, Reason::InvalidCertificateRef, message);
    }
    if !build.certificates.serve(host, place) {
        let message = format!("an older object already serves `{host}` with the certificate of another Secret");
        warn(build, Reason::Conflicted, message);
    }
}

/// Where a Secret is, and the part of it that is wanted.
type FoundPart<T> = (Arc<str>, Arc<str>, T);

/// Finds a part of a Secret, in its newest version, or in the last good one where that is broken. `instead` says
/// what happens where there is none.
pub(super) fn find<S, T>(
    build: &mut Build<'_>,
    wanted: Wanted<'_>,
    instead: &str,
    parts: impl Fn(&Cache) -> &Store<Tracked<S>>,
) -> Option<FoundPart<T>>
where
    S: Compile<Output = Result<T, CertificateError>>,
    T: Clone + 'static,
{
    let Wanted { from, namespace, name, .. } = wanted;
    let cache = build.cache;
    let refuse = |build: &mut Build<'_>, reason, message: String| {
        build.error(wanted.object, wanted.field, ConditionType::ResolvedRefs, reason, message);
    };
    if let Err(message) = references::may_reference(cache, from, To { kind: SECRET, namespace, name }) {
        refuse(build, Reason::RefNotPermitted, message);
        return None;
    }
    if !build.context.secrets.covers(namespace) {
        let message = references::not_read(build.context, namespace);
        refuse(build, Reason::InvalidCertificateRef, message);
        return None;
    }
    let Some((namespace, name, tracked)) = parts(cache).get_named(namespace, name) else {
        let message = match cache.secrets.get(namespace, name) {
            Some(_) => format!("Secret `{name}` cannot be used: its data has no {AUTHORITIES}; {instead}"),
            None => format!("there is no Secret `{name}` in namespace `{namespace}`: {instead}"),
        };
        refuse(build, Reason::InvalidCertificateRef, message);
        return None;
    };
    let (found, problem) = tracked.usable();
    if let Some(problem) = problem {
        let instead = if found.is_some() { "its last good version goes on serving" } else { instead };
        let message = format!("Secret `{name}` cannot be used: {problem}; {instead}");
        refuse(build, Reason::InvalidCertificateRef, message);
    }
    Some((Arc::clone(namespace), Arc::clone(name), found?.clone()))
}

fn find_certificate(build: &mut Build<'_>, wanted: Wanted<'_>) -> Option<FoundPart<ParsedCertificate>> {
    let instead = instead(build, wanted);
    find(build, wanted, instead, |cache| &cache.secrets)
}

/// What TLS clients get where a Secret serves nothing.
fn instead(build: &Build<'_>, wanted: Wanted<'_>) -> &'static str {
    // Only the gateway's own settings speak for the Secret itself.
    if wanted.object.kind == Kind::Secret {
        "there is no default certificate, so TLS handshakes fail for names without a certificate of their own"
    } else if build.context.default_certificate.is_some() {
        "the default certificate is served"
    } else {
        "there is no default certificate either, so TLS handshakes fail for names that no other certificate covers"
    }
}

fn warn_of_dates(build: &mut Build<'_>, wanted: Wanted<'_>, parsed: &ParsedCertificate) {
    let now = build.context.now;
    let message = if parsed.not_after < now {
        "the certificate has expired: clients will refuse it"
    } else if parsed.not_before > now {
        "the certificate is not valid yet: clients will refuse it"
    } else {
        return;
    };
    build.warning(wanted.object, wanted.field, ConditionType::ResolvedRefs, Reason::InvalidCertificateRef, message);
}

/// Finds the certificate that is served where no name matches. Its Secret is named by the
/// gateway's own settings, so that no grant is asked for.
pub(super) fn add_default(build: &mut Build<'_>) {
    let Some((namespace, name)) = &build.context.default_certificate else { return };
    let object = ObjectRef::new(Kind::Secret, namespace, name);
    let from = From { kind: SECRET, namespace };
    let wanted = Wanted { object: &object, from, namespace, name, field: "" };
    let Some((namespace, secret, parsed)) = find_certificate(build, wanted) else { return };
    warn_of_dates(build, wanted, &parsed);
    let hostnames = Vec::new();
    build.certificates.default = Some(Found { namespace, secret, parsed, hostnames }.finish());
}
