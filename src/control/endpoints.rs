//! The short road: EndpointSlices to the endpoint cells that the data plane reads.
//!
//! The one writer of endpoint cells. An endpoint whose address and identity stay keeps its
//! counters and connections whatever else changes; another identity at the same address is
//! another endpoint.

mod collect;
#[cfg(test)]
mod tests;

use super::cache::{Cache, ServiceName};
use crate::{
    live::{
        cell::{EndpointCell, EndpointSet},
        endpoint::Endpoint,
    },
    model::{endpoint::EndpointFacts, target::ServicePort, upstream::Upstream},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// The endpoint cells of every Service port that has an upstream.
#[derive(Debug, Default)]
pub struct Endpoints {
    services: HashMap<ServiceName, BTreeMap<u16, Arc<EndpointCell>>>,
}

impl Endpoints {
    /// The cells of some upstreams, in their order, filled from the cache. Cells of other ports
    /// are given up: their endpoints count as removed.
    pub fn cells(&mut self, cache: &Cache, upstreams: &[Upstream]) -> Vec<Arc<EndpointCell>> {
        let ports: HashSet<&ServicePort> = upstreams.iter().map(|upstream| &upstream.port).collect();
        self.give_up(|port| !ports.contains(port));
        let cells = upstreams.iter().map(|upstream| self.cell(&upstream.port)).collect();
        self.refresh_all(cache);
        cells
    }

    /// The cell of a Service port, empty when it is new.
    pub fn cell(&mut self, port: &ServicePort) -> Arc<EndpointCell> {
        let service = (Arc::clone(&port.namespace), Arc::clone(&port.service));
        Arc::clone(self.services.entry(service).or_default().entry(port.port).or_default())
    }

    /// Brings the cells of some Services up to date. Returns how many changed.
    pub fn refresh(&mut self, cache: &Cache, services: &BTreeSet<ServiceName>) -> usize {
        let known = services.iter().filter_map(|service| Some((service, self.services.get(service)?)));
        known.map(|(service, cells)| refresh_service(cache, service, cells)).sum()
    }

    /// Brings all cells up to date. Returns how many changed.
    pub fn refresh_all(&mut self, cache: &Cache) -> usize {
        self.services.iter().map(|(service, cells)| refresh_service(cache, service, cells)).sum()
    }

    /// The ready and all endpoints of a Service port.
    #[must_use]
    pub fn counts(&self, port: &ServicePort) -> (usize, usize) {
        let service = (Arc::clone(&port.namespace), Arc::clone(&port.service));
        let cell = self.services.get(&service).and_then(|cells| cells.get(&port.port));
        cell.map_or((0, 0), |cell| {
            let set = cell.load();
            (set.ready(), set.all.len())
        })
    }

    fn give_up(&mut self, is_unused: impl Fn(&ServicePort) -> bool) {
        self.services.retain(|(namespace, service), cells| {
            cells.retain(|port, cell| {
                let port = ServicePort { namespace: Arc::clone(namespace), service: Arc::clone(service), port: *port };
                let unused = is_unused(&port);
                if unused {
                    cell.load().all.iter().for_each(|endpoint| endpoint.mark_removed());
                }
                !unused
            });
            !cells.is_empty()
        });
    }
}

fn refresh_service(cache: &Cache, service: &ServiceName, cells: &BTreeMap<u16, Arc<EndpointCell>>) -> usize {
    let changed = |(port, cell): (&u16, &Arc<EndpointCell>)| {
        let facts = collect::endpoints_of(cache, service, *port);
        usize::from(replace(cell, facts))
    };
    cells.iter().map(changed).sum()
}

/// Puts new facts into a cell, if they are new.
fn replace(cell: &EndpointCell, facts: Vec<EndpointFacts>) -> bool {
    let old = cell.load();
    let same = old.all.len() == facts.len() && old.all.iter().zip(&facts).all(|(old, new)| old.facts == *new);
    if same {
        return false;
    }
    let mut leaving: HashMap<_, _> = old.all.iter().map(|endpoint| (endpoint.address(), endpoint)).collect();
    let all = facts.into_iter().map(|facts| match leaving.remove(&facts.address) {
        Some(old) if old.facts == facts => Arc::clone(old),
        Some(old) if old.facts.identity == facts.identity => Arc::new(old.with_facts(facts)),
        other => {
            other.inspect(|old| old.mark_removed());
            Arc::new(Endpoint::new(facts))
        }
    });
    let all: Box<[_]> = all.collect();
    cell.store(EndpointSet { eligible: eligible(&all), all });
    leaving.values().for_each(|gone| gone.mark_removed());
    true
}

/// The ready ones; where none is, those that still serve while they shut down.
fn eligible(all: &[Arc<Endpoint>]) -> Box<[Arc<Endpoint>]> {
    let pick = |takes: fn(&Endpoint) -> bool| -> Box<[_]> {
        all.iter().filter(|endpoint| takes(endpoint)).map(Arc::clone).collect()
    };
    let ready = pick(|endpoint| endpoint.facts.conditions.ready);
    if !ready.is_empty() {
        return ready;
    }
    pick(|endpoint| endpoint.facts.conditions.serving && endpoint.facts.conditions.terminating)
}
