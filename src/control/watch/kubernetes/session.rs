//! One watch: list and follow, deliver, retry.

use super::{
    backoff::Backoff, failure::Failure, guard::Guarded, kinds::Watched, metrics::WatchMetrics, relist::Relist,
    sync::Board,
};
use crate::control::change::{Change, Scope};
use futures_util::{Stream, StreamExt as _};
use kube::{
    Api, Client,
    api::ApiResource,
    runtime::watcher::{self, Event, watcher},
};
use std::{collections::HashSet, pin::pin, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::timeout};

/// The first delay after a failure.
const FIRST_DELAY: Duration = Duration::from_millis(50);
/// The longest delay until the first list is delivered: a gateway that waits for a dead API server
/// must be ready within two seconds of its return.
const LIMIT_BEFORE_SYNC: Duration = Duration::from_millis(700);
/// The longest delay later.
const LIMIT_AFTER_SYNC: Duration = Duration::from_secs(2);
/// A list that makes no progress for this long is begun again.
const LIST_STALL: Duration = Duration::from_secs(30);
/// How long the API server keeps a watch open, in seconds: 90 to 119, so that watches do not all
/// come back at once. A connection that is silent for five seconds more is taken for dead.
const WATCH_SECONDS: std::ops::Range<u32> = 90..120;
/// After so many refused attempts to follow on from a version, the list is read anew: the version
/// may be unknown to an API server whose store was restored.
const REFUSALS_BEFORE_RELIST: u32 = 5;

/// What one watch works with.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) scope: Scope,
    pub(super) changes: mpsc::Sender<Change>,
    pub(super) board: Board,
    pub(super) metrics: Arc<WatchMetrics>,
}

impl Context {
    /// Hands a change over. False: nobody takes changes any more.
    pub(super) async fn deliver(&self, change: Change) -> bool {
        let complete = matches!(change, Change::Replace { .. });
        if self.changes.send(change).await.is_err() {
            return false;
        }
        if complete {
            self.metrics.count_relist(self.scope.kind);
        }
        true
    }
}

/// Why a watch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Nobody takes changes any more.
    Closed,
    /// The list must be read anew.
    Relist,
    /// The API server does not serve the kind.
    NotServed,
}

/// Watches a kind that every cluster must have, until nobody takes changes any more.
pub(super) async fn run<K: Watched>(context: Context) {
    let resource = ApiResource::erase::<K>(&());
    let mut retry = Retry::new(&context);
    while follow::<K>(&context, &resource, &mut retry).await != End::Closed {}
}

/// Lists once and follows on, until the list must be read anew.
pub(super) async fn follow<K: Watched>(context: &Context, resource: &ApiResource, retry: &mut Retry) -> End {
    let mut events = pin!(watcher(api::<K>(context, resource), config::<K>()));
    let mut relist = Relist::new(context.scope.clone());
    let mut refusals = 0;
    loop {
        match next(&mut events, &relist).await {
            None => {
                let message = format!("no answer to a list for {} s", LIST_STALL.as_secs());
                retry.failed(context, &Failure { code: None, message }).await;
                return End::Relist;
            }
            Some(Ok(event)) => {
                refusals = 0;
                if !accept(context, &mut relist, event, retry).await {
                    return End::Closed;
                }
            }
            Some(Err(error)) => {
                let failure = Failure::of_watch(&context.scope, &error);
                retry.failed(context, &failure).await;
                refusals += u32::from(failure.code.is_some());
                if let Some(end) = verdict(&error, &failure, refusals) {
                    return end;
                }
            }
        }
    }
}

/// Whether a failure ends the session. Everything else is retried by the watcher where it stood;
/// it reads the list anew on a 410 inside a watch, but not on one that answers the request.
fn verdict(error: &watcher::Error, failure: &Failure, refusals: u32) -> Option<End> {
    let refused = matches!(error, watcher::Error::WatchStartFailed(_) | watcher::Error::WatchFailed(_));
    match failure.code {
        Some(404) => Some(End::NotServed),
        Some(410) if refused => Some(End::Relist),
        Some(_) if refused && refusals >= REFUSALS_BEFORE_RELIST => Some(End::Relist),
        _ => None,
    }
}

async fn next<K, S>(events: &mut S, relist: &Relist) -> Option<watcher::Result<Event<Guarded<K>>>>
where
    S: Stream<Item = watcher::Result<Event<Guarded<K>>>> + Unpin,
{
    if relist.is_listing() {
        return timeout(LIST_STALL, events.next()).await.ok().flatten();
    }
    events.next().await
}

/// Takes one event. False: nobody takes changes any more.
async fn accept<K: Watched>(
    context: &Context,
    relist: &mut Relist,
    event: Event<Guarded<K>>,
    retry: &mut Retry,
) -> bool {
    let Some(change) = relist.take(event) else { return true };
    let complete = matches!(change, Change::Replace { .. });
    if !context.deliver(change).await {
        return false;
    }
    if complete {
        context.board.synced(&context.scope);
    }
    retry.recovered(context);
    true
}

fn api<K: Watched>(context: &Context, resource: &ApiResource) -> Api<Guarded<K>> {
    match &context.scope.namespace {
        Some(namespace) => Api::namespaced_with(context.client.clone(), namespace, resource),
        None => Api::all_with(context.client.clone(), resource),
    }
}

fn config<K: Watched>() -> watcher::Config {
    let config = watcher::Config::default().timeout(fastrand::u32(WATCH_SECONDS));
    let config = match K::FIELD_SELECTOR {
        Some(fields) => config.fields(fields),
        None => config,
    };
    match K::LABEL_SELECTOR {
        Some(labels) => config.labels(labels),
        None => config,
    }
}

/// Delays between retries, and one log line per distinct failure.
#[derive(Debug)]
pub(super) struct Retry {
    backoff: Backoff,
    logged: HashSet<String>,
}

impl Retry {
    pub(super) fn new(context: &Context) -> Self {
        let limit = if context.board.is_synced(&context.scope) { LIMIT_AFTER_SYNC } else { LIMIT_BEFORE_SYNC };
        Self { backoff: Backoff::new(FIRST_DELAY, limit), logged: HashSet::new() }
    }

    /// Counts, tells and waits.
    pub(super) async fn failed(&mut self, context: &Context, failure: &Failure) {
        context.metrics.count_error(context.scope.kind);
        context.board.waiting(&context.scope, &failure.message);
        if self.logged.len() < 32 && self.logged.insert(failure.message.clone()) {
            tracing::warn!(kind = %context.scope.kind, "{}; retrying", failure.message);
        }
        tokio::time::sleep(self.backoff.next_delay()).await;
    }

    /// Forgets what failed.
    pub(super) fn recovered(&mut self, context: &Context) {
        self.backoff.reset();
        self.backoff.set_limit(LIMIT_AFTER_SYNC);
        if !self.logged.is_empty() {
            self.logged.clear();
            tracing::info!(kind = %context.scope.kind, namespace = context.scope.namespace.as_deref(), "watch works again");
        }
    }
}
