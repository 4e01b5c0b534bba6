//! The compiled routing table, generic over its payload.
//!
//! It knows requests and precedence, nothing of Services, balancing or I/O, and imports nothing of
//! this crate. Precedence is an `Ord` value: the first entry in rank order whose conditions hold
//! wins. `path` holds the one normalisation that matching, forwarding and logs share.

pub mod entry;
pub mod path;
pub mod template;

pub use entry::{Conditions, Entry, HostPattern, PathPattern, ValuePattern};
