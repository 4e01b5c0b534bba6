//! What one core serves: a generation with this core's handles on its counters.

use crate::{
    live::{cell::EndpointCell, generation::Generation, route_stats::RouteStats},
    metrics::routes::Routes,
    model::{rule::Rule, snapshot::RuleId, target::UpstreamId, upstream::Upstream},
    table::swap::Numbered,
};
use std::sync::Arc;

/// A generation with this core's handles on its counters.
#[derive(Debug)]
pub(crate) struct Installed {
    generation: Arc<Numbered<Generation>>,
    stats: Vec<Arc<RouteStats>>,
    unrouted: Arc<RouteStats>,
}

impl Installed {
    /// What a core serves before the first table: nothing.
    pub(crate) fn empty(routes: &Routes) -> Self {
        let generation = Arc::new(Numbered { number: 0, value: Generation::default() });
        Self { generation, stats: Vec::new(), unrouted: routes.unrouted() }
    }

    /// Whether no table was installed yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.generation.number == 0
    }

    pub(crate) fn new(generation: Arc<Numbered<Generation>>, routes: &Routes) -> Self {
        let rules = &generation.value.snapshot.rules;
        let stats = rules.iter().map(|rule| routes.of(&rule.origin.object)).collect();
        Self { generation, stats, unrouted: routes.unrouted() }
    }

    pub(crate) fn generation(&self) -> &Generation {
        &self.generation.value
    }

    pub(crate) fn rule(&self, id: RuleId) -> &Arc<Rule> {
        &self.generation.value.snapshot.rules[id.index()]
    }

    pub(crate) fn upstream(&self, id: UpstreamId) -> (&Upstream, &EndpointCell) {
        let generation = &self.generation.value;
        (&generation.snapshot.upstreams[id.index()], &generation.cells[id.index()])
    }

    pub(crate) fn stats(&self, rule: Option<RuleId>) -> &RouteStats {
        rule.map_or(&self.unrouted, |rule| &self.stats[rule.index()])
    }
}
