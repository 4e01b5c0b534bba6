//! Install: from a published generation to what one core serves, in one swap.

use super::{core::Core, tls::Tls};
use crate::{
    metrics::routes::{RouteStats, Routes},
    model::{
        endpoint::EndpointCell,
        rule::Rule,
        snapshot::{Generation, RuleId},
        target::UpstreamId,
        upstream::Upstream,
    },
    table::swap::{Numbered, Subscriber},
};
use std::{rc::Rc, sync::Arc};

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

    fn new(generation: Arc<Numbered<Generation>>, routes: &Routes) -> Self {
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

/// Installs each generation that is published, until the publisher stops. What all cores share
/// (certificates) is installed by the one that is given it.
pub(crate) async fn run(core: Rc<Core>, tls: Option<Arc<Tls>>, mut published: Subscriber<Generation>) {
    while let Ok(generation) = published.next().await {
        let number = generation.number;
        if let Some(tls) = &tls {
            tls.install(&generation.value.snapshot);
        }
        core.install(Installed::new(generation, &core.settings.routes));
        published.acknowledge(number);
    }
}
