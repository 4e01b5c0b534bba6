//! The data path: one current-thread runtime for each core, which a request never leaves.
//!
//! ```text
//! listener -> tls -> connection -> dispatch (admission, match, context) -> limiter -> handler
//!          -> retry { balancer (pick, permit) -> upstream (pool, connect, forward) } -> reply
//! ```
//!
//! A stage calls later stages, never earlier ones. A request sees one table until its response head.
//! The modules stand in the order of the path; what all stages share comes last.

pub mod engine;
pub mod listener;
pub mod tls;

pub(crate) mod activity;
pub(crate) mod connection;
pub(crate) mod peer;

pub(crate) mod admission;
pub(crate) mod context;
pub(crate) mod dispatch;
pub(crate) mod exchange;

pub mod limiter;

pub(crate) mod handler;

pub(crate) mod retry;
#[cfg(any(test, feature = "bench"))]
pub use retry::permits::Permits;

pub(crate) mod balancer;
pub(crate) mod request_body;
pub(crate) mod upstream;

pub(crate) mod body;
pub(crate) mod error;
pub(crate) mod extended;
pub(crate) mod fields;
mod found;
pub(crate) mod grpc;
pub(crate) mod outgoing;
pub(crate) mod pace;
pub(crate) mod permit;
pub(crate) mod reply;
pub(crate) mod whole;

pub(crate) mod access_log;
pub(crate) mod clients;
pub(crate) mod clock;
pub mod core;
pub(crate) mod install;
pub(crate) mod installed;
mod learning;
pub(crate) mod turns;

#[cfg(test)]
mod testing;
