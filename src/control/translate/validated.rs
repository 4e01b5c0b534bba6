//! The host names that ask for certificates of clients, found so far.

use crate::{
    model::{client_validation::ClientValidation, snapshot::RuleId},
    table::{Entry, HostPattern},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// The host names that ask for certificates of clients.
#[derive(Debug, Default)]
pub(super) struct ValidatedHosts {
    hosts: Vec<(HostPattern, Arc<ClientValidation>)>,
    places: HashMap<HostPattern, usize>,
}

impl ValidatedHosts {
    /// Sets the policy of a host, unless an older route has set another one. Returns whether.
    pub(super) fn claim(&mut self, host: &HostPattern, validation: &Arc<ClientValidation>) -> bool {
        let place = *self.places.entry(host.clone()).or_insert_with(|| {
            self.hosts.push((host.clone(), Arc::clone(validation)));
            self.hosts.len() - 1
        });
        self.hosts.get(place).is_some_and(|(_, winner)| winner == validation)
    }

    /// The policies of hosts. Where there are any, every other host that is served stands there too: its
    /// clients are not asked for what a wider name asks for.
    pub(super) fn finish(self, entries: &[Entry<RuleId>]) -> Vec<(HostPattern, Option<Arc<ClientValidation>>)> {
        let mut finished: Vec<_> = self.hosts.into_iter().map(|(host, asked)| (host, Some(asked))).collect();
        if finished.is_empty() {
            return finished;
        }
        let mut known: HashSet<_> = self.places.into_keys().collect();
        for entry in entries {
            if known.insert(entry.host.clone()) {
                finished.push((entry.host.clone(), None));
            }
        }
        finished
    }
}
