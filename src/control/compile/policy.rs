//! What a GatewayRoute sets for requests and Service ports, as the model has it.

mod health;

use crate::{
    model::{
        health::{HealthCheck, OutlierPolicy},
        rule::Overrides,
        upstream::{Balancing, BreakerPolicy, HashOn, Scheme, Strategy, TimeLimit, TokenBucket, UpstreamPolicy},
    },
    resource::{
        self, BalancingStrategy, EndpointLimit, FailureKind, GatewayRouteSpec, HashOnType, duration::GatewayDuration,
    },
};
use http::HeaderName;
use std::{num::NonZeroU32, sync::Arc, time::Duration};

/// Stands for no limit of ours on connecting: systems give up sooner.
const NO_DIAL_TIMEOUT: Duration = Duration::from_secs(300);

/// One thing that an object sets for a Service port. Several objects may; each is decided alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// How an endpoint is picked.
    Balancing(Balancing),
    /// The rate of requests of each endpoint.
    Limit(TokenBucket),
    /// The breaker of each endpoint.
    Breaker(BreakerPolicy),
    /// When an endpoint is ejected.
    Outlier(OutlierPolicy),
    /// How endpoints are checked.
    HealthCheck(Arc<HealthCheck>),
    /// How long connecting may take.
    DialTimeout(Duration),
    /// What is spoken below HTTP.
    Scheme(Scheme),
    /// How long a TLS handshake may take.
    TlsHandshakeTimeout(Duration),
    /// How TLS is spoken.
    Tls(Arc<resource::EndpointTls>),
    /// How long the response head may take.
    RequestTimeout(TimeLimit),
    /// How long one try may take.
    TryTimeout(TimeLimit),
    /// How many times a request is tried again.
    RetryCount(u8),
    /// The status codes after which it is.
    RetryStatuses(Box<[u16]>),
}

impl Setting {
    /// The field that sets it.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Balancing(_) => "spec.balancing",
            Self::Limit(_) => "spec.limiter.endpoint",
            Self::Breaker(_) => "spec.breaker",
            Self::Outlier(_) => "spec.outlierEjection",
            Self::HealthCheck(_) => "spec.healthCheck",
            Self::DialTimeout(_) => "spec.proxy.dialTimeout",
            Self::Scheme(_) => "spec.proxy.scheme",
            Self::TlsHandshakeTimeout(_) => "spec.proxy.tlsHandshakeTimeout",
            Self::Tls(_) => "spec.proxy.tls",
            Self::RequestTimeout(_) => "spec.proxy.requestTimeout",
            Self::TryTimeout(_) => "spec.proxy.tryTimeout",
            Self::RetryCount(_) => "spec.proxy.retryCount",
            Self::RetryStatuses(_) => "spec.proxy.retryStatuses",
        }
    }

    /// Whether all routes to the port share it, because its endpoints have it. What is left
    /// belongs to the request, and a route with rules sets it for its own requests alone.
    #[must_use]
    pub const fn is_of_endpoints(&self) -> bool {
        match self {
            Self::Balancing(_)
            | Self::Limit(_)
            | Self::Breaker(_)
            | Self::Outlier(_)
            | Self::HealthCheck(_)
            | Self::DialTimeout(_)
            | Self::Scheme(_)
            | Self::TlsHandshakeTimeout(_)
            | Self::Tls(_) => true,
            Self::RequestTimeout(_) | Self::TryTimeout(_) | Self::RetryCount(_) | Self::RetryStatuses(_) => false,
        }
    }

    /// Puts it into a policy.
    pub fn apply(&self, policy: &mut UpstreamPolicy) {
        match self.clone() {
            Self::Balancing(balancing) => policy.balancing = balancing,
            Self::Limit(limit) => policy.limit = Some(limit),
            Self::Breaker(breaker) => policy.breaker = Some(breaker),
            Self::Outlier(outlier) => policy.outlier = Some(outlier),
            Self::HealthCheck(check) => policy.health_check = Some(check),
            Self::DialTimeout(timeout) => policy.dial_timeout = timeout,
            Self::Scheme(scheme) => policy.scheme = Some(scheme),
            Self::TlsHandshakeTimeout(timeout) => policy.tls_handshake_timeout = timeout,
            // It names Secrets, which translation looks up.
            Self::Tls(_) => {}
            Self::RequestTimeout(limit) => policy.request_timeout = limit,
            Self::TryTimeout(limit) => policy.try_timeout = limit,
            Self::RetryCount(count) => (policy.retry.count, policy.retry.replays) = (count, true),
            Self::RetryStatuses(statuses) => policy.retry.statuses = statuses,
        }
    }

    fn override_with(&self, overrides: &mut Overrides) {
        match self.clone() {
            Self::RequestTimeout(limit) => overrides.request_timeout = Some(limit),
            Self::TryTimeout(limit) => overrides.try_timeout = Some(limit),
            Self::RetryCount(count) => overrides.retry_count = Some(count),
            Self::RetryStatuses(statuses) => overrides.retry_statuses = Some(statuses),
            Self::Balancing(_)
            | Self::Limit(_)
            | Self::Breaker(_)
            | Self::Outlier(_)
            | Self::HealthCheck(_)
            | Self::DialTimeout(_)
            | Self::Scheme(_)
            | Self::TlsHandshakeTimeout(_)
            | Self::Tls(_) => {}
        }
    }
}

/// Everything that a spec sets.
pub(super) fn settings(spec: &GatewayRouteSpec) -> Vec<Setting> {
    let mut settings = Vec::new();
    settings.extend(spec.balancing.as_ref().map(|asked| Setting::Balancing(balancing(asked))));
    let limit = spec.limiter.as_ref().and_then(|limiter| limiter.endpoint.as_ref());
    settings.extend(limit.and_then(token_bucket).map(Setting::Limit));
    settings.extend(spec.breaker.as_ref().map(|asked| Setting::Breaker(breaker(asked))));
    settings.extend(spec.outlier_ejection.as_ref().map(|asked| Setting::Outlier(health::outlier(asked))));
    let check = spec.health_check.as_ref().map(health::health_check);
    settings.extend(check.map(|check| Setting::HealthCheck(Arc::new(check))));
    if let Some(proxy) = &spec.proxy {
        settings.extend(proxy.dial_timeout.map(|timeout| Setting::DialTimeout(dial_timeout(timeout.0))));
        settings.extend(proxy.scheme.map(|asked| Setting::Scheme(scheme(asked))));
        let handshake = proxy.tls_handshake_timeout.map(|timeout| dial_timeout(timeout.0));
        settings.extend(handshake.map(Setting::TlsHandshakeTimeout));
        settings.extend(proxy.tls.clone().map(|tls| Setting::Tls(Arc::new(tls))));
        settings.extend(proxy.request_timeout.map(|timeout| Setting::RequestTimeout(time_limit(timeout))));
        settings.extend(proxy.try_timeout.map(|timeout| Setting::TryTimeout(time_limit(timeout))));
        settings.extend(proxy.retry_count.map(|count| Setting::RetryCount(u8::try_from(count).unwrap_or(u8::MAX))));
        settings.extend(proxy.retry_statuses.as_deref().map(|statuses| Setting::RetryStatuses(codes(statuses))));
    }
    settings
}

/// What the settings of a route mean for its own requests.
pub(super) fn overrides(settings: &[Setting]) -> Overrides {
    let mut overrides = Overrides::default();
    settings.iter().for_each(|setting| setting.override_with(&mut overrides));
    overrides
}

fn codes(statuses: &[i32]) -> Box<[u16]> {
    let mut codes: Vec<u16> = statuses.iter().filter_map(|status| u16::try_from(*status).ok()).collect();
    codes.sort_unstable();
    codes.into()
}

fn balancing(asked: &resource::Balancing) -> Balancing {
    let panic_threshold = asked.panic_threshold.and_then(|percent| u8::try_from(percent).ok());
    Balancing {
        strategy: strategy(asked),
        hash_balance_factor: asked.hash_balance_factor.and_then(|percent| u16::try_from(percent.max(100)).ok()),
        slow_start: asked.slow_start.and_then(|time| time_limit(time).0),
        panic_threshold: panic_threshold.unwrap_or(Balancing::default().panic_threshold),
    }
}

fn strategy(asked: &resource::Balancing) -> Strategy {
    match asked.strategy {
        BalancingStrategy::RoundRobin => Strategy::RoundRobin,
        BalancingStrategy::Random => Strategy::Random,
        BalancingStrategy::WeightedRoundRobin => Strategy::WeightedRoundRobin,
        BalancingStrategy::WeightedRandom => Strategy::WeightedRandom,
        BalancingStrategy::LessLoad => Strategy::LessLoad,
        BalancingStrategy::Hash => Strategy::Hash(hash_on(asked.hash_on.as_ref())),
    }
}

/// The schema refuses a type without its name; what gets past it hashes the client's address.
fn hash_on(asked: Option<&resource::HashOn>) -> HashOn {
    let Some((type_, Some(name))) = asked.map(|asked| (asked.type_, asked.name.as_deref())) else {
        return HashOn::ClientAddress;
    };
    match type_ {
        HashOnType::ClientAddress => HashOn::ClientAddress,
        HashOnType::Header => name.parse::<HeaderName>().map_or(HashOn::ClientAddress, HashOn::Header),
        HashOnType::Cookie => HashOn::Cookie(name.into()),
        HashOnType::QueryParam => HashOn::QueryParam(name.into()),
    }
}

fn token_bucket(asked: &EndpointLimit) -> Option<TokenBucket> {
    let positive = |number: i32| u32::try_from(number).ok().and_then(NonZeroU32::new);
    Some(TokenBucket { rate: positive(asked.rate)?, peak: positive(asked.peak)? })
}

fn breaker(asked: &resource::Breaker) -> BreakerPolicy {
    const MINUTE: Duration = Duration::from_secs(60);
    let count = |asked: Option<i32>, default| asked.and_then(|count| u16::try_from(count).ok()).unwrap_or(default);
    BreakerPolicy {
        max_failures: count(asked.max_failures, 5),
        half_open_max_requests: count(asked.half_open_max_requests, 1),
        open_timeout: asked.open_timeout.map_or(MINUTE, |time| time.0),
        interval: asked.interval.map_or(Some(MINUTE), |time| time_limit(time).0),
        count_server_errors: asked.fail_on.contains(&FailureKind::ServerError),
        count_timeouts: asked.fail_on.contains(&FailureKind::Timeout),
    }
}

const fn scheme(asked: resource::Scheme) -> Scheme {
    match asked {
        resource::Scheme::Http => Scheme::Http,
        resource::Scheme::Https => Scheme::Https,
    }
}

const fn dial_timeout(timeout: Duration) -> Duration {
    if timeout.is_zero() { NO_DIAL_TIMEOUT } else { timeout }
}

/// A limit as users write it: zero turns it off.
const fn time_limit(time: GatewayDuration) -> TimeLimit {
    TimeLimit(if time.0.is_zero() { None } else { Some(time.0) })
}
