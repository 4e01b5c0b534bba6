//! The way to an endpoint: a pooled connection or a new one, and the request over it.

pub(crate) mod connect;
pub(crate) mod connection;
pub(crate) mod forward;
mod head;
mod http2;
pub(crate) mod pool;
mod reach;
