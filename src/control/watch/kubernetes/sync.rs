//! Which watches have delivered their first complete list, and why the others have not.

use crate::control::change::Scope;
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::watch;

/// How far one watch is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopeState {
    /// Not delivered yet, and why, for people.
    Waiting(Arc<str>),
    /// Delivered at least once. It stays so: later failures freeze the content, they do not void it.
    Synced,
    /// The kind is not installed in the cluster. Counts as synced; it is looked for again.
    Absent,
}

/// How far all watches are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncState {
    scopes: BTreeMap<Scope, ScopeState>,
}

impl SyncState {
    /// Whether every watch has delivered.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.waiting().next().is_none()
    }

    /// Every watch, in order.
    pub fn scopes(&self) -> impl Iterator<Item = (&Scope, &ScopeState)> {
        self.scopes.iter()
    }

    /// The watches that have not delivered, each with the reason.
    pub fn waiting(&self) -> impl Iterator<Item = (&Scope, &str)> {
        self.scopes.iter().filter_map(|(scope, state)| match state {
            ScopeState::Waiting(reason) => Some((scope, &**reason)),
            ScopeState::Synced | ScopeState::Absent => None,
        })
    }
}

/// The writing side, shared by the watches.
#[derive(Clone, Debug)]
pub(super) struct Board(Arc<watch::Sender<SyncState>>);

impl Board {
    pub(super) fn new(scopes: &[Scope]) -> (Self, watch::Receiver<SyncState>) {
        let waiting = ScopeState::Waiting("the first list is under way".into());
        let scopes = scopes.iter().map(|scope| (scope.clone(), waiting.clone())).collect();
        let (sender, receiver) = watch::channel(SyncState { scopes });
        (Self(Arc::new(sender)), receiver)
    }

    pub(super) fn is_synced(&self, scope: &Scope) -> bool {
        matches!(self.0.borrow().scopes.get(scope), Some(ScopeState::Synced | ScopeState::Absent))
    }

    pub(super) fn synced(&self, scope: &Scope) {
        self.set(scope, ScopeState::Synced);
    }

    pub(super) fn absent(&self, scope: &Scope) {
        self.set(scope, ScopeState::Absent);
    }

    /// Tells why a scope waits. No effect on one that has delivered.
    pub(super) fn waiting(&self, scope: &Scope, reason: &str) {
        if !self.is_synced(scope) {
            self.set(scope, ScopeState::Waiting(reason.into()));
        }
    }

    fn set(&self, scope: &Scope, state: ScopeState) {
        self.0.send_if_modified(|all| {
            let changed = all.scopes.get(scope) != Some(&state);
            all.scopes.insert(scope.clone(), state);
            changed
        });
    }
}
