//! The control path: watch, cache, translate, publish, and status once the data plane swapped.
//!
//! One task owns the cache and is the only writer of tables and endpoint sets. It meets the data
//! path in the words of `model` and `table` alone. The modules stand in the order of the path.

pub mod change;
pub mod registration;
pub mod watch;

pub mod cache;
pub mod compile;

pub mod endpoints;
pub(crate) mod ports;
pub mod tickets;
pub mod translate;

pub mod publish;
pub mod settle;

#[cfg(feature = "kubernetes")]
pub mod leader;
pub mod report;
#[cfg(feature = "kubernetes")]
pub mod status;

#[cfg(test)]
pub(crate) mod testing;
