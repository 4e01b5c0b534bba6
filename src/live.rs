//! What changes while the gateway runs and all cores share: endpoints with their counters, the
//! cells that hold them, lists of services, and the counts of routes.
//!
//! The control path writes sets, the data path counts in them; neither waits for the other. No
//! lock, no I/O: atomics and swaps alone. Beside these the snapshot of `model` never changes.

pub mod breaker;
pub mod bucket;
pub mod buckets;
pub mod budget;
pub mod cell;
pub mod described;
pub mod ejection;
pub mod endpoint;
pub mod generation;
pub mod health;
pub mod listing;
pub mod log_lines;
pub mod moment;
mod padded;
pub mod picker;
pub mod route_stats;
