//! The rights that an installation has: enough, and in one namespace alone none beyond it.

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::{Api, ResourceExt, api::ListParams};
use serde_json::{Value, json};

use crate::harness::{Backend, Cluster, Release, expect, http, objects::to_service};

#[tokio::test]
async fn namespaced_installation_works_without_cluster_wide_rights() {
    let release = Release::of_own_class("scope", &["rbac.scope=namespace", "ingressClass.enabled=false"]).await;
    let mut gateway = release.start("paifang-0", &[]).await;
    gateway.ready().await;
    let (inside, outside) = (release.objects().await, Cluster::shared().await.scratch("outside").await);
    let (_a, _b) = (Backend::start(&inside, "greeter", 1).await, Backend::start(&outside, "greeter", 1).await);
    let spec = |host: &str| {
        let mut spec = to_service(host, "greeter");
        spec["className"] = json!(release.namespace());
        spec
    };

    outside.route("greet", spec("outside.example")).await;
    inside.route("greet", spec("inside.example")).await;
    inside.served("greet").await;

    expect::pod(gateway.address("http"), "inside.example", "greeter-0").await;
    assert_eq!(http::get(gateway.address("http"), "outside.example", "/").await.status, 404);
    assert_eq!(outside.get_route("greet").await.data["status"], Value::Null);
    assert!(!gateway.log().contains("orbidden"), "{}", gateway.log());
    has_no_cluster_wide_rights(&release).await;
}

#[tokio::test]
async fn helm_test_finds_the_default_installation_in_order() {
    let (release, gateway) = Release::shared().await;

    let output = release.prepare_test(gateway).await.run().await;

    is_in_order(&output, &["may watch secrets in namespace", "may watch namespaces in all namespaces", "is ready"]);
}

#[tokio::test]
async fn helm_test_finds_a_namespaced_installation_in_order() {
    let release = Release::of_own_class("preflight", &["rbac.scope=namespace", "ingressClass.enabled=false"]).await;
    let mut gateway = release.start("paifang-0", &[]).await;
    gateway.ready().await;

    let output = release.prepare_test(&gateway).await.run().await;

    is_in_order(&output, &[release.namespace(), "is ready"]);
}

/// Every line says ok, and these parts are among them.
fn is_in_order(output: &str, parts: &[&str]) {
    let lines: Vec<_> = output.lines().collect();
    let (last, checks) = lines.split_last().expect("there must be lines");
    assert_eq!(*last, "everything is as it should be");
    assert!(checks.iter().all(|line| line.starts_with("ok    ")), "{output}");
    for part in parts {
        assert!(output.contains(part), "{part} must be in:\n{output}");
    }
}

async fn has_no_cluster_wide_rights(release: &Release) {
    let client = release.objects().await.client();
    let roles: Api<ClusterRole> = Api::all(client.clone());
    let bindings: Api<ClusterRoleBinding> = Api::all(client);
    let roles = roles.list(&ListParams::default()).await.expect("roles must be readable");
    let bindings = bindings.list(&ListParams::default()).await.expect("bindings must be readable");
    let own: Vec<_> =
        roles.iter().map(ResourceExt::name_any).filter(|name| name.contains(release.namespace())).collect();
    let is_ours = |binding: &&ClusterRoleBinding| {
        let mut subjects = binding.subjects.iter().flatten();
        subjects.any(|subject| subject.namespace.as_deref() == Some(release.namespace()))
    };
    assert_eq!(own, Vec::<String>::new());
    assert_eq!(bindings.iter().filter(is_ours).count(), 0);
}
