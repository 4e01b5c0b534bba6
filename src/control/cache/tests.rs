mod registrations;

use super::*;
use crate::{
    control::testing::{cache, object},
    rpc::registry::Dialect,
};

const ROUTE: &str = "
apiVersion: paifang.dev/v1alpha1
kind: GatewayRoute
metadata: {namespace: a, name: r, uid: one, generation: 1, resourceVersion: '1'}
spec: {rules: [{backends: [{service: web}]}]}";
const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {namespace: a, name: web, resourceVersion: '1'}
spec: {ports: [{port: 80}]}";
const SLICE: &str = "
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: a, name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: 80}]
endpoints: [{addresses: [10.0.0.1]}]";

fn upsert(cache: &mut Cache, text: &str) -> Effect {
    cache.apply(Change::Upsert(object(text)))
}

fn of_web() -> Effect {
    Effect::Endpoints(BTreeSet::from([("a".into(), "web".into())]))
}

fn replace(kind: Kind, namespace: Option<&str>, objects: &[&str]) -> Change {
    let objects = objects.iter().map(|text| object(text)).collect();
    Change::Replace { scope: Scope { kind, namespace: namespace.map(Into::into) }, objects, unreadable: Vec::new() }
}

#[test]
fn a_status_or_a_resource_version_touches_nothing() {
    let mut cache = cache(&format!("{ROUTE}\n---\n{SERVICE}"));
    assert_eq!(upsert(&mut cache, &ROUTE.replace("resourceVersion: '1'", "resourceVersion: '2'")), Effect::Nothing);
    let with_status = format!("{ROUTE}\nstatus: {{observedGeneration: 1}}");
    assert_eq!(upsert(&mut cache, &with_status), Effect::Nothing);
    assert_eq!(upsert(&mut cache, &SERVICE.replace("resourceVersion: '1'", "labels: {a: b}")), Effect::Nothing);
    assert_eq!(upsert(&mut cache, &ROUTE.replace("service: web", "service: new")), Effect::Table);
    assert_eq!(upsert(&mut cache, &SERVICE.replace("80", "81")), Effect::Table);
}

#[test]
fn another_uid_under_the_same_name_is_another_object() {
    let mut cache = cache(ROUTE);
    assert_eq!(upsert(&mut cache, &ROUTE.replace("uid: one", "uid: two")), Effect::Table);
}

#[test]
fn slices_take_the_short_road_and_namespaces_touch_nothing() {
    let mut cache = cache(SERVICE);
    assert_eq!(upsert(&mut cache, SLICE), of_web());
    assert_eq!(upsert(&mut cache, SLICE), Effect::Nothing);
    assert_eq!(upsert(&mut cache, &SLICE.replace("10.0.0.1", "10.0.0.2")), of_web());
    let weighted = SLICE.replace("10.0.0.1", "10.0.0.2").replace("labels: {", "labels: {paifang.dev/weight: '5', ");
    assert_eq!(upsert(&mut cache, &weighted), of_web(), "the share of its endpoints is another");
    assert_eq!(upsert(&mut cache, &weighted.replace("'5'", "many")), Effect::Table, "that is to be explained");
    assert_eq!(upsert(&mut cache, &weighted), Effect::Table, "and that it is over");
    assert_eq!(cache.apply(Change::Delete(object(SLICE).reference())), of_web());
    assert_eq!(cache.apply(Change::Delete(object(SLICE).reference())), Effect::Nothing);
    assert_eq!(upsert(&mut cache, "{apiVersion: v1, kind: Namespace, metadata: {name: a}}"), Effect::Nothing);
    assert_eq!(
        upsert(&mut cache, &SLICE.replace("labels: {kubernetes.io/service-name: web}", "labels: {}")),
        Effect::Nothing
    );
}

#[test]
fn a_relist_replaces_its_own_scope_and_nothing_else() {
    let other = ROUTE.replace("namespace: a", "namespace: b");
    let mut cache = cache(&format!("{ROUTE}\n---\n{other}\n---\n{SERVICE}"));
    assert_eq!(cache.apply(replace(Kind::GatewayRoute, Some("a"), &[ROUTE])), Effect::Nothing);
    assert_eq!(cache.apply(replace(Kind::GatewayRoute, Some("a"), &[])), Effect::Table);
    assert_eq!(cache.routes.len(), 1);
    assert_eq!(cache.services.len(), 1);
    assert_eq!(cache.apply(replace(Kind::GatewayRoute, None, &[])), Effect::Table);
    assert!(cache.routes.is_empty());
}

#[test]
fn what_a_relist_cannot_read_stays() {
    let mut cache = cache(ROUTE);
    let scope = Scope { kind: Kind::GatewayRoute, namespace: None };
    let unreadable = vec![(object(ROUTE).reference(), "spec: is no object".to_owned())];
    assert_eq!(cache.apply(Change::Replace { scope, objects: Vec::new(), unreadable }), Effect::Table);
    let tracked = cache.routes.get("a", "r").unwrap();
    assert!(tracked.serving().is_some() && tracked.unreadable().is_some());
}

#[test]
fn a_relist_of_slices_names_each_service_that_it_touches() {
    let mut cache = cache(&format!("{SERVICE}\n---\n{SLICE}"));
    assert_eq!(cache.apply(replace(Kind::EndpointSlice, None, &[SLICE])), Effect::Nothing);
    assert_eq!(cache.apply(replace(Kind::EndpointSlice, None, &[])), of_web());
}

/// A Pod with labels.
fn pod(name: &str, labels: &str) -> String {
    format!("{{apiVersion: v1, kind: Pod, metadata: {{namespace: a, name: {name}, uid: u, labels: {{{labels}}}}}}}")
}

fn of_pod(name: &str) -> String {
    SLICE.replace("[10.0.0.1]", &format!("[10.0.0.1], targetRef: {{kind: Pod, name: {name}}}"))
}

#[test]
fn the_weight_of_a_pod_touches_the_services_that_it_stands_behind() {
    let other = of_pod("two").replace("web", "other");
    let mut cache = cache(&format!("{SERVICE}\n---\n{}\n---\n{other}", of_pod("one")));
    assert_eq!(upsert(&mut cache, &pod("one", "app: web")), Effect::Nothing, "it asks for none");
    assert_eq!(upsert(&mut cache, &pod("one", "paifang.dev/weight: '5'")), of_web());
    assert_eq!(upsert(&mut cache, &pod("one", "paifang.dev/weight: '5', app: web")), Effect::Nothing);
    assert_eq!(upsert(&mut cache, &pod("three", "paifang.dev/weight: '5'")), Effect::Nothing, "nobody uses it");
    assert_eq!(upsert(&mut cache, &pod("one", "paifang.dev/weight: many")), Effect::Table, "that is to be explained");
    assert_eq!(cache.apply(Change::Delete(object(&pod("one", "")).reference())), Effect::Table);
    upsert(&mut cache, &pod("one", "paifang.dev/weight: '7'"));
    assert_eq!(upsert(&mut cache, &pod("one", "")), of_web(), "it asks no more");
}

#[test]
fn a_relist_of_pods_names_the_services_of_those_that_differ() {
    let mut cache = cache(&format!("{SERVICE}\n---\n{}", of_pod("one")));
    let (one, two) = (pod("one", "paifang.dev/weight: '5'"), pod("two", "paifang.dev/weight: '5'"));
    assert_eq!(cache.apply(replace(Kind::Pod, None, &[&one, &two])), of_web());
    assert_eq!(cache.apply(replace(Kind::Pod, None, &[&one])), Effect::Nothing);
    assert_eq!(cache.apply(replace(Kind::Pod, Some("b"), &[])), Effect::Nothing, "another scope");
    assert_eq!(cache.apply(replace(Kind::Pod, None, &[])), of_web());
}

#[test]
fn effects_add_up() {
    let mut effect = Effect::Nothing;
    effect.merge(of_web());
    assert_eq!(effect, of_web());
    effect.merge(Effect::Nothing);
    assert_eq!(effect, of_web());
    effect.merge(Effect::Table);
    effect.merge(of_web());
    assert_eq!(effect, Effect::Table);
}
