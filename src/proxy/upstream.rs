//! The way to an endpoint: a pooled connection or a new one, and the request over it.

use crate::model::{transport::Transport, upstream::UpstreamPolicy};

pub(crate) mod connect;
pub(crate) mod connection;
mod dialling;
pub(crate) mod forward;
mod head;
mod http2;
pub(crate) mod pool;
mod reach;
pub(crate) mod tls;
mod unanswered;

/// How the endpoints of an upstream are reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way<'u> {
    pub(crate) policy: &'u UpstreamPolicy,
    pub(crate) transport: &'u Transport,
}
