//! Routes from `kubectl apply` to the wire, by the chart's own arguments and rights.

use serde_json::json;

use crate::harness::{Backend, Cluster, Release, expect, http, objects::to_service};

#[tokio::test]
async fn route_is_served_followed_and_forgotten() {
    let (_, gateway) = Release::shared().await;
    let objects = Cluster::shared().await.scratch("routes").await;
    let _greeter = Backend::start(&objects, "greeter", 1).await;
    let _other = Backend::start(&objects, "other", 1).await;
    let proxy = gateway.address("http");
    let host = "follow.example";

    objects.route("greet", to_service(host, "greeter")).await;
    expect::pod(proxy, host, "greeter-0").await;
    objects.route("greet", to_service(host, "other")).await;
    expect::pod(proxy, host, "other-0").await;
    objects.delete("paifang.dev/v1alpha1", "GatewayRoute", "greet").await;
    expect::status(proxy, host, 404).await;
}

#[tokio::test]
async fn rules_of_several_routes_meet_in_one_table() {
    let (_, gateway) = Release::shared().await;
    let objects = Cluster::shared().await.scratch("rules").await;
    let _web = Backend::start(&objects, "web", 1).await;
    let _api = Backend::start(&objects, "api", 1).await;
    let proxy = gateway.address("http");
    let host = "rules.example";

    objects.route("site", to_service(host, "web")).await;
    let api = json!({"path": {"value": "/api"}});
    let backends = json!([{"service": "api", "port": "http"}]);
    let rule = json!({"matches": [api], "backends": backends});
    objects.route("api", json!({"hostnames": [host], "proxy": {"trimPrefix": true}, "rules": [rule]})).await;
    objects.served("site").await;
    objects.served("api").await;

    // Programmed says that it is installed, so there is nothing to wait for.
    let api = http::get(proxy, host, "/api/v1").await.json();
    assert_eq!((api["pod"].as_str(), api["path"].as_str()), (Some("api-0"), Some("/v1")));
    let web = http::get(proxy, host, "/apis").await.json();
    assert_eq!((web["pod"].as_str(), web["path"].as_str()), (Some("web-0"), Some("/apis")));
}

#[tokio::test]
async fn chart_rights_suffice_and_no_more_are_asked_for() {
    let (_, gateway) = Release::shared().await;
    let objects = Cluster::shared().await.scratch("rights").await;
    let _backend = Backend::start(&objects, "greeter", 1).await;

    objects.route("greet", to_service("rights.example", "greeter")).await;
    objects.served("greet").await;

    let refused: Vec<_> = gateway.log().lines().filter(|line| line.contains("orbidden")).map(str::to_owned).collect();
    assert_eq!(refused, Vec::<String>::new());
}
