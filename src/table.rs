//! The compiled routing table, generic over its payload.
//!
//! It knows requests and precedence, nothing of Services, balancing or I/O, and imports nothing of
//! this crate. Precedence is an `Ord` value: the first entry in rank order whose conditions hold
//! wins. `path` holds the one normalisation that matching, forwarding and logs share.

pub mod build;
pub mod entry;
pub mod explain;
pub mod expression;
pub mod find;
mod keyed;
pub mod path;
mod paths;
pub mod pattern;
mod query;
pub mod rank;
pub mod request;
mod span;
pub mod swap;
pub mod template;
mod templates;
mod trie;

pub use build::Table;
pub use entry::{Conditions, Entry, HostPattern, PathPattern, ValuePattern};
pub use explain::{Considered, Explanation, Lost, Verdict};
pub use expression::{PatternError, anchored};
pub use find::{Match, Outcome};
pub use path::{Ambiguity, Normalised, canonical_pattern, forwarded, normalise};
pub use rank::Rank;
pub use request::RequestView;
pub use template::{Captures, Template, TemplateError};
