//! What one core serves: a generation, and the counts of what it does not route.

use crate::{
    live::{cell::EndpointCell, generation::Generation, listing::ListingCell, route_stats::RouteStats},
    model::{rule::Rule, snapshot::RuleId, target::UpstreamId, upstream::Upstream},
    table::swap::Numbered,
};
use std::sync::Arc;

/// A generation, and the counts of what it does not route.
#[derive(Debug)]
pub(crate) struct Installed {
    generation: Arc<Numbered<Generation>>,
    unrouted: Arc<RouteStats>,
}

impl Installed {
    /// What a core serves before the first table: nothing.
    pub(crate) fn empty(unrouted: Arc<RouteStats>) -> Self {
        Self { generation: Arc::new(Numbered { number: 0, value: Generation::default() }), unrouted }
    }

    /// Whether no table was installed yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.generation.number == 0
    }

    pub(crate) const fn new(generation: Arc<Numbered<Generation>>, unrouted: Arc<RouteStats>) -> Self {
        Self { generation, unrouted }
    }

    pub(crate) fn generation(&self) -> &Generation {
        &self.generation.value
    }

    /// The generation, to be kept for longer.
    pub(crate) fn generation_held(&self) -> Arc<Numbered<Generation>> {
        Arc::clone(&self.generation)
    }

    pub(crate) fn rule(&self, id: RuleId) -> &Arc<Rule> {
        &self.generation.value.snapshot.rules[id.index()]
    }

    pub(crate) fn upstream(&self, id: UpstreamId) -> (&Upstream, &EndpointCell) {
        let generation = &self.generation.value;
        (&generation.snapshot.upstreams[id.index()], &generation.cells[id.index()])
    }

    /// The services of a namespace, where a rule lists them.
    pub(crate) fn listing(&self, namespace: &str) -> Option<&ListingCell> {
        self.generation.value.listings.get(namespace).map(|cell| &**cell)
    }

    pub(crate) fn stats(&self, rule: Option<RuleId>) -> &RouteStats {
        rule.map_or(&self.unrouted, |rule| &self.generation.value.stats[rule.index()])
    }
}
