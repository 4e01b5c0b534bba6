//! The translation in progress: everything that the sources add to.

use super::{
    Context, Outcome, Translation,
    claims::Policies,
    found::Certificates,
    transport::{self, Asked},
    validated::ValidatedHosts,
};
use crate::{
    control::cache::Cache,
    model::{
        call::Directory,
        condition::{ConditionType, Reason},
        diagnostic::{Diagnostic, ObjectRef, Severity},
        rule::Rule,
        snapshot::{RuleId, Snapshot},
        target::{ServicePort, UpstreamId},
        transport::Protocol,
        upstream::Upstream,
    },
    resource::PortRef,
    rpc::registry::Dialect,
    table::Entry,
};
use std::{collections::HashMap, sync::Arc};

/// The directories made so far, by namespace and port.
type Directories = HashMap<(Arc<str>, Option<PortRef>), Arc<Directory>>;

/// A translation in progress.
pub(super) struct Build<'a> {
    /// The objects.
    pub(super) cache: &'a Cache,
    /// What is known besides.
    pub(super) context: &'a Context,
    /// Who sets the policy of which Service port.
    pub(super) policies: Policies,
    /// The certificates found so far.
    pub(super) certificates: Certificates,
    /// The host names that ask for certificates of clients.
    pub(super) validated: ValidatedHosts,
    /// The services that resolvers find.
    pub(super) directories: Directories,
    entries: Vec<Entry<RuleId>>,
    rules: Vec<Arc<Rule>>,
    ports: Vec<ServicePort>,
    directory: HashMap<ServicePort, UpstreamId>,
    diagnostics: Vec<Diagnostic>,
    outcomes: Vec<Outcome>,
}

impl<'a> Build<'a> {
    /// An empty translation.
    pub(super) fn new(cache: &'a Cache, context: &'a Context) -> Self {
        Self {
            cache,
            context,
            policies: Policies::default(),
            certificates: Certificates::default(),
            validated: ValidatedHosts::default(),
            directories: Directories::default(),
            entries: Vec::new(),
            rules: Vec::new(),
            ports: Vec::new(),
            directory: HashMap::new(),
            diagnostics: Vec::new(),
            outcomes: Vec::new(),
        }
    }

    /// Adds an explanation.
    pub(super) fn note(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Adds an explanation that makes a condition False.
    pub(super) fn error(
        &mut self,
        object: &ObjectRef,
        field: impl Into<String>,
        condition: ConditionType,
        reason: Reason,
        message: impl Into<String>,
    ) {
        self.note(Diagnostic {
            object: object.clone(),
            field: field.into(),
            severity: Severity::Error,
            condition,
            reason,
            message: message.into(),
        });
    }

    /// Adds an explanation of something that works, but not as its author may think.
    pub(super) fn warning(
        &mut self,
        object: &ObjectRef,
        field: impl Into<String>,
        condition: ConditionType,
        reason: Reason,
        message: impl Into<String>,
    ) {
        let (field, message) = (field.into(), message.into());
        self.note(Diagnostic {
            object: object.clone(),
            field,
            severity: Severity::Warning,
            condition,
            reason,
            message,
        });
    }

    /// The upstream of a Service port, the same one for every route to it.
    pub(super) fn upstream(&mut self, port: &ServicePort) -> UpstreamId {
        if let Some(id) = self.directory.get(port) {
            return *id;
        }
        let id = UpstreamId(place(self.ports.len()));
        self.ports.push(port.clone());
        self.directory.insert(port.clone(), id);
        id
    }

    /// The port of an upstream.
    pub(super) fn port(&self, id: UpstreamId) -> Option<&ServicePort> {
        self.ports.get(id.index())
    }

    /// Adds a rule and returns its place.
    pub(super) fn add_rule(&mut self, rule: Rule) -> RuleId {
        let id = RuleId(place(self.rules.len()));
        self.rules.push(Arc::new(rule));
        id
    }

    /// Adds a row of the table.
    pub(super) fn add_entry(&mut self, entry: Entry<RuleId>) {
        self.entries.push(entry);
    }

    /// Adds what became of an object.
    pub(super) fn close(&mut self, mut outcome: Outcome) {
        outcome.upstreams.sort_unstable();
        outcome.upstreams.dedup();
        self.outcomes.push(outcome);
    }

    fn finish_upstream(&mut self, port: ServicePort) -> Upstream {
        let policy = self.policies.of(&port);
        let asked = Asked { port: &port, scheme: policy.scheme, tls: self.policies.tls_of(&port) };
        let transport = transport::of(self.cache, self.context, &asked, &mut self.diagnostics);
        let is_http2 = transport.as_ref().is_some_and(|transport| transport.protocol == Protocol::Http2);
        let spoken = transport::registered(self.cache, &port);
        let dialect = spoken.unwrap_or(if is_http2 { Dialect::Grpc } else { Dialect::Mucp });
        Upstream { port, policy, transport, dialect }
    }

    /// The finished translation.
    pub(super) fn finish(mut self) -> Translation {
        let ports = std::mem::take(&mut self.ports);
        let upstreams = ports.into_iter().map(|port| self.finish_upstream(port)).collect();
        self.diagnostics.sort();
        self.diagnostics.dedup();
        self.outcomes.sort_by(|a, b| a.object.cmp(&b.object));
        let (certificates, default_certificate) = self.certificates.finish();
        let snapshot = Snapshot {
            listeners: self.context.listeners.clone(),
            rules: self.rules,
            upstreams,
            directory: self.directory,
            certificates,
            default_certificate,
            client_validation: self.validated.finish(&self.entries),
            ticket_keys: Vec::new(),
        };
        Translation {
            snapshot,
            entries: self.entries,
            diagnostics: self.diagnostics,
            outcomes: self.outcomes,
            policies: self.policies,
        }
    }
}

fn place(length: usize) -> u32 {
    u32::try_from(length).expect("a cluster's objects must fit into 32 bits")
}
