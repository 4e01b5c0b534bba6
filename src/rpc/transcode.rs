//! JSON for any service of gRPC: its methods as rows of a table, requests as messages, and messages as JSON.
//!
//! What is known of a service are its descriptors (a `FileDescriptorSet`), which it tells by reflection or somebody gave.
//! `google.api.http` rules say where methods are found; every method is also found under `/package.Service/Method`, and
//! one without rules under the path that its name stands for ([`naming`]). JSON is the canonical mapping of
//! protobuf.

mod binding;
mod field;
mod http_rule;
mod naming;
mod reply;
mod request;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use tests::shop_set;

pub use binding::{Binding, Body};
pub use reply::{BadReply, status_json};
pub use request::{BadRequest, MAX_FIELDS};

use crate::table::{Outcome, RequestView, Table};
use prost_reflect::{DescriptorError, DescriptorPool};
use std::sync::Arc;

/// The most bytes of a descriptor set.
pub const MAX_SET: usize = 8 * 1024 * 1024;
/// The most methods of the services behind one upstream.
pub const MAX_METHODS: usize = 4096;
/// The most ways to one method.
pub const MAX_BINDINGS: usize = 64;

/// Services of gRPC that requests of HTTP can call.
#[derive(Debug)]
pub struct Services {
    pool: DescriptorPool,
    table: Table<Arc<Binding>>,
    methods: usize,
    problems: Vec<BadRule>,
}

/// Why descriptors cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadSet {
    /// Too many bytes.
    #[error("the descriptor set has {0} bytes: {MAX_SET} at most")]
    TooLarge(usize),
    /// Too many methods.
    #[error("the services have more than {MAX_METHODS} methods")]
    TooManyMethods,
    /// It is no set, or files are missing that others import.
    #[error("the descriptor set cannot be read: {0}")]
    Unreadable(#[from] DescriptorError),
    /// There is nothing to call.
    #[error("the descriptor set describes no service")]
    NoService,
}

/// A rule that leads nowhere. The method is found under its other paths.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("method {method}: {problem}")]
pub struct BadRule {
    /// The method in full.
    pub method: String,
    /// What is wrong.
    pub problem: String,
}

impl Services {
    /// Reads a serialized `FileDescriptorSet`.
    ///
    /// # Errors
    /// When there is nothing in it that could be called, see [`BadSet`].
    pub fn of_set(set: &[u8]) -> Result<Self, BadSet> {
        if set.len() > MAX_SET {
            return Err(BadSet::TooLarge(set.len()));
        }
        let pool = DescriptorPool::decode(set)?;
        let methods: Vec<_> = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()).collect();
        match methods.len() {
            0 => return Err(BadSet::NoService),
            1..=MAX_METHODS => {}
            _ => return Err(BadSet::TooManyMethods),
        }
        let (mut entries, mut problems) = (Vec::new(), Vec::new());
        for (method, created) in methods.iter().zip(0..) {
            binding::add(method, created, &mut entries, &mut problems);
        }
        Ok(Self { pool, table: Table::build(entries), methods: methods.len(), problems })
    }

    /// The method that a request calls.
    #[must_use]
    pub fn find<'t>(&'t self, view: &RequestView<'_>) -> Outcome<'t, Arc<Binding>> {
        self.table.find(view)
    }

    /// How many methods there are.
    #[must_use]
    pub const fn methods(&self) -> usize {
        self.methods
    }

    /// The rules that lead nowhere.
    #[must_use]
    pub fn problems(&self) -> &[BadRule] {
        &self.problems
    }

    /// What is known of all types.
    #[must_use]
    pub const fn pool(&self) -> &DescriptorPool {
        &self.pool
    }
}
