//! The nodes of services that registered themselves.

use super::*;
use crate::control::{change::with_registrations, endpoints::registered::endpoints_of};

fn pod(name: &str, address: &str, protocol: &str, more: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: Pod
metadata:
  namespace: shop
  name: {name}
  {more}
  labels: {{micro.mu/type: service, paifang.dev/weight: '3'}}
  annotations:
    micro.mu/service-a: '{{"name": "go.a", "nodes": [{{"id": "{name}-id", "address": "{address}", "metadata": {{"protocol": "{protocol}"}}}}]}}'
"#
    )
}

fn of_pod(name: &str, service: &str, pod: &str, conditions: &str) -> String {
    let target = format!("{{addresses: [10.0.0.9], targetRef: {{kind: Pod, name: {pod}, uid: u}}, {conditions}}}");
    slice(name, "IPv4", &target).replace("service-name: cart", &format!("service-name: {service}"))
}

fn facts(objects: &[String]) -> Vec<EndpointFacts> {
    let mut cache = Cache::default();
    let changes = objects.iter().map(|text| Change::Upsert(object(text))).collect();
    with_registrations(changes).into_iter().for_each(|change| drop(cache.apply(change)));
    let mut pods = PodStates::of(&cache);
    endpoints_of(&mut pods, &("shop".into(), "go.a".into()))
}

fn conditions(objects: &[String]) -> (bool, bool, bool) {
    let [facts] = &facts(objects)[..] else { panic!("{objects:?}") };
    (facts.conditions.ready, facts.conditions.serving, facts.conditions.terminating)
}

#[test]
fn a_node_is_an_endpoint() {
    let found = facts(&[pod("one", "10.0.0.1:80", "mucp", ""), pod("two", "10.0.0.2:81", "mucp", "")]);
    let told: Vec<_> =
        found.iter().map(|facts| (facts.address.to_string(), facts.identity.to_string(), facts.weight)).collect();
    let node = |address: &str, id: &str| (address.to_owned(), id.to_owned(), 3);
    assert_eq!(told, [node("10.0.0.1:80", "one-id"), node("10.0.0.2:81", "two-id")]);
    assert_eq!(found[0].metadata.get("protocol").map(String::as_str), Some("mucp"));
}

#[test]
fn nodes_of_another_dialect_get_no_requests() {
    let found = facts(&[
        pod("one", "10.0.0.1:80", "mucp", ""),
        pod("two", "10.0.0.2:81", "mucp", ""),
        pod("three", "10.0.0.3:81", "grpc", ""),
    ]);
    assert_eq!(found.iter().map(|facts| &*facts.identity).collect::<Vec<_>>(), ["one-id", "two-id"]);
}

#[test]
fn a_pod_is_as_slices_say_and_ready_where_none_does() {
    let one = |more: &str| pod("one", "10.0.0.1:80", "mucp", more);
    let slice = |name: &str, conditions: &str| of_pod(name, name, "one", conditions);
    let (up, down) = ("conditions: {ready: true}", "conditions: {ready: false, serving: true, terminating: true}");
    assert_eq!(conditions(&[one("")]), (true, true, false));
    assert_eq!(conditions(&[one(""), slice("a", "conditions: {ready: false}")]), (false, false, false));
    assert_eq!(conditions(&[one(""), slice("a", up), slice("b", down)]), (false, true, true), "the worse news hold");
    assert_eq!(conditions(&[one(""), of_pod("a", "a", "two", down)]), (true, true, false), "another Pod");
    assert_eq!(conditions(&[one("uid: v"), slice("a", down)]), (true, true, false), "its successor");
    assert_eq!(conditions(&[one("deletionTimestamp: 2026-01-01T00:00:00Z")]), (false, true, true));
}
