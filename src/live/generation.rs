//! A snapshot made ready to serve: what is published to the cores.

use super::cell::EndpointCell;
use crate::{
    model::snapshot::{RuleId, Snapshot},
    table::Table,
};
use std::sync::Arc;

/// A snapshot made ready to serve: what is published to the cores.
#[derive(Debug, Default)]
pub struct Generation {
    /// What was understood.
    pub snapshot: Arc<Snapshot>,
    /// The routing table over the snapshot's entries.
    pub table: Table<RuleId>,
    /// The endpoints of the snapshot's upstreams, in the same order.
    pub cells: Vec<Arc<EndpointCell>>,
}
