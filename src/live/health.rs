//! Which endpoints of a set are well, and who is ejected.

use super::{
    breaker::Outcome,
    cell::{EndpointCell, EndpointSet},
    endpoint::Endpoint,
    moment::Moment,
};
use crate::model::{health::OutlierPolicy, upstream::UpstreamPolicy};
use std::{sync::atomic::Ordering, time::Duration};

/// What an attempt changes about an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It is out from now on, for so long.
    Ejected(Duration),
    /// It was out, and answers again.
    Back,
}

impl UpstreamPolicy {
    /// Whether it matters what is known of the health of endpoints.
    #[must_use]
    pub const fn heeds_health(&self) -> bool {
        self.outlier.is_some() || self.health_check.is_some()
    }
}

impl Endpoint {
    /// Whether it is neither ejected nor unhealthy, as far as its upstream's policy asks.
    #[must_use]
    pub fn is_well(&self, policy: &UpstreamPolicy, now: Moment) -> bool {
        (policy.outlier.is_none() || !self.ejection().is_out(now))
            && (policy.health_check.is_none() || !self.is_unhealthy())
    }
}

impl EndpointSet {
    /// Whether so few of the eligible are well that health is not believed.
    #[must_use]
    pub fn panics(&self, policy: &UpstreamPolicy, now: Moment) -> bool {
        if !policy.heeds_health() {
            return false;
        }
        let well = self.eligible.iter().filter(|endpoint| endpoint.is_well(policy, now)).count();
        well * 100 < self.eligible.len() * usize::from(policy.balancing.panic_threshold)
    }

    /// Whether one more endpoint may be ejected.
    fn may_eject(&self, candidate: &Endpoint, policy: &OutlierPolicy, now: Moment) -> bool {
        let (mut ejected, mut well, mut is_here) = (0, 0, false);
        for endpoint in &self.eligible {
            let is_out = endpoint.ejection().is_out(now);
            is_here |= endpoint.key() == candidate.key();
            ejected += usize::from(is_out);
            well += usize::from(endpoint.key() != candidate.key() && !is_out && !endpoint.is_unhealthy());
        }
        let most = self.eligible.len() * usize::from(policy.max_ejection_percent);
        is_here && well > 0 && (ejected + 1) * 100 <= most
    }
}

impl EndpointCell {
    /// Counts what came of an attempt. An endpoint with too many errors in a row is ejected, as
    /// long as enough others are left. Where there are not, its errors are counted anew.
    pub fn judge(&self, endpoint: &Endpoint, outcome: Outcome, policy: &OutlierPolicy, now: Moment) -> Option<Judged> {
        let ejection = endpoint.ejection();
        match outcome {
            Outcome::Unknown => None,
            Outcome::Success => ejection.succeed(now).then_some(Judged::Back),
            Outcome::Failure if ejection.fail(policy, now) => self.eject(endpoint, policy, now).map(Judged::Ejected),
            Outcome::Failure => None,
        }
    }

    /// One core at a time, so that two never eject the last two. A core that finds another one at
    /// it leaves its endpoint for the next error.
    fn eject(&self, endpoint: &Endpoint, policy: &OutlierPolicy, now: Moment) -> Option<Duration> {
        if self.ejecting.swap(true, Ordering::Acquire) {
            return None;
        }
        let may = !endpoint.ejection().is_out(now) && self.load().may_eject(endpoint, policy, now);
        let time = may.then(|| endpoint.ejection().eject(policy, now));
        if time.is_none() {
            endpoint.ejection().spare();
        }
        self.ejecting.store(false, Ordering::Release);
        time
    }
}

#[cfg(test)]
mod tests;
