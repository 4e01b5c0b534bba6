//! Services as they are listed.

use super::*;
use crate::{control::change::with_registrations, control::endpoints::Listings, live::listing::Listing};

fn pod(name: &str, service: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Pod
metadata:
  namespace: shop
  name: {name}
  labels: {{micro.mu/type: service}}
  annotations: {{micro.mu/service-go.a: '{service}'}}
"
    )
}

fn node(version: &str, id: &str, endpoint: &str) -> String {
    format!(
        r#"{{"name": "go.a", "version": "{version}", "endpoints": [{{"name": "{endpoint}"}}],
            "nodes": [{{"id": "{id}", "address": "10.0.0.{id}:80"}}]}}"#
    )
}

fn apply(cache: &mut Cache, text: &str) -> BTreeSet<ServiceName> {
    let mut touched = BTreeSet::new();
    for change in with_registrations(vec![Change::Upsert(object(text))]) {
        if let crate::control::cache::Effect::Endpoints(services) = cache.apply(change) {
            touched.extend(services);
        }
    }
    touched
}

fn listing(cache: &Cache, listings: &mut Listings) -> Arc<Listing> {
    let cells = listings.cells(cache, [Arc::from("shop")].iter());
    Arc::clone(&cells["shop"].load())
}

fn listed(objects: &[String]) -> Arc<Listing> {
    let mut cache = Cache::default();
    for text in objects {
        apply(&mut cache, text);
    }
    listing(&cache, &mut Listings::default())
}

/// Name and version of each, its endpoints, and the ids of its nodes.
fn told(listing: &Listing) -> Vec<String> {
    let versions = listing.services().values().flat_map(|listed| listed.versions());
    let tell = |service: &crate::rpc::registry::Service| {
        let endpoints: Vec<_> = service.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
        let nodes: Vec<_> = service.nodes.iter().map(|node| node.id.as_str()).collect();
        format!("{} {} [{}] [{}]", service.name, service.version, endpoints.join(" "), nodes.join(" "))
    };
    versions.map(tell).collect()
}

#[test]
fn versions_stand_apart_and_pods_of_one_add_to_each_other() {
    let listing = listed(&[
        pod("a", &node("1", "1", "Say.Hello")),
        pod("b", &node("2", "2", "Say.Hello")),
        pod("c", &node("1", "3", "Say.Bye")),
        pod("d", &node("1", "3", "Say.Hello")),
    ]);
    assert_eq!(told(&listing), ["go.a 1 [Say.Hello Say.Bye] [1 3]", "go.a 2 [Say.Hello] [2]"]);
}

#[test]
fn nodes_that_take_no_requests_are_left_out_and_their_service_is_not() {
    let down = "{addresses: [10.0.0.1], targetRef: {kind: Pod, name: a}, conditions: {ready: false}}";
    let listing = listed(&[pod("a", &node("1", "1", "Say.Hello")), slice("s", "IPv4", down)]);
    assert_eq!(told(&listing), ["go.a 1 [Say.Hello] []"]);
}

#[test]
fn each_port_of_a_service_is_a_node_of_its_own() {
    let endpoints = "{addresses: [10.0.0.1], targetRef: {kind: Pod, name: a, uid: u}}, {addresses: [10.0.0.2]}, \
        {addresses: [10.0.0.3], conditions: {ready: false}}";
    let listing = listed(&[SERVICE.to_owned(), slice("s", "IPv4", endpoints)]);
    assert_eq!(told(&listing), ["cart  [] [u:8080 u:9090 10.0.0.2:8080 10.0.0.2:9090]"]);
    assert_eq!(told(&listed(&[SERVICE.to_owned()])), Vec::<String>::new(), "no slice");
}

#[test]
fn what_did_not_change_is_not_told_anew() {
    let mut cache = Cache::default();
    let mut listings = Listings::default();
    apply(&mut cache, &pod("a", &node("1", "1", "Say.Hello")));
    apply(&mut cache, SERVICE);
    apply(&mut cache, &slice("s", "IPv4", "{addresses: [10.0.0.1]}"));
    let before = listing(&cache, &mut listings);
    assert!(Arc::ptr_eq(&before, &listing(&cache, &mut listings)));
    let touched = apply(&mut cache, &slice("s", "IPv4", "{addresses: [10.0.0.2]}"));
    listings.refresh(&cache, &touched);
    let after = listing(&cache, &mut listings);
    let same = |name: &str| Arc::ptr_eq(&before.services()[name], &after.services()[name]);
    assert_eq!((same("go.a"), same("cart")), (true, false));
    assert_eq!(told(&after)[0], "cart  [] [10.0.0.2:8080 10.0.0.2:9090]");
}
