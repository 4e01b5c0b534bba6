//! The limits on the requests of a route, and the field that tells clients of them.

use super::Finding;
use crate::{
    model::limit::{LimitKey, LimitScope, MOST_LIMITS, Pace, RequestLimit, RequestLimits},
    resource::{self, LimitKeyType, LimitPeriod},
    table::PathPattern,
};
use http::{HeaderName, HeaderValue};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::{num::NonZeroU32, sync::Arc, time::Duration};

/// Compiles the limits of a route with these paths; `None` where it has none.
pub(super) fn compile<'p>(
    asked: &[resource::RequestLimit],
    route: &ObjectMeta,
    paths: &(impl Iterator<Item = &'p PathPattern> + Clone),
    findings: &mut Vec<Finding>,
) -> Option<Arc<RequestLimits>> {
    let (mut limits, mut policy) = (Vec::new(), String::new());
    for (index, asked) in asked.iter().enumerate().take(MOST_LIMITS) {
        let name = asked.name.clone().unwrap_or_else(|| format!("limit-{}", index + 1));
        let pace = pace(asked)?;
        let key = key(asked.key.as_ref());
        if let LimitKey::PathCapture(field) = &key
            && !paths.clone().any(|path| captures(path, field))
        {
            let place = format!("spec.limiter.requests[{index}].key.name");
            let message =
                format!("no path of this route captures `{field}`: write {{{field}}} in one of type Template");
            findings.push(Finding::error(place, message));
        }
        if !policy.is_empty() {
            policy.push_str(", ");
        }
        policy.push_str(&policy_member(&name, pace));
        limits.push(limit(route, &name, key, pace, asked.scope));
    }
    let policy = HeaderValue::try_from(policy).ok()?;
    (!limits.is_empty()).then(|| Arc::new(RequestLimits { limits: limits.into(), policy }))
}

fn limit(route: &ObjectMeta, name: &str, key: LimitKey, pace: Pace, scope: resource::LimitScope) -> RequestLimit {
    let of_route = |part: &Option<String>| part.clone().unwrap_or_default();
    let scope = match scope {
        resource::LimitScope::Replica => LimitScope::Replica,
        resource::LimitScope::Cluster => LimitScope::Cluster,
    };
    let id = format!("{}/{}/{name}", of_route(&route.namespace), of_route(&route.name)).into();
    RequestLimit { key, pace, scope, id, member: format!("\"{name}\";r=").into() }
}

/// `None` for numbers that the schema refuses.
fn pace(asked: &resource::RequestLimit) -> Option<Pace> {
    const MOST: u32 = 1_000_000;
    let number = |number: i32| u32::try_from(number).ok().and_then(|number| NonZeroU32::new(number.min(MOST)));
    let seconds = match asked.per {
        LimitPeriod::Second => 1,
        LimitPeriod::Minute => 60,
        LimitPeriod::Hour => 60 * 60,
        LimitPeriod::Day => 24 * 60 * 60,
    };
    let rate = number(asked.rate)?;
    Some(Pace::new(rate, Duration::from_secs(seconds), asked.burst.map_or(Some(rate), number)?))
}

/// The schema refuses a type without its name; what gets past it counts by the client's address.
fn key(asked: Option<&resource::LimitKey>) -> LimitKey {
    let Some(asked) = asked else { return LimitKey::Route };
    let header = |name: &str| name.parse::<HeaderName>().map_or(LimitKey::ClientAddress, LimitKey::Header);
    match (asked.type_, asked.name.as_deref()) {
        (LimitKeyType::Header, Some(name)) => header(name),
        (LimitKeyType::PathCapture, Some(name)) => LimitKey::PathCapture(name.into()),
        (LimitKeyType::ClientAddress, _) | (_, None) => LimitKey::ClientAddress,
    }
}

fn captures(path: &PathPattern, field: &str) -> bool {
    match path {
        PathPattern::Template(template) => template.fields().any(|known| known == field),
        PathPattern::Exact(_) | PathPattern::Prefix(_) | PathPattern::Regex(_) => false,
    }
}

/// A quota policy (draft-ietf-httpapi-ratelimit-headers-10 section 3): what the bucket holds, and
/// the time in which all of it comes back.
fn policy_member(name: &str, pace: Pace) -> String {
    let window = Duration::from_nanos(pace.from_empty()).as_nanos().div_ceil(1_000_000_000);
    format!("\"{name}\";q={};w={window}", pace.left(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn compiled(requests: &Value) -> (Option<Arc<RequestLimits>>, Vec<Finding>) {
        let asked: Vec<resource::RequestLimit> = serde_json::from_value(requests.clone()).unwrap();
        let meta =
            ObjectMeta { namespace: Some("shop".to_owned()), name: Some("cart".to_owned()), ..ObjectMeta::default() };
        let mut findings = Vec::new();
        let limits = compile(&asked, &meta, &std::iter::empty(), &mut findings);
        (limits, findings)
    }

    fn policy(requests: &Value) -> String {
        compiled(requests).0.unwrap().policy.to_str().unwrap().to_owned()
    }

    #[test]
    fn clients_are_told_what_a_bucket_holds_and_when_it_is_full_again() {
        assert_eq!(policy(&json!([{"rate": 100}])), "\"limit-1\";q=100;w=1");
        assert_eq!(policy(&json!([{"rate": 100, "per": "Minute", "name": "all"}])), "\"all\";q=100;w=60");
        assert_eq!(
            policy(&json!([{"rate": 5, "burst": 12}, {"rate": 1000, "per": "Day", "burst": 10}])),
            "\"limit-1\";q=12;w=3, \"limit-2\";q=10;w=864"
        );
    }

    #[test]
    fn a_limit_without_key_counts_the_route_and_has_its_name() {
        let limits = compiled(&json!([{"rate": 1}, {"rate": 1, "key": {}, "scope": "Cluster"}])).0.unwrap();
        assert_eq!([&limits.limits[0].key, &limits.limits[1].key], [&LimitKey::Route, &LimitKey::ClientAddress]);
        assert_eq!([&*limits.limits[0].id, &*limits.limits[1].id], ["shop/cart/limit-1", "shop/cart/limit-2"]);
        assert!(limits.are_shared());
        assert_eq!(compiled(&json!([])).0, None);
    }

    #[test]
    fn a_variable_that_no_path_has_is_an_error() {
        let findings = compiled(&json!([{"rate": 1, "key": {"type": "PathCapture", "name": "tenant"}}])).1;
        assert_eq!(findings[0].field, "spec.limiter.requests[0].key.name");
        assert_eq!(
            findings[0].message,
            "no path of this route captures `tenant`: write {tenant} in one of type Template"
        );
    }
}
