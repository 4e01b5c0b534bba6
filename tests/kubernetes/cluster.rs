//! The cluster of the tests itself: what the other tests take for granted.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::{Api, api::PostParams};

use crate::harness::{Cluster, Echo, eventually, http, pod_address, pod_address_v6};

#[tokio::test]
async fn cluster_starts_and_answers() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.namespace("starts").await;
    let accounts: Api<ServiceAccount> = Api::namespaced(cluster.client().await, &namespace);

    let account = eventually(Duration::from_secs(20), "the default ServiceAccount", || accounts.get("default")).await;

    assert_eq!(account.metadata.namespace, Some(namespace));
}

#[tokio::test]
async fn service_account_token_is_that_account() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.namespace("token").await;
    let accounts: Api<ServiceAccount> = Api::namespaced(cluster.client().await, &namespace);
    let mut account = ServiceAccount::default();
    account.metadata.name = Some("gateway".to_owned());
    accounts.create(&PostParams::default(), &account).await.expect("a ServiceAccount must be accepted");

    let kubeconfig = cluster.service_account_kubeconfig(&namespace, "gateway").await;
    let path = kubeconfig.to_str().expect("the path must be UTF-8");
    let output = "jsonpath={.status.userInfo.username}";
    let user = cluster.kubectl(&["auth", "whoami", "-o", output, "--kubeconfig", path]).await;

    assert_eq!(user, format!("system:serviceaccount:{namespace}:gateway"));
}

#[tokio::test]
async fn killed_api_server_returns_with_its_data() {
    let cluster = Cluster::start().await;
    let namespace = cluster.namespace("survives").await;

    cluster.kill_api_server();
    let namespaces: Api<Namespace> = Api::all(cluster.client().await);
    namespaces.get(&namespace).await.expect_err("a dead API server must not answer");
    cluster.start_api_server().await;

    let found = namespaces.get(&namespace).await.expect("the namespace must have outlived the API server");
    assert_eq!(found.metadata.name, Some(namespace));
}

#[tokio::test]
async fn helm_reaches_the_cluster() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.namespace("helm").await;

    let releases = cluster.helm(&["list", "--namespace", &namespace, "-o", "json"]).await;

    assert_eq!(releases.trim(), "[]");
}

#[tokio::test]
async fn echo_server_is_a_pod_on_both_families() {
    for address in [pod_address().into(), pod_address_v6().into()] {
        let echo = Echo::start("greeter-0", address, 0).await;

        let reply = http::get(echo.address(), "greeter.example", "/hello?who=world").await;
        let seen = reply.json();

        assert_eq!(reply.status, 200);
        assert_eq!(reply.headers["content-type"], "application/json");
        assert_eq!(seen["pod"], "greeter-0");
        assert_eq!(seen["path"], "/hello?who=world");
        assert_eq!(seen["headers"]["host"][0], "greeter.example");

        let gone = echo.address();
        echo.kill().await;
        http::try_get(gone, "greeter.example", "/").await.expect_err("a killed pod must not answer");
    }
}
