//! The way to an endpoint: a pooled connection or a new one, and the request over it.

pub(crate) mod connect;
pub(crate) mod forward;
pub(crate) mod pool;
