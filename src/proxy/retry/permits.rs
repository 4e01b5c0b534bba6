//! Permits alone, as every try begins with one: for benches, and for the test that they allocate
//! nothing.

use super::{Plan, Tries};
use crate::{
    lifecycle::vital::Vitals,
    live::{
        cell::{EndpointCell, EndpointSet},
        endpoint::Endpoint,
        moment::Moment,
        route_stats::RouteStats,
    },
    model::{
        endpoint::{Conditions, EndpointFacts, ZoneHint},
        rule::Overrides,
        target::ServicePort,
        transport::Transport,
        upstream::{Upstream, UpstreamPolicy},
    },
    proxy::core::{Core, CoreSettings},
    rpc::registry::Dialect,
};
use std::{rc::Rc, sync::Arc};

/// An upstream whose endpoints are all ready, and a core that asks them.
#[derive(Debug)]
pub struct Permits {
    core: Rc<Core>,
    upstream: Upstream,
    transport: Transport,
    cell: EndpointCell,
    overrides: Overrides,
}

impl Permits {
    /// With so many endpoints, whose requests are admitted by a policy.
    #[must_use]
    pub fn new(policy: UpstreamPolicy, endpoints: u16) -> Self {
        let settings = CoreSettings {
            limits: Arc::default(),
            trusted: Arc::default(),
            unrouted: Arc::new(RouteStats::new(1)),
            counts: Arc::default(),
            store: None,
            vitals: Vitals::new().0,
        };
        let cell = EndpointCell::default();
        let all = (0..endpoints).map(|number| Arc::new(Endpoint::new(facts(number)))).collect();
        cell.store(EndpointSet::new(all, &policy.balancing.strategy));
        let port = ServicePort { namespace: "shop".into(), service: "cart".into(), port: 80 };
        Self {
            core: Core::new(0, settings, Arc::default(), None, Arc::default(), 1),
            upstream: Upstream { port, policy, transport: None, dialect: Dialect::Mucp },
            transport: Transport::default(),
            cell,
            overrides: Overrides::default(),
        }
    }

    /// The place of the endpoint that takes a request with this hash: it was picked, has a token
    /// left, and its breaker agrees. The request is over at once.
    #[must_use]
    pub fn take(&self, hash: u64, now: Moment) -> Option<u16> {
        let plan = Plan {
            core: &self.core,
            upstream: &self.upstream,
            transport: &self.transport,
            cell: &self.cell,
            overrides: &self.overrides,
            hash,
            deadline: None,
        };
        let permit = Tries::of(&plan).permit(now).ok()?;
        Some(permit.endpoint().address().port())
    }
}

fn facts(number: u16) -> EndpointFacts {
    EndpointFacts {
        address: ([127, 0, 0, 1], number).into(),
        identity: "".into(),
        weight: 1 + u32::from(number % 3),
        zone: "".into(),
        hint: ZoneHint::None,
        conditions: Conditions { ready: true, serving: true, terminating: false },
        metadata: Arc::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        live::buckets::Buckets,
        model::{
            limit::Pace,
            upstream::{Balancing, BreakerPolicy, HashOn, Strategy, TokenBucket},
        },
        table::{Conditions, Entry, HostPattern, Outcome, PathPattern, RequestView, Table, path::normalise},
    };
    use allocation_counter::measure;
    use http::{HeaderMap, Method};
    use std::{num::NonZeroU32, time::Duration};

    fn table(routes: usize) -> Table<usize> {
        let entry = |number: usize| Entry {
            host: HostPattern::Exact("shop.example".into()),
            path: match number % 3 {
                0 => PathPattern::exact(&format!("/api/{number}/item")),
                1 => PathPattern::prefix(&format!("/api/{number}")),
                _ => PathPattern::template(&format!("/api/{number}/{{what}}")).unwrap(),
            },
            conditions: Conditions::default(),
            created: 0,
            order: ("shop/route".into(), 0),
            payload: number,
        };
        Table::build((0..routes).map(entry).collect())
    }

    fn policy(strategy: Strategy) -> UpstreamPolicy {
        let many = NonZeroU32::new(1_000_000).unwrap();
        let breaker = BreakerPolicy {
            max_failures: 5,
            half_open_max_requests: 1,
            open_timeout: Duration::from_secs(1),
            interval: None,
            count_server_errors: false,
            count_timeouts: false,
        };
        UpstreamPolicy {
            balancing: Balancing { strategy, ..Balancing::default() },
            limit: Some(TokenBucket { rate: many, peak: many }),
            breaker: Some(breaker),
            ..UpstreamPolicy::default()
        }
    }

    #[test]
    fn match_pick_limit_and_breaker_allocate_nothing() {
        let (table, headers, paths) = (table(3_000), HeaderMap::new(), (0..300).map(|n| format!("/api/{n}/item")));
        let (paths, buckets): (Vec<_>, _) = (paths.collect(), Buckets::new(1_000));
        let (ten, now) = (NonZeroU32::new(10).unwrap(), Moment::after(Duration::from_secs(9)));
        let pace = Pace::new(ten, Duration::from_secs(1), ten);
        for strategy in [
            Strategy::RoundRobin,
            Strategy::Random,
            Strategy::WeightedRoundRobin,
            Strategy::WeightedRandom,
            Strategy::LessLoad,
            Strategy::Hash(HashOn::ClientAddress),
        ] {
            let permits = Permits::new(policy(strategy), 10);
            let one = |number: usize| {
                let normalised = normalise(&paths[number]);
                let path = &normalised.path;
                let view =
                    RequestView { host: "shop.example", path, method: &Method::GET, headers: &headers, query: None };
                let Outcome::Found(found) = table.find(&view) else { return false };
                let taken = buckets.take(buckets.key(number), pace, now);
                *found.payload == number && taken.refused.is_none() && permits.take(number as u64, now).is_some()
            };
            // What is made at the first use is not made for a request.
            assert!(one(0), "{permits:?}");
            let mut admitted = 0;
            let counted = measure(|| admitted = (1..300).filter(|number| one(*number)).count());
            assert_eq!((admitted, counted.count_total), (299, 0), "{permits:?}");
        }
    }

    #[test]
    fn allocations_are_seen() {
        assert_eq!(measure(|| drop(std::hint::black_box(vec![0_u8; 9]))).count_total, 1);
    }
}
