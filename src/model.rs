//! What the process runs: an immutable snapshot of routes, upstreams, endpoints and certificates.
//!
//! Plain values without I/O. The control path makes them, the data path installs them, and neither
//! kube, hyper nor tokio is named here. A resource is what a user wrote; the model is what was
//! understood.

pub mod call;
pub mod certificate;
pub mod client_validation;
pub mod condition;
pub mod diagnostic;
pub mod endpoint;
pub mod health;
pub mod limit;
pub mod listener;
pub mod rule;
pub mod snapshot;
pub mod target;
pub mod transport;
pub mod upstream;
