//! How much registered services may ask for, and what of a route holds for them.

use super::*;
use crate::{
    control::{cache::Cache, change::with_registrations},
    model::{transport::Protocol, upstream::Strategy},
    rpc::registry::Dialect,
};
use serde_json::json;

const ROUTE: &str = "
apiVersion: paifang.dev/v1alpha1
kind: GatewayRoute
metadata: {namespace: shop, name: rpc}
spec: {hostnames: [a.example, b.example], balancing: {strategy: LessLoad}, rules: [{resolver: {}, handler: {type: Rpc}}]}";

/// A Pod that registers `name` with so many endpoints of so many paths each.
fn pod(name: &str, endpoints: usize, paths: usize) -> String {
    let endpoint = |at: usize| {
        let paths = (0..paths).map(|path| format!("/{name}/{at}/{path}")).collect::<Vec<_>>().join(",");
        let metadata = json!({"endpoint": format!("A.B{at}"), "handler": "rpc", "method": "GET", "path": paths});
        json!({"name": format!("A.B{at}"), "metadata": metadata})
    };
    let endpoints: Vec<_> = (0..endpoints).map(endpoint).collect();
    let node = json!({"id": name, "address": "10.0.0.1:80", "metadata": {"protocol": "grpc"}});
    let service = json!({"name": name, "nodes": [node], "endpoints": endpoints}).to_string();
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "name": name,
        "labels": {"micro.mu/type": "service"}, "annotations": {"micro.mu/service-x": service}}})
    .to_string()
}

fn translated(objects: &[String]) -> Translation {
    let mut cache = Cache::default();
    let objects = std::iter::once(ROUTE).chain(objects.iter().map(String::as_str));
    let changes = objects.map(|text| Change::Upsert(object(text))).collect();
    with_registrations(changes).into_iter().for_each(|change| drop(cache.apply(change)));
    translate(&cache, &Context::default())
}

fn rows(translation: &Translation, service: &str) -> usize {
    translation.entries.iter().filter(|entry| entry.order.0.starts_with(&format!("{service} "))).count()
}

fn warnings(translation: &Translation) -> Vec<String> {
    translation.diagnostics.iter().map(ToString::to_string).collect()
}

#[test]
fn a_service_that_asks_for_too_much_takes_nothing_from_others() {
    // On two hosts, 32 paths are 64 rows: 15 endpoints of them fit.
    let translation = translated(&[pod("greedy", 400, 32), pod("modest", 2, 3)]);
    assert_eq!((rows(&translation, "greedy"), rows(&translation, "modest")), (960, 12));
    let told = "GatewayRoute shop/rpc: spec.rules[0].resolver: the endpoints of service greedy ask for more than 1000 rows: \
                the rest is left out (UnsupportedValue)";
    assert_eq!(warnings(&translation), [told]);
}

#[test]
fn a_route_takes_so_many_rows_and_no_more() {
    let pods: Vec<_> = (10..23).map(|at| pod(&format!("s{at}"), 16, 31)).collect();
    let translation = translated(&pods);
    // The route's own rule has a row for each host.
    assert!(translation.entries.len() <= 10_002, "{}", translation.entries.len());
    assert_eq!((rows(&translation, "s10"), rows(&translation, "s22")), (992, 0));
    let told = warnings(&translation);
    assert!(told.iter().any(|told| told.contains("the endpoints of service s22 ask for more than")), "{told:?}");
}

#[test]
fn what_a_route_sets_holds_for_registered_services() {
    let translation = translated(&[pod("a", 1, 1)]);
    let [upstream] = &translation.snapshot.upstreams[..] else { panic!("{:?}", translation.snapshot.upstreams) };
    assert_eq!((upstream.policy.balancing.strategy.clone(), upstream.dialect), (Strategy::LessLoad, Dialect::Grpc));
    assert_eq!(upstream.transport.as_ref().map(|transport| transport.protocol), Some(Protocol::Http2));
    assert!(upstream.port.is_registered());
}
