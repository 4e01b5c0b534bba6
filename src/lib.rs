//! Paifang: a Kubernetes-native ingress controller and API gateway, in one process.
//!
//! ```text
//! control   watch -> cache -> translate (pure) -> publish -> install, swap -> status
//! data      listener -> tls -> connection -> dispatch (match) -> handler
//!                    -> balancer pick -> upstream -> reply
//! ```
//!
//! The two paths meet in the words of [`model`] and [`table`], and in the composition root alone.
//! The modules below stand in reading order.

pub mod cli;
pub mod control;
pub mod model;
pub mod resource;
pub mod table;
