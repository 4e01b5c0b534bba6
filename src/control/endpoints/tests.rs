mod listings;
mod registered;

use super::*;
use crate::{
    control::{
        change::Change,
        testing::{cache, object},
    },
    model::{
        diagnostic::{Kind, ObjectRef},
        transport::Transport,
        upstream::UpstreamPolicy,
    },
    rpc::registry::Dialect,
};
use std::sync::atomic::Ordering;

const SERVICE: &str = "
kind: Service
apiVersion: v1
metadata: {namespace: shop, name: cart}
spec: {ports: [{name: http, port: 80}, {name: admin, port: 81}]}";

fn slice(name: &str, family: &str, endpoints: &str) -> String {
    format!(
        "
kind: EndpointSlice
apiVersion: discovery.k8s.io/v1
metadata: {{namespace: shop, name: {name}, labels: {{kubernetes.io/service-name: cart}}}}
addressType: {family}
ports: [{{name: http, port: 8080}}, {{name: admin, port: 9090}}]
endpoints: [{endpoints}]"
    )
}

fn port() -> ServicePort {
    ServicePort { namespace: "shop".into(), service: "cart".into(), port: 80 }
}

fn addresses(endpoints: &[Arc<Endpoint>]) -> Vec<String> {
    endpoints.iter().map(|endpoint| endpoint.address().to_string()).collect()
}

struct World {
    cache: Cache,
    endpoints: Endpoints,
    cell: Arc<EndpointCell>,
}

impl World {
    fn new(slices: &[String]) -> Self {
        Self::in_zone(None, slices)
    }

    fn in_zone(zone: Option<&str>, slices: &[String]) -> Self {
        let text =
            std::iter::once(SERVICE.to_owned()).chain(slices.iter().cloned()).collect::<Vec<_>>().join("\n---\n");
        let cache = cache(&text);
        let mut endpoints = Endpoints::in_zone(zone.map(Into::into));
        let cell = endpoints.cell(&Upstream {
            port: port(),
            policy: UpstreamPolicy::default(),
            transport: Some(Transport::default()),
            dialect: Dialect::Mucp,
        });
        endpoints.refresh_all(&cache);
        Self { cache, endpoints, cell }
    }

    fn put(&mut self, slice: &str) -> usize {
        match self.cache.apply(Change::Upsert(object(slice))) {
            crate::control::cache::Effect::Endpoints(services) => self.endpoints.refresh(&self.cache, &services),
            crate::control::cache::Effect::Nothing => 0,
            crate::control::cache::Effect::Table => panic!("a slice must not touch the table"),
        }
    }

    fn all(&self) -> Vec<Arc<Endpoint>> {
        self.cell.load().all.to_vec()
    }
}

#[test]
fn both_families_are_joined_and_the_port_is_matched_by_name() {
    let world =
        World::new(&[slice("a", "IPv4", "{addresses: [10.0.0.1]}"), slice("b", "IPv6", "{addresses: ['fd00::1']}")]);
    assert_eq!(addresses(&world.all()), ["10.0.0.1:8080", "[fd00::1]:8080"]);
    assert_eq!(world.endpoints.counts(&port()), (2, 2));
}

#[test]
fn a_missing_ready_condition_means_ready() {
    let world = World::new(&[slice(
        "a",
        "IPv4",
        "{addresses: [10.0.0.1]}, {addresses: [10.0.0.2], conditions: {}}, {addresses: [10.0.0.3], conditions: {ready: false}}",
    )]);
    assert_eq!(addresses(&world.cell.load().eligible), ["10.0.0.1:8080", "10.0.0.2:8080"]);
    assert_eq!(world.endpoints.counts(&port()), (2, 3));
}

#[test]
fn terminating_endpoints_serve_only_while_none_is_ready() {
    let leaving = "{addresses: [10.0.0.1], conditions: {ready: false, serving: true, terminating: true}}";
    let starting = "{addresses: [10.0.0.2], conditions: {ready: false, serving: false}}";
    let mut world = World::new(&[slice("a", "IPv4", &format!("{leaving}, {starting}"))]);
    assert_eq!(addresses(&world.cell.load().eligible), ["10.0.0.1:8080"]);
    assert_eq!(world.put(&slice("a", "IPv4", &format!("{leaving}, {{addresses: [10.0.0.2]}}"))), 1);
    assert_eq!(addresses(&world.cell.load().eligible), ["10.0.0.2:8080"]);
}

#[test]
fn a_pod_sets_its_own_weight_and_its_slice_that_of_the_others() {
    let endpoint = |last: u8, pod: &str| {
        format!("{{addresses: [10.0.0.{last}], targetRef: {{kind: Pod, name: {pod}, uid: {pod}-uid}}}}")
    };
    let pods = ["one", "two", "bad", "new", "plain"];
    let endpoints: Vec<_> = (1..).zip(pods).map(|(last, pod)| endpoint(last, pod)).collect();
    let weighted = "labels: {paifang.dev/weight: '3', ";
    let mut world = World::new(&[slice("a", "IPv4", &endpoints.join(", ")).replace("labels: {", weighted)]);
    let weights = |world: &World| world.all().iter().map(|endpoint| endpoint.facts.weight).collect::<Vec<_>>();
    assert_eq!(weights(&world), [3; 5]);
    let before = world.all();
    for (name, uid, weight) in
        [("one", "one-uid", "20"), ("two", "two-uid", "0"), ("bad", "bad-uid", "1000001"), ("new", "old-uid", "9")]
    {
        let meta = format!("{{namespace: shop, name: {name}, uid: {uid}, labels: {{paifang.dev/weight: '{weight}'}}}}");
        world.cache.apply(Change::Upsert(object(&format!("{{apiVersion: v1, kind: Pod, metadata: {meta}}}"))));
    }
    world.endpoints.refresh_all(&world.cache);
    assert_eq!(weights(&world), [20, 0, 3, 3, 3], "the label of `new` was on a Pod before it");
    let kept = before.iter().zip(&world.all()).all(|(before, after)| before.key() == after.key());
    assert!(kept, "another weight is no other endpoint");
}

/// An endpoint with a name and the zones that it is hinted to.
fn hinted(last: u8, zones: &[&str]) -> String {
    let zones: Vec<_> = zones.iter().map(|zone| format!("{{name: {zone}}}")).collect();
    format!("{{addresses: [10.0.0.{last}], hints: {{forZones: [{}]}}}}", zones.join(", "))
}

#[test]
fn hints_are_followed_where_all_endpoints_have_one_and_one_is_for_the_zone() {
    let taken = |zone, endpoints: &[String]| {
        let world = World::in_zone(zone, &[slice("a", "IPv4", &endpoints.join(", "))]);
        world.cell.load().eligible.iter().map(|endpoint| endpoint.address().ip().to_string()).collect::<Vec<_>>()
    };
    let all = [hinted(1, &["a"]), hinted(2, &["b"]), hinted(3, &["a", "b"])];
    assert_eq!(taken(Some("a"), &all), ["10.0.0.1", "10.0.0.3"]);
    assert_eq!(taken(Some("b"), &all), ["10.0.0.2", "10.0.0.3"]);
    assert_eq!(taken(Some("c"), &all).len(), 3, "none is for the zone");
    assert_eq!(taken(None, &all).len(), 3, "the zone is not known");
    let one_without = [hinted(1, &["a"]), hinted(2, &["b"]), "{addresses: [10.0.0.3]}".to_owned()];
    assert_eq!(taken(Some("a"), &one_without).len(), 3, "one has no hint");
}

#[test]
fn only_the_hints_of_ready_endpoints_count() {
    let away = "{addresses: [10.0.0.1], conditions: {ready: false}, hints: {forZones: [{name: a}]}}";
    let mut world = World::in_zone(Some("a"), &[slice("a", "IPv4", &format!("{away}, {}", hinted(2, &["b"])))]);
    assert_eq!(addresses(&world.cell.load().eligible), ["10.0.0.2:8080"]);
    world.put(&slice("a", "IPv4", &format!("{}, {}", hinted(1, &["a"]), hinted(2, &["b"]))));
    assert_eq!(addresses(&world.cell.load().eligible), ["10.0.0.1:8080"], "a new hint holds at once");
    assert_eq!(world.endpoints.counts(&port()), (2, 2));
}

#[test]
fn an_endpoint_that_stays_keeps_its_state() {
    let mut world = World::new(&[slice("a", "IPv4", "{addresses: [10.0.0.1], targetRef: {uid: one}}")]);
    let first = world.all().remove(0);
    first.in_flight().fetch_add(3, Ordering::Relaxed);
    world.put(&slice("a", "IPv4", "{addresses: [10.0.0.1], targetRef: {uid: one}}, {addresses: [10.0.0.2]}"));
    assert!(Arc::ptr_eq(&first, &world.all()[0]));
    world.put(&slice("a", "IPv4", "{addresses: [10.0.0.1], targetRef: {uid: one}, conditions: {ready: false}}"));
    let changed = world.all().remove(0);
    assert!(!changed.facts.conditions.ready);
    assert_eq!(changed.in_flight().load(Ordering::Relaxed), 3);
    assert!(!first.is_removed());
}

#[test]
fn another_identity_at_the_same_address_is_another_endpoint() {
    let mut world = World::new(&[slice("a", "IPv4", "{addresses: [10.0.0.1], targetRef: {uid: one}}")]);
    let first = world.all().remove(0);
    world.put(&slice("a", "IPv4", "{addresses: [10.0.0.1], targetRef: {uid: two}}"));
    assert!(first.is_removed());
    assert!(!world.all()[0].is_removed());
}

#[test]
fn one_that_leaves_is_marked_and_one_in_two_slices_counts_once() {
    let one = slice("a", "IPv4", "{addresses: [10.0.0.1], conditions: {ready: false}}");
    let mut world = World::new(&[one, slice("b", "IPv4", "{addresses: [10.0.0.1]}")]);
    assert_eq!(world.endpoints.counts(&port()), (1, 1));
    let first = world.all().remove(0);
    assert_eq!(world.put(&slice("a", "IPv4", "")), 0, "the other slice still has it");
    assert_eq!(world.put(&slice("b", "IPv4", "")), 1);
    assert!(first.is_removed());
    assert!(world.all().is_empty());
}

#[test]
fn the_same_news_twice_change_nothing() {
    let text = slice("a", "IPv4", "{addresses: [10.0.0.1]}");
    let mut world = World::new(std::slice::from_ref(&text));
    assert_eq!(world.put(&text), 0);
}

#[test]
fn cells_of_ports_without_an_upstream_are_given_up() {
    let mut world = World::new(&[slice("a", "IPv4", "{addresses: [10.0.0.1]}")]);
    let first = world.all().remove(0);
    assert!(world.endpoints.cells(&world.cache, &[]).is_empty());
    assert!(first.is_removed());
    assert_eq!(world.endpoints.counts(&port()), (0, 0));
}

#[test]
fn a_slice_that_moves_to_another_service_leaves_the_first() {
    let mut world = World::new(&[slice("a", "IPv4", "{addresses: [10.0.0.1]}")]);
    world.put(&slice("a", "IPv4", "{addresses: [10.0.0.1]}").replace("name: cart", "name: other"));
    assert!(world.all().is_empty());
    let gone = ObjectRef::new(Kind::EndpointSlice, "shop", "a");
    let effect = world.cache.apply(Change::Delete(gone));
    assert!(matches!(effect, crate::control::cache::Effect::Endpoints(_)));
}

#[test]
fn a_port_number_is_looked_for_among_the_tcp_ports() {
    let mut cache = cache(
        &[
            SERVICE.replace("{name: http, port: 80}", "{name: h3, port: 80, protocol: UDP}, {name: http, port: 80}"),
            slice("a", "IPv4", "{addresses: [10.0.0.1]}"),
        ]
        .join("\n---\n"),
    );
    let mut endpoints = Endpoints::default();
    let cell = endpoints.cell(&Upstream {
        port: port(),
        policy: UpstreamPolicy::default(),
        transport: Some(Transport::default()),
        dialect: Dialect::Mucp,
    });
    endpoints.refresh_all(&cache);
    assert_eq!(addresses(&cell.load().all), ["10.0.0.1:8080"]);
    let udp = SERVICE.replace("{name: http, port: 80}", "{name: http, port: 80, protocol: UDP}");
    cache.apply(Change::Upsert(object(&udp)));
    endpoints.refresh_all(&cache);
    assert!(cell.load().all.is_empty());
}
