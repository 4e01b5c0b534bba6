//! A snapshot made ready to serve: what is published to the cores.

use super::{cell::EndpointCell, route_stats::RouteStats};
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
    /// The counts of the routes that the snapshot's rules are of, in the order of the rules.
    pub stats: Vec<Arc<RouteStats>>,
}
