//! A snapshot made ready to serve: what is published to the cores.

use super::{cell::EndpointCell, listing::ListingCell, route_stats::RouteStats};
use crate::{
    model::snapshot::{RuleId, Snapshot},
    table::Table,
};
use std::{collections::HashMap, sync::Arc};

/// A snapshot made ready to serve: what is published to the cores.
#[derive(Debug, Default)]
pub struct Generation {
    /// What was understood.
    pub snapshot: Snapshot,
    /// The routing table to the snapshot's rules.
    pub table: Table<RuleId>,
    /// The endpoints of the snapshot's upstreams, in the same order.
    pub cells: Vec<Arc<EndpointCell>>,
    /// The counts of the routes that the snapshot's rules are of, in the order of the rules.
    pub stats: Vec<Arc<RouteStats>>,
    /// The services of the namespaces that have a rule with the handler Registry.
    pub listings: HashMap<Arc<str>, Arc<ListingCell>>,
}

impl Generation {
    /// Whether both serve every request in the same way: the cores need not swap one for the
    /// other. Stats and listings go with the rules.
    #[must_use]
    pub fn serves_like(&self, other: &Self) -> bool {
        let same_cells = |(mine, theirs): (&Arc<_>, &Arc<_>)| Arc::ptr_eq(mine, theirs);
        self.snapshot == other.snapshot
            && self.table.entries() == other.table.entries()
            && self.cells.len() == other.cells.len()
            && self.cells.iter().zip(&other.cells).all(same_cells)
    }
}
