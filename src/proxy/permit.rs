//! The permit to send a request to an endpoint: its load while it lasts, and its breaker's leave.

use crate::{
    live::{
        breaker::{Admitted, Outcome},
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
    admitted: Option<(Admitted, BreakerPolicy)>,
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
    pub(crate) fn is_admitted(&mut self, policy: &BreakerPolicy, now: Moment) -> bool {
        self.admitted = self.endpoint.breaker().admit(policy, now).map(|admitted| (admitted, *policy));
        self.admitted.is_some()
    }

    /// Tells the breaker what came of the request.
    pub(crate) fn settle(&mut self, outcome: impl FnOnce(&BreakerPolicy) -> Outcome) {
        if let Some((admitted, policy)) = self.admitted.take() {
            let now = Moment::of(Instant::now());
            self.endpoint.breaker().settle(admitted, outcome(&policy), &policy, now);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.settle(|_| Outcome::Unknown);
        self.endpoint.in_flight().fetch_sub(1, Ordering::Relaxed);
    }
}
