//! The short road: EndpointSlices to the endpoint cells that the data plane reads.
//!
//! The one writer of endpoint cells. An endpoint whose address and identity stay keeps its
//! counters and connections whatever else changes; another identity at the same address is
//! another endpoint.

mod collect;
mod listed;
mod listings;
mod registered;
#[cfg(test)]
mod tests;

pub use listings::{ListingCells, Listings};

use super::cache::{Cache, ServiceName};
use crate::{
    live::{
        cell::{EndpointCell, EndpointSet},
        endpoint::Endpoint,
    },
    model::{
        endpoint::EndpointFacts,
        target::ServicePort,
        upstream::{Strategy, Upstream},
    },
};
use registered::PodStates;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// The endpoint cells of every Service port that has an upstream.
#[derive(Debug, Default)]
pub struct Endpoints {
    services: HashMap<ServiceName, BTreeMap<u16, Port>>,
    /// The zone of the gateway, where it is known.
    zone: Option<Arc<str>>,
}

/// One port of a Service.
#[derive(Debug, Default)]
struct Port {
    cell: Arc<EndpointCell>,
    /// What the set in the cell was made for.
    strategy: Strategy,
}

impl Endpoints {
    /// No cells yet, for a gateway in this zone.
    #[must_use]
    pub fn in_zone(zone: Option<Arc<str>>) -> Self {
        Self { zone, ..Self::default() }
    }

    /// The cells of some upstreams, in their order, filled from the cache. Cells of other ports
    /// are given up: their endpoints count as removed.
    pub fn cells(&mut self, cache: &Cache, upstreams: &[Upstream]) -> Vec<Arc<EndpointCell>> {
        let ports: HashSet<&ServicePort> = upstreams.iter().map(|upstream| &upstream.port).collect();
        self.give_up(|port| !ports.contains(port));
        let cells = upstreams.iter().map(|upstream| self.cell(upstream)).collect();
        self.refresh_all(cache);
        cells
    }

    /// The cell of an upstream, empty when it is new.
    pub fn cell(&mut self, upstream: &Upstream) -> Arc<EndpointCell> {
        let (port, strategy) = (&upstream.port, &upstream.policy.balancing.strategy);
        let service = (Arc::clone(&port.namespace), Arc::clone(&port.service));
        let port = self.services.entry(service).or_default().entry(port.port).or_default();
        port.use_strategy(strategy);
        Arc::clone(&port.cell)
    }

    /// Brings the cells of some Services up to date. Returns how many changed.
    pub fn refresh(&mut self, cache: &Cache, services: &BTreeSet<ServiceName>) -> usize {
        let known = services.iter().filter_map(|service| Some((service, self.services.get(service)?)));
        let mut pods = PodStates::of(cache);
        known.map(|(service, ports)| self.refresh_service(&mut pods, service, ports)).sum()
    }

    /// Brings all cells up to date. Returns how many changed.
    pub fn refresh_all(&mut self, cache: &Cache) -> usize {
        let mut pods = PodStates::of(cache);
        self.services.iter().map(|(service, ports)| self.refresh_service(&mut pods, service, ports)).sum()
    }

    fn refresh_service(&self, pods: &mut PodStates<'_>, service: &ServiceName, ports: &BTreeMap<u16, Port>) -> usize {
        let changed = |(number, port): (&u16, &Port)| {
            let facts = match *number {
                ServicePort::REGISTERED => registered::endpoints_of(pods, service),
                number => collect::endpoints_of(pods.cache(), service, number, self.zone.as_deref()),
            };
            usize::from(replace(port, facts))
        };
        ports.iter().map(changed).sum()
    }

    /// The ready and all endpoints of a Service port.
    #[must_use]
    pub fn counts(&self, port: &ServicePort) -> (usize, usize) {
        let service = (Arc::clone(&port.namespace), Arc::clone(&port.service));
        let port = self.services.get(&service).and_then(|ports| ports.get(&port.port));
        port.map_or((0, 0), |port| {
            let set = port.cell.load();
            (set.ready(), set.all.len())
        })
    }

    fn give_up(&mut self, is_unused: impl Fn(&ServicePort) -> bool) {
        self.services.retain(|(namespace, service), ports| {
            ports.retain(|number, port| {
                let name =
                    ServicePort { namespace: Arc::clone(namespace), service: Arc::clone(service), port: *number };
                let unused = is_unused(&name);
                if unused {
                    port.cell.load().all.iter().for_each(|endpoint| endpoint.mark_removed());
                }
                !unused
            });
            !ports.is_empty()
        });
    }
}

impl Port {
    /// Makes the set in the cell one for this strategy.
    fn use_strategy(&mut self, strategy: &Strategy) {
        if self.strategy != *strategy {
            self.strategy = strategy.clone();
            let set = self.cell.load();
            self.cell.store(EndpointSet::new(set.all.clone(), strategy));
        }
    }
}

/// Puts new facts into a cell, if they are new.
fn replace(port: &Port, facts: Vec<EndpointFacts>) -> bool {
    let old = port.cell.load();
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
    port.cell.store(EndpointSet::new(all.collect(), &port.strategy));
    leaving.values().for_each(|gone| gone.mark_removed());
    true
}
