//! The control path: watch, cache, translate, publish, and status once the data plane swapped.
//!
//! One task owns the cache and is the only writer of tables and endpoint sets. It meets the data
//! path in the words of `model` and `table` alone.

pub mod cache;
pub mod change;
#[cfg(feature = "kubernetes")]
pub mod leader;
pub mod compile;
pub mod endpoints;
pub mod report;
#[cfg(feature = "kubernetes")]
pub mod status;
pub mod watch;
#[cfg(test)]
pub(crate) mod testing;
pub mod translate;
