//! The API server dies, is late, or holds something that cannot be read: traffic goes on. Each
//! test harms a cluster of its own.

use serde_json::{Value, json};
use std::time::{Duration, Instant};

use crate::harness::{
    Backend, Cluster, FOLLOW, Gateway, Load, Objects, Release, eventually, expect, http,
    objects::{route, to_service},
};

const OUTAGE: Duration = Duration::from_secs(30);
/// How long a gateway that waits for a dead API server may take once that answers again.
const READY_AGAIN: Duration = Duration::from_secs(2);
const NAMESPACE: &str = "paifang-system";

#[tokio::test]
async fn dead_api_server_costs_no_request_and_routes_resume() {
    let (cluster, release) = own_cluster().await;
    let objects = release.objects().await;
    let mut gateway = release.start("paifang-0", &[]).await;
    gateway.ready().await;
    let backend = Backend::start(&objects, "greeter", 2).await;
    objects.route("greet", to_service("outage.example", "greeter")).await;
    objects.served("greet").await;
    let proxy = gateway.address("http");
    let load = Load::start(proxy, "outage.example", 4, Duration::from_millis(10));
    load.another(100).await;

    cluster.kill_api_server();
    // The outage itself is what is tested: nothing can be waited for in it.
    tokio::time::sleep(OUTAGE).await;
    assert_eq!(ready(&gateway).await.0, 200, "a gateway with a table stays ready");
    cluster.start_api_server().await;
    let back = Instant::now();
    objects.route("late", to_service("late.example", "greeter")).await;
    expect::pod(proxy, "late.example", "greeter-0").await;
    println!("API server back after {OUTAGE:?}: a new route is served {:.1} s later", back.elapsed().as_secs_f64());
    backend.publish(&[(0, json!({"ready": true}))]).await;
    objects.served("late").await;
    load.another(100).await;

    let (sent, failures) = load.finish().await;
    println!("API server dead for {OUTAGE:?}: {} of {sent} requests failed", failures.len());
    assert_eq!(failures, Vec::<String>::new());
}

#[tokio::test]
async fn cold_start_waits_for_a_dead_api_server_and_says_so() {
    let (cluster, release) = own_cluster().await;
    let objects = release.objects().await;
    let _backend = Backend::start(&objects, "greeter", 1).await;
    objects.route("greet", to_service("cold.example", "greeter")).await;
    let prepared = release.prepare("paifang-0", &[]).await;

    cluster.kill_api_server();
    let gateway = prepared.start().await;
    eventually(FOLLOW, "the reason that it is not ready", || async {
        let (code, text) = ready(&gateway).await;
        if code == 503 && text.contains("GatewayRoute: list gatewayroutes.paifang.dev") {
            Ok(())
        } else {
            Err(format!("{code} {text}"))
        }
    })
    .await;
    assert_eq!(http::get(gateway.address("admin"), "localhost", "/livez").await.status, 200);
    assert_eq!(http::get(gateway.address("http"), "cold.example", "/").await.status, 503);

    cluster.start_api_server().await;
    let back = Instant::now();
    eventually(FOLLOW, "the gateway is ready", || async {
        let (code, text) = ready(&gateway).await;
        if code == 200 { Ok(()) } else { Err(text) }
    })
    .await;
    let waited = back.elapsed();
    println!("cold start: ready {:.2} s after the API server", waited.as_secs_f64());
    assert!(waited < READY_AGAIN, "{waited:?}");
    assert_eq!(http::get(gateway.address("http"), "cold.example", "/").await.status, 200);
}

#[tokio::test]
async fn object_that_does_not_parse_stops_no_other() {
    let (cluster, release) = own_cluster().await;
    let objects = release.objects().await;
    let _backend = Backend::start(&objects, "greeter", 1).await;
    let mut running = release.start("paifang-0", &[]).await;
    running.ready().await;
    objects.route("good", to_service("good.example", "greeter")).await;
    objects.route("spoilt", to_service("spoilt.example", "greeter")).await;
    objects.served("good").await;
    objects.served("spoilt").await;
    let change = json!([{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema", "value": loose_schema()}]);
    let patch = ["patch", "crd", "gatewayroutes.paifang.dev", "--type=json", "-p", &change.to_string()];
    cluster.kubectl(&patch).await;

    nonsense(&objects, "nonsense").await;
    nonsense(&objects, "spoilt").await;
    objects.route("later", to_service("later.example", "greeter")).await;
    objects.served("later").await;
    let mut fresh = release.start("paifang-1", &[]).await;
    fresh.ready().await;

    for gateway in [&running, &fresh] {
        for host in ["good.example", "later.example"] {
            expect::pod(gateway.address("http"), host, "greeter-0").await;
        }
    }
    // The version before was good, and whoever saw it serves it.
    expect::pod(running.address("http"), "spoilt.example", "greeter-0").await;
    let told = objects.condition("spoilt", "Programmed", "False", "LastGoodServed").await;
    assert!(told.message.contains("goes on serving until it is mended"), "{}", told.message);
    objects.condition("spoilt", "Accepted", "False", "Invalid").await;
}

/// Writes a route that no schema of ours lets pass, once the API server has taken the loose one.
async fn nonsense(objects: &Objects, name: &str) {
    let object = route(name, json!({"className": "paifang", "rules": "none"}));
    eventually(FOLLOW, "the loose schema holds", || async {
        objects.try_apply(&object).await.map_err(|error| error.to_string())
    })
    .await;
}

fn loose_schema() -> Value {
    let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let mut spec = anything.clone();
    // The class is a selectable field, which must be in the schema.
    spec["properties"] = json!({"className": {"type": "string"}});
    json!({"type": "object", "properties": {"spec": spec, "status": anything}})
}

/// A cluster to be harmed, with the chart in it. It lives as long as the tests.
async fn own_cluster() -> (&'static Cluster, Release) {
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start().await));
    let release = Release::install(cluster, NAMESPACE, &[]).await;
    (cluster, release)
}

/// What `/readyz` says.
async fn ready(gateway: &Gateway) -> (u16, String) {
    let reply = http::get(gateway.address("admin"), "localhost", "/readyz").await;
    (reply.status.as_u16(), String::from_utf8_lossy(&reply.body).into_owned())
}
