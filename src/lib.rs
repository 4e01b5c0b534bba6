//! Paifang: a Kubernetes-native ingress controller and API gateway, in one process.
//!
//! ```text
//! control   watch -> cache -> translate (pure) -> publish -> install, swap -> settle, status
//! data      listener -> tls -> connection -> dispatch (admission, match, context) -> limiter -> handler
//!                    -> retry { balancer (pick, permit) -> upstream (pool, connect, forward) } -> reply
//! ```
//!
//! The two paths meet in the words of [`model`], [`table`], [`live`] and [`rpc`], and in the composition root
//! [`app`] alone. The modules stand in reading order: words first, then the paths, then what holds them.

pub mod live;
pub mod model;
pub mod resource;
pub mod rpc;
pub mod table;

pub mod control;
pub mod proxy;

pub mod admin;
pub mod health;
pub mod lifecycle;
pub mod metrics;
pub mod settings;
pub mod telemetry;

pub mod app;
pub mod cli;
