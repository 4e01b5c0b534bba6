//! The permit to send a request to an endpoint: its load while it lasts, and its breaker's leave.

use crate::{
    live::{
        breaker::{Admitted, Outcome, Transition},
        endpoint::Endpoint,
        moment::Moment,
    },
    model::upstream::BreakerPolicy,
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

/// The right to send one request to an endpoint. Its load counts until the permit is dropped; the
/// breaker learns what came of it at the response head, or at the latest then.
#[derive(Debug)]
pub(crate) struct Permit {
    endpoint: Arc<Endpoint>,
    admitted: Option<Admitted>,
}

impl Permit {
    pub(crate) fn new(endpoint: Arc<Endpoint>) -> Self {
        endpoint.in_flight().fetch_add(1, Ordering::Relaxed);
        Self { endpoint, admitted: None }
    }

    pub(crate) const fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// Asks the breaker for leave. It may have opened since the pick.
    #[must_use]
    pub(crate) fn admit(&mut self, policy: &BreakerPolicy, now: Moment) -> Option<Admitted> {
        self.admitted = self.endpoint.breaker().admit(policy, now);
        self.admitted
    }

    /// Tells the breaker what came of the request. Where that changes its state: how.
    pub(crate) fn settle(&mut self, policy: &BreakerPolicy, outcome: Outcome) -> Option<Transition> {
        let admitted = self.admitted.take()?;
        self.endpoint.breaker().settle(admitted, outcome, policy, Moment::of(Instant::now()))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(admitted) = self.admitted.take() {
            self.endpoint.breaker().forget(admitted);
        }
        self.endpoint.in_flight().fetch_sub(1, Ordering::Relaxed);
    }
}
