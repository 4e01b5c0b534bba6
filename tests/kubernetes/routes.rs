//! Routes from `kubectl apply` to the wire, by the chart's own arguments and rights.

use serde_json::json;

use crate::harness::{
    Backend, Cluster, FOLLOW, Release, eventually, http,
    objects::{to_service},
};

#[tokio::test]
async fn route_is_served_followed_and_forgotten() {
    let (_, gateway) = Release::shared().await;
    let objects = Cluster::shared().await.scratch("routes").await;
    let _greeter = Backend::start(&objects, "greeter", 1).await;
    let _other = Backend::start(&objects, "other", 1).await;
    let proxy = gateway.address("http");
    let host = "follow.example";

    objects.route("greet", to_service(host, "greeter")).await;
    answers(proxy, host, "greeter-0").await;
    objects.route("greet", to_service(host, "other")).await;
    answers(proxy, host, "other-0").await;
    objects.delete("paifang.dev/v1alpha1", "GatewayRoute", "greet").await;
    eventually(FOLLOW, "the route is gone", || async {
        let reply = http::try_get(proxy, host, "/").await?;
        if reply.status == 404 { Ok(()) } else { Err(reply.status.to_string()) }
    })
    .await;
}

/// Waits until the pod `pod` answers for `host`.
async fn answers(proxy: std::net::SocketAddr, host: &str, pod: &str) {
    eventually(FOLLOW, &format!("{pod} answers for {host}"), || async {
        let reply = http::try_get(proxy, host, "/").await?;
        match reply.status.as_u16() {
            200 if reply.json()["pod"] == json!(pod) => Ok(()),
            code => Err(format!("{code} {:?}", reply.body)),
        }
    })
    .await;
}
