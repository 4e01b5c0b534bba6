//! The permit to send a request to an endpoint; it settles the endpoint's load when it is dropped.

use crate::live::endpoint::Endpoint;
use std::sync::{Arc, atomic::Ordering};

/// The right to send one request to an endpoint. Its load counts until the permit is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    endpoint: Arc<Endpoint>,
}

impl Permit {
    pub(crate) fn new(endpoint: Arc<Endpoint>) -> Self {
        endpoint.in_flight().fetch_add(1, Ordering::Relaxed);
        Self { endpoint }
    }

    pub(crate) const fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.endpoint.in_flight().fetch_sub(1, Ordering::Relaxed);
    }
}
