//! Tries: a request goes to an endpoint, and to another where it may and the first one failed.
//!
//! What was not sent may be sent again, whatever its method. What was sent may be replayed only
//! where the method is idempotent (RFC 9110 section 9.2.2), no client sends a body, and the route asks
//! for it. No endpoint is tried twice, and retries have a budget.

mod breaker;
mod outlier;
#[cfg(any(test, feature = "bench"))]
pub(crate) mod permits;
mod plan;

pub(super) use plan::Plan;

use super::{
    balancer::{Asked, Nobody, pick},
    body::Body,
    error::{Failure, Fault},
    exchange::Exchange,
    outgoing::Outgoing,
    permit::Permit,
    request_body::{BodyWatch, RequestBody},
    upstream::{
        forward::{Lost, Sent, forward},
        pool::Lease,
    },
};
use crate::{live::moment::Moment, metrics::Protection};
use http::{Request, Response};
use plan::{Copied, Times};
use std::{
    pin::Pin,
    rc::Rc,
    time::{Duration, Instant},
};

/// The first pause before a replay is up to so long; each later one up to twice that.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Sends a request until an endpoint answers, and returns the response head. `body` is the view on
/// the body, if there is one.
pub(crate) async fn send(
    plan: &Plan<'_>,
    request: &mut Outgoing,
    body: Option<Rc<BodyWatch>>,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Failure> {
    let mut tries = Tries::of(plan);
    let mut now = exchange.began();
    loop {
        let permit = match tries.permit(now) {
            Ok(permit) => permit,
            Err(failure) => return tries.without_endpoint(failure),
        };
        exchange.forwarded(permit.endpoint().address(), body.as_ref());
        let key = permit.endpoint().key();
        let copied = tries.copy(request);
        let sent = tries.once(&permit, request, body.as_deref()).await;
        let last = match tries.conclude(permit, sent, request, copied) {
            Once::Over(result) => return result,
            Once::Again(last) => last,
        };
        tries.tried.push(key);
        now = Moment::of(Instant::now());
        if !tries.may_go_on(now) {
            return last.into_result();
        }
        last.pause(&tries).await;
        tries.last = Some(last);
    }
}

/// Sends a request to one endpoint, whatever comes of it, and returns the response head.
pub(crate) async fn send_once(plan: &Plan<'_>, request: &mut Outgoing) -> Result<Response<Body>, Failure> {
    let mut tries = Tries::of(plan);
    let permit = tries.permit(Moment::of(Instant::now()))?;
    let sent = tries.once(&permit, request, None).await;
    match tries.conclude(permit, sent, request, None) {
        Once::Over(result) => result,
        Once::Again(last) => last.into_result(),
    }
}

/// What the tries of one request have come to.
struct Tries<'p> {
    plan: &'p Plan<'p>,
    times: Times,
    /// The endpoints that were tried.
    tried: Vec<usize>,
    last: Option<Last>,
}

/// What one try has come to.
enum Once {
    Over(Result<Response<Body>, Failure>),
    /// The request may be sent again, and is there for it.
    Again(Last),
}

/// What is answered when there is no other try.
enum Last {
    Lost(Failure),
    /// An answer that is not wanted as long as there may be a better one.
    Answered(Box<Response<Body>>),
}

impl Last {
    fn into_result(self) -> Result<Response<Body>, Failure> {
        match self {
            Self::Lost(failure) => Err(failure),
            Self::Answered(answered) => Ok(*answered),
        }
    }

    /// Waits a little before a replay, so that many requests that failed together do not come back
    /// together. Another endpoint needs no pause where the first was not reached at all.
    async fn pause(&self, tries: &Tries<'_>) {
        if matches!(self, Self::Lost(failure) if failure.fault() == Some(Fault::Unreached)) {
            return;
        }
        let doublings = u32::try_from(tries.tried.len()).unwrap_or(u32::MAX).clamp(1, 8) - 1;
        let longest = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
        let share = tries.plan.core.random.borrow_mut().f64();
        tokio::time::sleep(longest.mul_f64(share)).await;
    }
}

impl<'p> Tries<'p> {
    fn of(plan: &'p Plan<'p>) -> Self {
        Self { plan, times: plan.times(), tried: Vec::new(), last: None }
    }
}

impl Tries<'_> {
    /// One try. Boxed: every layer above would carry its size, and move it once.
    fn once<'t>(
        &'t self,
        permit: &'t Permit,
        request: &'t mut Outgoing,
        body: Option<&'t BodyWatch>,
    ) -> Pin<Box<impl Future<Output = Sent> + 't>> {
        let time = self.times.of_next(&self.plan.core.clock);
        Box::pin(forward(self.plan.core, self.plan.way(), permit, request, time, body))
    }

    /// What a try has come to.
    fn conclude(&self, mut permit: Permit, sent: Sent, request: &mut Outgoing, copied: Option<Box<Copied>>) -> Once {
        breaker::settle(self.plan, &mut permit, &sent);
        outlier::judge(self.plan, &permit, &sent);
        match sent {
            Ok(mut answered) => {
                let Plan { core, transport, .. } = self.plan;
                answered.body_mut().lease(Lease::new(Rc::clone(&core.pools), permit, transport));
                let is_retried = self.plan.statuses().contains(&answered.status().as_u16());
                match copied.filter(|_| is_retried) {
                    None => Once::Over(Ok(answered)),
                    Some(copied) => {
                        request.put(copied.into_request());
                        Once::Again(Last::Answered(Box::new(answered)))
                    }
                }
            }
            Err(Lost { failure, unsent }) => {
                match copied {
                    _ if failure.is_final() => return Once::Over(Err(failure)),
                    _ if unsent => {}
                    Some(copied) => request.put(copied.into_request()),
                    None => return Once::Over(Err(failure)),
                }
                Once::Again(Last::Lost(failure))
            }
        }
    }

    /// The permit of the next endpoint: picked, within its rate, admitted by its breaker.
    fn permit(&mut self, now: Moment) -> Result<Permit, Failure> {
        loop {
            let mut permit = self.pick(now)?;
            if let Some(limit) = self.plan.policy().limit {
                permit.endpoint().bucket().take(limit, now).map_err(|wait| {
                    self.plan.core.metrics.protect(Protection::EndpointLimit);
                    Failure::Limited(wait)
                })?;
            }
            if breaker::admits(self.plan, &mut permit, now) {
                return Ok(permit);
            }
            self.tried.push(permit.endpoint().key());
        }
    }

    fn pick(&mut self, now: Moment) -> Result<Permit, Failure> {
        let Plan { core, cell, hash, .. } = self.plan;
        let asked = Asked { policy: self.plan.policy(), cell, now, hash: *hash, tried: &self.tried };
        pick(asked, &mut core.random.borrow_mut()).map_err(|nobody| match nobody {
            Nobody::Ready => Failure::NoEndpoint,
            Nobody::Closed | Nobody::Untried => Failure::BreakersOpen,
            Nobody::Well => Failure::Unhealthy,
        })
    }

    /// What is needed to send the request once more after it was sent.
    fn copy(&self, request: &Request<RequestBody>) -> Option<Box<Copied>> {
        let may = self.plan.replays() && self.tried.len() < self.plan.retries() && request.method().is_idempotent();
        if may { Copied::of(request).map(Box::new) } else { None }
    }

    /// What is answered when no endpoint is left.
    fn without_endpoint(self, failure: Failure) -> Result<Response<Body>, Failure> {
        if let Some(last) = self.last {
            return last.into_result();
        }
        match failure {
            Failure::BreakersOpen => self.plan.core.metrics.protect(Protection::Breaker),
            Failure::Unhealthy => self.plan.core.metrics.protect(Protection::Unhealthy),
            _ => {}
        }
        Err(failure)
    }

    /// Whether there is a try left, an endpoint for it, and the time and the budget.
    fn may_go_on(&self, now: Moment) -> bool {
        let others = self.plan.cell.load().eligible.len() > self.tried.len();
        if !others || self.tried.len() > self.plan.retries() || self.times.are_over(&self.plan.core.clock) {
            return false;
        }
        let metrics = &self.plan.core.metrics;
        if self.plan.cell.budget().take(self.plan.cell.requests(), now) {
            metrics.retries.add(1);
            return true;
        }
        metrics.protect(Protection::RetryBudget);
        false
    }
}
