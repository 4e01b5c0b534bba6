//! Translation: the cache to a snapshot and its explanations, pure and total.
//!
//! Bad input degrades one rule, never another object: the last good version of an object serves
//! where there is one, else the rule answers 500. Everything that went another way than its author
//! may think becomes a diagnostic. Older objects come first everywhere, so that a tie has one
//! answer on every replica.

mod attempt;
mod backends;
mod build;
mod certificates;
mod claims;
mod clients;
mod endpoint_rules;
mod found;
mod gateway_route;
mod ingress;
mod limits;
mod policy;
pub mod references;
mod registrations;
mod reports;
mod resolving;
mod source;
#[cfg(test)]
mod tests;
mod transport;
mod validated;
mod weights;

pub use claims::Policies;
pub use reports::reports;

use super::cache::Cache;
use crate::{
    model::{
        diagnostic::{Diagnostic, ObjectRef},
        listener::Listener,
        snapshot::{RuleId, Snapshot},
        target::UpstreamId,
    },
    table::Entry,
};
use build::Build;
use rustls::RootCertStore;
use source::Source;
use std::{collections::BTreeSet, sync::Arc, time::SystemTime};

/// Some namespaces, or all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Namespaces {
    /// Every namespace.
    #[default]
    All,
    /// These alone.
    Only(BTreeSet<String>),
}

impl Namespaces {
    /// Whether a namespace is among them.
    #[must_use]
    pub fn covers(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(namespace),
        }
    }
}

/// What translation knows besides the objects.
#[derive(Clone, Debug)]
pub struct Context {
    /// The class of the GatewayRoutes that are served.
    pub class_name: String,
    /// The `spec.controller` of the IngressClasses that are served.
    pub controller_name: String,
    /// Where requests arrive.
    pub listeners: Vec<Listener>,
    /// The namespace and name of the Secret that is served where no name matches.
    pub default_certificate: Option<(String, String)>,
    /// The namespace and name of the Secret with the session ticket keys that replicas share.
    pub ticket_keys: Option<(String, String)>,
    /// The namespaces whose Secrets are read.
    pub secrets: Namespaces,
    /// The namespaces that are watched. Unless it is all of them, IngressClasses are unknown and
    /// an Ingress is served when it names the class of the GatewayRoutes.
    pub watched: Namespaces,
    /// The namespace and name of the gateway's ServiceAccount, for the RoleBinding that a message
    /// proposes.
    pub service_account: Option<(String, String)>,
    /// The zone that the gateway runs in, where it is known.
    pub zone: Option<Arc<str>>,
    /// Replicas share no store, so that limits of scope Cluster are counted by each for itself.
    pub counts_alone: bool,
    /// The authorities that certificates of endpoints may lead to where no others are named.
    pub system_authorities: Arc<RootCertStore>,
    /// The time at which certificates must be valid.
    pub now: SystemTime,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            class_name: crate::resource::gateway_route::DEFAULT_CLASS.to_owned(),
            controller_name: "paifang.dev/ingress-controller".to_owned(),
            listeners: Vec::new(),
            default_certificate: None,
            ticket_keys: None,
            secrets: Namespaces::All,
            watched: Namespaces::All,
            service_account: None,
            zone: None,
            counts_alone: false,
            system_authorities: Arc::new(RootCertStore::empty()),
            now: SystemTime::now(),
        }
    }
}

/// What became of one object of this gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The object.
    pub object: ObjectRef,
    /// Its UID, empty where the source has none.
    pub uid: Arc<str>,
    /// The newest generation, 0 where the source has none.
    pub generation: i64,
    /// The upstreams that it sends requests to, each once.
    pub upstreams: Vec<UpstreamId>,
    /// What its author chose and should see again, such as a weaker path check.
    pub notes: Vec<String>,
}

/// What one translation understood.
#[derive(Clone, Debug, Default)]
pub struct Translation {
    /// What the process is to run.
    pub snapshot: Snapshot,
    /// The rows of the routing table.
    pub entries: Vec<Entry<RuleId>>,
    /// What is to be explained, by object and field.
    pub diagnostics: Vec<Diagnostic>,
    /// What became of each object of this gateway, by object.
    pub outcomes: Vec<Outcome>,
    /// Who sets the policy of which Service port.
    pub policies: Policies,
}

/// Translates everything that the cache knows. A version of an object that makes it panic is left
/// out from then on, for the last good one.
#[must_use]
pub fn translate(cache: &Cache, context: &Context) -> Translation {
    loop {
        // Ends: each failure condemns a version, of which there are two for an object at most.
        if let Some(translation) = try_translate(cache, context) {
            return translation;
        }
    }
}

/// `None` when versions were condemned on the way. All that can be found at once are.
fn try_translate(cache: &Cache, context: &Context) -> Option<Translation> {
    let mut build = Build::new(cache, context);
    let mut sources = gateway_route::select(&mut build);
    sources.append(&mut ingress::select(&mut build));
    sources.sort_by(|a, b| a.age().cmp(&b.age()));
    let mut panicked = false;
    for source in &sources {
        if let Source::Route(route) = source {
            panicked |= attempt::panics(route, || policy::claim_for_port(&mut build, route));
        }
    }
    for source in &sources {
        panicked |= match source {
            Source::Route(route) => attempt::panics(route, || gateway_route::translate(&mut build, route)),
            Source::Ingress(ingress) => attempt::panics(ingress, || ingress::translate(&mut build, ingress)),
        };
    }
    certificates::add_default(&mut build);
    weights::explain(&mut build);
    registrations::explain(&mut build);
    (!panicked).then(|| build.finish())
}
