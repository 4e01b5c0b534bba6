//! Publish: the one task that owns the cache and writes tables and endpoint sets.
//!
//! The first change of a burst is served at once; the rest of the burst waits for at most the
//! hold-off and then shares one table. Endpoints take the short road and never wait. Nothing is
//! published before every source has told all that it has.

#[cfg(test)]
mod tests;

use super::{
    cache::{Cache, Effect},
    change::Change,
    endpoints::{Endpoints, Listings},
    tickets::TicketKeys,
    translate::{Context, Policies, Translation, translate},
};
use crate::{
    live::generation::Generation,
    metrics::routes::Routes,
    table::{
        Table,
        swap::{Numbered, Publisher},
    },
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

/// How long after a table the next one may wait, so that a burst shares it.
pub const HOLD_OFF: Duration = Duration::from_millis(5);
/// How many changes are taken from the sources before the task looks at the time again.
const BATCH: usize = 1024;

/// What was published, and what is to be told once it is installed.
#[derive(Clone, Debug)]
pub struct Published {
    /// What the cores are to run.
    pub generation: Arc<Numbered<Generation>>,
    /// What is to be explained, for status. Its own snapshot and policies are empty.
    pub translation: Arc<Translation>,
    /// When the first change in it arrived.
    pub since: Instant,
}

/// The task that owns the cache.
#[derive(Debug)]
pub struct Controller {
    cache: Cache,
    endpoints: Endpoints,
    listings: Listings,
    context: Context,
    ticket_keys: TicketKeys,
    tables: Publisher<Generation>,
    /// Gives each generation the counts of its routes.
    routes: Arc<Routes>,
    /// Told of each table, newest wins.
    published: watch::Sender<Option<Published>>,
    /// Told whenever endpoints have changed, so that pools let go of those that are gone.
    endpoint_epoch: watch::Sender<u64>,
    pending: Effect,
    /// When the first change that is still pending arrived.
    since: Option<Instant>,
    /// Before this moment no further table is built.
    rested: Instant,
    synced: bool,
}

impl Controller {
    /// A controller that has not heard of anything yet.
    #[must_use]
    pub fn new(
        context: Context,
        tables: Publisher<Generation>,
        routes: Arc<Routes>,
        published: watch::Sender<Option<Published>>,
        endpoint_epoch: watch::Sender<u64>,
    ) -> Self {
        Self {
            cache: Cache::default(),
            endpoints: Endpoints::in_zone(context.zone.clone()),
            listings: Listings::default(),
            context,
            ticket_keys: TicketKeys::default(),
            tables,
            routes,
            published,
            endpoint_epoch,
            pending: Effect::default(),
            since: None,
            rested: Instant::now(),
            synced: false,
        }
    }

    /// Follows the sources until they are gone. `synced` turns true once every source has told
    /// all that it has; before that nothing is published.
    pub async fn run(mut self, mut changes: mpsc::Receiver<Change>, mut synced: watch::Receiver<bool>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let wake = self.next_table();
            tokio::select! {
                biased;
                count = changes.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        return;
                    }
                    self.take(&mut batch);
                }
                result = synced.wait_for(|synced| *synced), if !self.synced => {
                    if result.is_err() {
                        return;
                    }
                    // What the sources had told before they said so lies in the queue.
                    while let Ok(change) = changes.try_recv() {
                        batch.push(change);
                    }
                    self.take(&mut batch);
                    self.synced = true;
                    self.pending = Effect::Table;
                }
                () = sleep_until(wake), if wake.is_some() => {}
            }
            self.act();
        }
    }

    /// When a table is due; `None` while there is nothing to build.
    fn next_table(&self) -> Option<Instant> {
        (self.synced && self.pending == Effect::Table).then_some(self.rested)
    }

    fn take(&mut self, batch: &mut Vec<Change>) {
        for change in batch.drain(..) {
            let mut effect = Effect::Nothing;
            if let Some(name) = &self.context.ticket_keys
                && self.ticket_keys.note(&change, name)
            {
                effect = Effect::Table;
            }
            effect.merge(self.cache.apply(change));
            if effect != Effect::Nothing && self.since.is_none() {
                self.since = Some(Instant::now());
            }
            self.pending.merge(effect);
        }
    }

    fn act(&mut self) {
        if !self.synced {
            return;
        }
        match std::mem::take(&mut self.pending) {
            Effect::Nothing => {}
            Effect::Endpoints(services) => {
                self.since = None;
                self.listings.refresh(&self.cache, &services);
                if self.endpoints.refresh(&self.cache, &services) > 0 {
                    self.endpoints_changed();
                }
            }
            Effect::Table if Instant::now() < self.rested => self.pending = Effect::Table,
            Effect::Table => {
                self.build();
                self.rested = Instant::now() + HOLD_OFF;
            }
        }
    }

    fn build(&mut self) {
        self.context.now = SystemTime::now();
        let mut translation = translate(&self.cache, &self.context);
        let mut snapshot = std::mem::take(&mut translation.snapshot);
        translation.policies = Policies::default();
        snapshot.ticket_keys = self.ticket_keys.keys().to_vec();
        let cells = self.endpoints.cells(&self.cache, &snapshot.upstreams);
        self.endpoints_changed();
        let table = Table::build(std::mem::take(&mut translation.entries));
        let stats = self.routes.of(snapshot.rules.iter().map(|rule| &rule.origin.object));
        let listings = self.listings.cells(&self.cache, snapshot.listed_namespaces());
        let generation = self.newest(Generation { snapshot, table, cells, stats, listings });
        let since = self.since.take().unwrap_or_else(Instant::now);
        self.published.send_replace(Some(Published { generation, translation: Arc::new(translation), since }));
    }

    /// Publishes a generation, unless the cores run one that serves like it: what is said of
    /// objects may change without that.
    fn newest(&mut self, generation: Generation) -> Arc<Numbered<Generation>> {
        let last = self.published.borrow().as_ref().map(|published| Arc::clone(&published.generation));
        last.filter(|last| last.value.serves_like(&generation)).unwrap_or_else(|| self.tables.publish(generation))
    }

    fn endpoints_changed(&self) {
        self.endpoint_epoch.send_modify(|epoch| *epoch += 1);
    }
}

async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
