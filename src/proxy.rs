//! The data path: one current-thread runtime for each core, which a request never leaves.
//!
//! ```text
//! listener -> tls -> connection -> dispatch (admission, match, context) -> handler
//!          -> balancer (pick, permit) -> upstream (pool, connect, forward) -> reply
//! ```
//!
//! A stage calls later stages, never earlier ones. A request sees one table from start to end.

pub(crate) mod access_log;
pub(crate) mod admission;
pub(crate) mod balancer;
pub(crate) mod body;
pub(crate) mod clock;
pub(crate) mod connection;
pub(crate) mod context;
pub mod core;
pub(crate) mod dispatch;
pub mod engine;
pub(crate) mod error;
pub(crate) mod exchange;
pub(crate) mod handler;
pub(crate) mod install;
pub mod listener;
pub(crate) mod reply;
pub mod tls;
pub(crate) mod upstream;
