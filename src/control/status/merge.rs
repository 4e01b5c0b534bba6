//! The status to write, made of what it shall say and of what the API server has. Pure.

use super::{desired::Desired, publish::PublishAddress};
use crate::{
    control::report::ConditionReport,
    model::condition::Reason,
    resource::{EndpointCounts, GatewayRouteStatus},
};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use serde_json::{Value, json};

/// The longest message that a condition may have, in bytes.
const MAX_MESSAGE: usize = 32_768;

/// The status of a route at `now`. A condition keeps its transition time while its status does.
pub(super) fn route_status(desired: &Desired, current: &GatewayRouteStatus, now: Timestamp) -> GatewayRouteStatus {
    let conditions = desired.conditions.iter().map(|report| {
        let status = truth(report.holds);
        let kept = find(current, report).filter(|old| old.status == status).map(|old| old.last_transition_time.clone());
        Condition {
            type_: report.type_.as_str().to_owned(),
            status: status.to_owned(),
            reason: report.reason.as_str().to_owned(),
            message: clipped(&report.message, MAX_MESSAGE).to_owned(),
            observed_generation: Some(desired.generation),
            last_transition_time: kept.unwrap_or(Time(now)),
        }
    });
    GatewayRouteStatus {
        conditions: conditions.collect(),
        endpoints: desired.endpoints.map(counts),
        observed_generation: Some(desired.generation),
    }
}

/// Whether the API server has all of `wanted`. Conditions of other owners do not count.
pub(super) fn is_written(wanted: &GatewayRouteStatus, current: &GatewayRouteStatus) -> bool {
    wanted.endpoints == current.endpoints
        && wanted.observed_generation == current.observed_generation
        && wanted.conditions.iter().all(|condition| current.conditions.contains(condition))
}

/// The conditions that have become False, or False for another reason. One that is merely pending
/// is not worth telling.
pub(super) fn newly_false<'a>(desired: &'a Desired, current: &GatewayRouteStatus) -> Vec<&'a ConditionReport> {
    let is_new = |report: &&ConditionReport| {
        find(current, report).is_none_or(|old| old.status != truth(false) || old.reason != report.reason.as_str())
    };
    failing(desired).filter(is_new).collect()
}

/// The conditions that do not hold, beyond pending ones.
pub(super) fn failing(desired: &Desired) -> impl Iterator<Item = &ConditionReport> {
    desired.conditions.iter().filter(|report| !report.holds && report.reason != Reason::Pending)
}

/// The `status.loadBalancer.ingress` of an Ingress.
pub(super) fn balancer_points(addresses: &[PublishAddress]) -> Vec<Value> {
    let point = |address: &PublishAddress| match address {
        PublishAddress::Ip(ip) => json!({"ip": ip.to_string()}),
        PublishAddress::Host(host) => json!({"hostname": host}),
    };
    addresses.iter().map(point).collect()
}

/// At most `limit` bytes of a text, cut between characters.
pub(super) fn clipped(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

fn find<'a>(current: &'a GatewayRouteStatus, report: &ConditionReport) -> Option<&'a Condition> {
    current.conditions.iter().find(|condition| condition.type_ == report.type_.as_str())
}

const fn truth(holds: bool) -> &'static str {
    if holds { "True" } else { "False" }
}

fn counts((ready, total): (usize, usize)) -> EndpointCounts {
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    EndpointCounts { ready: number(ready), total: number(total), summary: format!("{ready}/{total}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::condition::ConditionType;

    fn desired(holds: bool, reason: Reason) -> Desired {
        let message = "words".to_owned();
        let condition = ConditionReport { type_: ConditionType::ResolvedRefs, holds, reason, message };
        Desired { generation: 2, conditions: vec![condition], endpoints: Some((1, 2)), addresses: None }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_condition_keeps_its_transition_time_while_its_status_does() {
        let first = route_status(&desired(false, Reason::BackendNotFound), &GatewayRouteStatus::default(), at(1));
        let second = route_status(&desired(false, Reason::RefNotPermitted), &first, at(2));
        assert_eq!(second.conditions[0].last_transition_time, Time(at(1)));
        assert!(!is_written(&second, &first));
        let third = route_status(&desired(true, Reason::ResolvedRefs), &second, at(3));
        assert_eq!(third.conditions[0].last_transition_time, Time(at(3)));
    }

    #[test]
    fn the_same_content_later_is_written_already() {
        let want = desired(true, Reason::ResolvedRefs);
        let mut current = route_status(&want, &GatewayRouteStatus::default(), at(1));
        let foreign = Condition { type_: "Foreign".to_owned(), ..current.conditions[0].clone() };
        current.conditions.push(foreign);
        assert!(is_written(&route_status(&want, &current, at(9)), &current));
        assert_eq!(current.endpoints.as_ref().unwrap().summary, "1/2");
    }

    #[test]
    fn only_a_change_to_false_is_told_and_pending_never() {
        let none = GatewayRouteStatus::default();
        let broken = desired(false, Reason::BackendNotFound);
        assert_eq!(newly_false(&broken, &none).len(), 1);
        let written = route_status(&broken, &none, at(1));
        assert!(newly_false(&broken, &written).is_empty());
        assert_eq!(newly_false(&desired(false, Reason::RefNotPermitted), &written).len(), 1);
        assert!(newly_false(&desired(false, Reason::Pending), &none).is_empty());
        assert!(newly_false(&desired(true, Reason::ResolvedRefs), &written).is_empty());
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        assert_eq!(clipped("aéé", 4), "aé");
        assert_eq!(clipped("aé", 9), "aé");
    }
}
