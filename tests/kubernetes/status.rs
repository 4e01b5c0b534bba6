//! Status: what a user reads when something is missing, and whose objects are left alone.

use serde_json::{Value, json};
use std::time::{Duration, Instant};

use crate::harness::{
    Backend, Cluster, Objects, Release, eventually, expect, http,
    objects::{FOLLOW, conditions, to_service},
};

const GRANT_CRD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/referencegrants.yaml");

#[tokio::test]
async fn broken_references_are_worded_for_their_owner() {
    Release::shared().await;
    let objects = Cluster::shared().await.scratch("broken").await;
    let _backend = Backend::start(&objects, "greeter", 1).await;
    let outside = json!({"type": "ExternalName", "externalName": "outside.example"});
    objects
        .apply(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "outside"}, "spec": outside}))
        .await;
    let namespace = objects.namespace();
    let backend = "spec.rules[0].backends[0]";
    let cases = [
        (
            json!({"service": "absent", "port": 80}),
            "BackendNotFound",
            format!("{backend}.service: there is no Service `absent` in namespace `{namespace}`"),
        ),
        (
            json!({"service": "greeter", "port": 81}),
            "BackendNotFound",
            format!("{backend}.port: Service `greeter` has no port `81`: it has 80 (http)"),
        ),
        (
            json!({"service": "greeter", "port": "grpc"}),
            "BackendNotFound",
            format!("{backend}.port: Service `greeter` has no port `grpc`: it has 80 (http)"),
        ),
        (
            json!({"service": "outside", "port": 80}),
            "UnsupportedProtocol",
            format!(
                "{backend}.service: Service `outside` has type ExternalName, which leads out of the cluster: \
                 use a Service with EndpointSlices"
            ),
        ),
    ];
    for (index, (backend, reason, message)) in cases.into_iter().enumerate() {
        let name = format!("broken-{index}");
        objects.route(&name, json!({"hostnames": ["broken.example"], "rules": [{"backends": [backend]}]})).await;

        let condition = objects.condition(&name, "ResolvedRefs", "False", reason).await;

        assert_eq!(condition.message, message);
        objects.condition(&name, "Accepted", "True", "Accepted").await;
    }
}

#[tokio::test]
async fn missing_service_is_found_when_it_comes() {
    let (_, gateway) = Release::shared().await;
    let objects = Cluster::shared().await.scratch("comes").await;
    let host = "comes.example";
    objects.route("greet", to_service(host, "greeter")).await;
    objects.condition("greet", "ResolvedRefs", "False", "BackendNotFound").await;
    expect::status(gateway.address("http"), host, 500).await;

    let _backend = Backend::start(&objects, "greeter", 2).await;

    objects.served("greet").await;
    expect::pod(gateway.address("http"), host, "greeter-0").await;
    eventually(FOLLOW, "both endpoints are counted", || async {
        let counted = objects.get_route("greet").await.data["status"]["endpoints"].clone();
        let wanted = json!({"ready": 2, "total": 2, "summary": "2/2"});
        if counted == wanted { Ok(()) } else { Err(counted) }
    })
    .await;
}

#[tokio::test]
async fn reference_to_another_namespace_needs_a_grant_there() {
    let (_, gateway) = Release::shared().await;
    let cluster = Cluster::shared().await;
    let (web, shop) = (cluster.scratch("web").await, cluster.scratch("shop").await);
    let _backend = Backend::start(&shop, "cart", 1).await;
    let host = "granted.example";
    let backend = json!({"service": "cart", "namespace": shop.namespace(), "port": 80});
    web.route("cart", json!({"hostnames": [host], "rules": [{"backends": [backend]}]})).await;

    let refused = web.condition("cart", "ResolvedRefs", "False", "RefNotPermitted").await;
    let place = format!("spec.rules[0].backends[0].namespace: namespace `{}` does not permit it", shop.namespace());
    assert!(refused.message.starts_with(&place), "{}", refused.message);
    assert!(refused.message.contains("ReferenceGrant"), "{}", refused.message);

    // The kind itself is new to this cluster: the gateway has to find it.
    cluster.kubectl(&["apply", "-f", GRANT_CRD]).await;
    cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=20s", "-f", GRANT_CRD]).await;
    shop.apply(grant(web.namespace())).await;
    web.served("cart").await;
    expect::pod(gateway.address("http"), host, "cart-0").await;

    shop.delete("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "from-web").await;
    web.condition("cart", "ResolvedRefs", "False", "RefNotPermitted").await;
    expect::status(gateway.address("http"), host, 500).await;
}

fn grant(namespace: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1beta1",
        "kind": "ReferenceGrant",
        "metadata": {"name": "from-web"},
        "spec": {
            "from": [{"group": "paifang.dev", "kind": "GatewayRoute", "namespace": namespace}],
            "to": [{"group": "", "kind": "Service"}],
        },
    })
}

#[tokio::test]
async fn programmed_is_told_only_of_what_is_installed() {
    let (_, gateway) = Release::shared().await;
    let objects = Cluster::shared().await.scratch("programmed").await;
    let _backend = Backend::start(&objects, "greeter", 1).await;
    for round in 0..10 {
        let (name, host) = (format!("greet-{round}"), format!("programmed-{round}.example"));
        objects.route(&name, to_service(&host, "greeter")).await;

        objects.condition(&name, "Programmed", "True", "Programmed").await;

        assert_eq!(http::get(gateway.address("http"), &host, "/").await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn foreign_class_is_neither_served_nor_written_to() {
    let (_, gateway) = Release::shared().await;
    let objects = Cluster::shared().await.scratch("foreign").await;
    let _backend = Backend::start(&objects, "greeter", 1).await;
    let mut foreign = to_service("foreign.example", "greeter");
    foreign["className"] = json!("somebody-else");
    objects.route("foreign", foreign).await;

    // Watches tell in order: when the later route is served, the earlier one was looked at.
    objects.route("ours", to_service("ours.example", "greeter")).await;
    objects.served("ours").await;

    assert_eq!(http::get(gateway.address("http"), "foreign.example", "/").await.status, 404);
    assert_eq!(objects.get_route("foreign").await.data["status"], Value::Null);
}

#[tokio::test]
async fn two_installations_keep_to_their_classes() {
    let (_, first) = Release::shared().await;
    let release = Release::of_own_class("second", &[]).await;
    let mut second = release.start("paifang-0", &[]).await;
    second.ready().await;
    let objects = Cluster::shared().await.scratch("beside").await;
    let _backend = Backend::start(&objects, "greeter", 1).await;

    let mut spec = to_service("second.example", "greeter");
    spec["className"] = json!(release.namespace());
    objects.route("second", spec).await;
    objects.route("first", to_service("first.example", "greeter")).await;
    objects.served("first").await;
    objects.served("second").await;

    for (gateway, own, other) in
        [(first, "first.example", "second.example"), (&second, "second.example", "first.example")]
    {
        assert_eq!(http::get(gateway.address("http"), own, "/").await.status, 200, "{own}");
        assert_eq!(http::get(gateway.address("http"), other, "/").await.status, 404, "{other}");
    }
    stays_as_it_is(&objects, "second").await;
}

#[tokio::test]
async fn status_follows_each_generation_and_then_rests() {
    Release::shared().await;
    let objects = Cluster::shared().await.scratch("generation").await;
    let _backend = Backend::start(&objects, "greeter", 1).await;
    for host in ["one.generation.example", "two.generation.example", "three.generation.example"] {
        let generation = objects.route("greet", to_service(host, "greeter")).await.metadata.generation;

        objects.served("greet").await;

        let route = objects.get_route("greet").await;
        assert_eq!(route.data["status"]["observedGeneration"], json!(generation));
        assert!(conditions(&route).iter().all(|condition| condition.observed_generation == generation));
    }
    stays_as_it_is(&objects, "greet").await;
}

/// Nobody writes to the route for three seconds.
async fn stays_as_it_is(objects: &Objects, name: &str) {
    let version = objects.get_route(name).await.metadata.resource_version;
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        let now = objects.get_route(name).await;
        assert_eq!(now.metadata.resource_version, version, "written again: {}", now.data["status"]);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
