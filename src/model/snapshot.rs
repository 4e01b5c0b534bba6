//! The snapshot: everything that one translation understood.

use super::{
    certificate::Certificate,
    client_validation::ClientValidation,
    listener::Listener,
    rule::{Handler, Rule},
    target::{ServicePort, UpstreamId},
    upstream::Upstream,
};
use crate::table::HostPattern;
use std::{collections::HashMap, sync::Arc};

/// A rule by its place in the snapshot's list: the payload of the routing table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u32);

impl RuleId {
    /// The place in the list.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Everything that one translation understood, immutable from then on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Where requests arrive.
    pub listeners: Vec<Listener>,
    /// The rules that the entries of the routing table name.
    pub rules: Vec<Arc<Rule>>,
    /// The upstreams that rules name.
    pub upstreams: Vec<Upstream>,
    /// Where in `upstreams` each Service port stands. Ports that no rule names have no place.
    pub directory: HashMap<ServicePort, UpstreamId>,
    /// Certificates by the host names that ask for them.
    pub certificates: Vec<Certificate>,
    /// The certificate served where no name matches.
    pub default_certificate: Option<Certificate>,
    /// What hosts ask their clients for. Empty where none asks; else every host that is served is there, and a host
    /// is known by its most specific pattern.
    pub client_validation: Vec<(HostPattern, Option<Arc<ClientValidation>>)>,
    /// Session ticket keys that replicas share, the one that seals first. Empty: each its own.
    pub ticket_keys: Vec<[u8; 32]>,
}

impl Snapshot {
    /// The namespaces whose services a rule lists, one for each such rule.
    pub fn listed_namespaces(&self) -> impl Iterator<Item = &Arc<str>> {
        let lists = |rule: &&Arc<Rule>| matches!(rule.options.handler, Handler::Registry);
        self.rules.iter().filter(lists).map(|rule| &rule.origin.object.namespace)
    }
}
