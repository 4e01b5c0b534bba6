//! What changes of registrations touch.

use super::*;
use crate::control::change::with_registrations;

/// A Pod that registers `a` with a node and, with `more`, what else is said of it.
fn pod(name: &str, address: &str, protocol: &str, more: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: Pod
metadata:
  namespace: a
  name: {name}
  labels: {{micro.mu/type: service}}
  annotations:
    micro.mu/service-a: '{{"name": "a", {more} "nodes": [{{"id": "{name}", "address": "{address}", "metadata": {{"protocol": "{protocol}"}}}}]}}'
"#
    )
}

fn put(cache: &mut Cache, text: &str) -> Effect {
    let mut effect = Effect::Nothing;
    for change in with_registrations(vec![Change::Upsert(object(text))]) {
        effect.merge(cache.apply(change));
    }
    effect
}

fn gone(cache: &mut Cache, name: &str) -> Effect {
    cache.apply(Change::Delete(ObjectRef::new(Kind::PodRegistration, "a", name)))
}

fn of_a() -> Effect {
    Effect::Endpoints(BTreeSet::from([("a".into(), "a".into())]))
}

const ENDPOINT: &str = r#""endpoints": [{"name": "A.B", "metadata": {"endpoint": "A.B", "handler": "rpc", "method": "GET", "path": "/b"}}],"#;

#[test]
fn nodes_take_the_short_road_and_what_routes_can_tell_the_long_one() {
    let mut cache = Cache::default();
    let one = pod("one", "10.0.0.1:80", "mucp", "");
    assert_eq!(put(&mut cache, &one), Effect::Table, "a service is new");
    assert_eq!(put(&mut cache, &one), Effect::Nothing);
    assert_eq!(put(&mut cache, &pod("one", "10.0.0.2:80", "mucp", "")), of_a());
    assert_eq!(put(&mut cache, &pod("two", "10.0.0.3:80", "mucp", "")), of_a());
    assert_eq!(put(&mut cache, &pod("two", "10.0.0.3:80", "mucp", ENDPOINT)), Effect::Table, "an endpoint is new");
    assert_eq!(put(&mut cache, &pod("one", "10.0.0.2:80", "mucp", ENDPOINT)), Effect::Table, "all say it now");
    assert_eq!(gone(&mut cache, "one"), of_a());
    assert_eq!(gone(&mut cache, "two"), Effect::Table, "the service is gone");
    assert!(cache.registrations.iter().next().is_none());
}

#[test]
fn what_most_nodes_speak_is_spoken() {
    let mut cache = Cache::default();
    let dialect = |cache: &Cache| cache.registrations.get("a", "a").and_then(Known::dialect);
    put(&mut cache, &pod("one", "10.0.0.1:80", "mucp", ""));
    assert_eq!(dialect(&cache), Some(Dialect::Mucp));
    assert_eq!(put(&mut cache, &pod("two", "10.0.0.2:80", "grpc", "")), Effect::Table);
    assert_eq!(dialect(&cache), Some(Dialect::Grpc), "of as many, gRPC");
    assert_eq!(put(&mut cache, &pod("three", "10.0.0.3:80", "mucp", "")), Effect::Table);
    assert_eq!(dialect(&cache), Some(Dialect::Mucp));
    assert_eq!(cache.registrations.get("a", "a").unwrap().others(), 1);
    gone(&mut cache, "one");
    gone(&mut cache, "two");
    put(&mut cache, &pod("three", "10.0.0.3:80", "http", ""));
    assert_eq!(dialect(&cache), Some(Dialect::Other), "requests can be passed to it, if no method can be called");
}

#[test]
fn a_bad_annotation_is_told_of() {
    let mut cache = Cache::default();
    let bad = pod("one", "10.0.0.1:80", "mucp", r#""version": 7,"#);
    assert_eq!(put(&mut cache, &bad), Effect::Table);
    assert_eq!(cache.registrations.problems().count(), 1);
    assert_eq!(put(&mut cache, &pod("one", "10.0.0.1:80", "mucp", "")), Effect::Table);
    assert_eq!(cache.registrations.problems().count(), 0);
}

#[test]
fn the_state_of_a_pod_is_that_of_its_services() {
    let mut cache = cache(SERVICE);
    put(&mut cache, &pod("one", "10.0.0.1:80", "mucp", ""));
    let of_pod = SLICE.replace("{addresses: [10.0.0.1]}", "{addresses: [10.0.0.1], targetRef: {kind: Pod, name: one}}");
    let both = Effect::Endpoints(BTreeSet::from([("a".into(), "a".into()), ("a".into(), "web".into())]));
    assert_eq!(upsert(&mut cache, &of_pod), both);
    assert_eq!(upsert(&mut cache, SLICE), both, "the Pod is not in it any more");
    upsert(&mut cache, &of_pod);
    assert_eq!(cache.apply(Change::Delete(object(SLICE).reference())), both);
}

#[test]
fn a_service_is_what_its_annotation_says() {
    let mut cache = cache(SERVICE);
    let annotated = SERVICE.replace("resourceVersion: '1'", r#"annotations: {micro.mu/service-x: '{"name": "x"}'}"#);
    assert_eq!(upsert(&mut cache, &annotated), Effect::Table);
    assert_eq!(cache.registrations.get("a", "x").unwrap().services().collect::<Vec<_>>(), [&Arc::from("web")]);
    assert_eq!(upsert(&mut cache, &annotated), Effect::Nothing);
    assert_eq!(upsert(&mut cache, SERVICE), Effect::Table);
    assert!(cache.registrations.get("a", "x").is_none());
}

#[test]
fn a_list_forgets_what_it_lacks() {
    let mut cache = Cache::default();
    put(&mut cache, &pod("one", "10.0.0.1:80", "mucp", ""));
    put(&mut cache, &pod("two", "10.0.0.2:80", "mucp", ""));
    let Some(Change::Upsert(two)) =
        with_registrations(vec![Change::Upsert(object(&pod("two", "10.0.0.2:80", "mucp", "")))]).pop()
    else {
        panic!("a Pod must register")
    };
    let scope = Scope { kind: Kind::PodRegistration, namespace: None };
    assert_eq!(cache.apply(Change::Replace { scope, objects: vec![two], unreadable: Vec::new() }), of_a());
    assert_eq!(cache.registrations.nodes("a", "a").count(), 1);
}
