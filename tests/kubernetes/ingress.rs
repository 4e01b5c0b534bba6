//! Ingress v1: classes, path types, the default backend, TLS and the addresses in status.

use serde_json::{Value, json};

use crate::harness::{
    Authority, Backend, Cluster, FOLLOW, Objects, Release, eventually, expect, http, https, tls_secret,
};

const V1: &str = "networking.k8s.io/v1";

#[tokio::test]
async fn paths_match_by_their_type() {
    let (_, gateway) = Release::shared().await;
    let objects = Cluster::shared().await.scratch("paths").await;
    let mut backends = Vec::new();
    for name in ["exact", "prefix", "specific", "rest"] {
        backends.push(Backend::start(&objects, name, 1).await);
    }
    let proxy = gateway.address("http");
    let host = "paths.ingress.example";
    let paths = json!([
        path("Exact", "/exact", "exact"),
        path("Prefix", "/prefix", "prefix"),
        path("ImplementationSpecific", "/specific", "specific"),
    ]);
    let rule = json!({"host": host, "http": {"paths": paths}});
    objects
        .apply(ingress("paths", json!({"ingressClassName": "paifang", "rules": [rule], "defaultBackend": to("rest")})))
        .await;

    expect::pod_at(proxy, host, "/exact", "exact-0").await;
    for (path, pod) in [
        ("/exact/more", "rest-0"),
        ("/prefix", "prefix-0"),
        ("/prefix/more", "prefix-0"),
        ("/prefixes", "rest-0"),
        ("/specific/more", "specific-0"),
        ("/", "rest-0"),
    ] {
        assert_eq!(http::get(proxy, host, path).await.json()["pod"], pod, "{path}");
    }
}

#[tokio::test]
async fn certificate_of_an_ingress_is_shown() {
    let (release, gateway) = Release::shared().await;
    let objects = release.objects().await;
    let authority = Authority::new("ingress");
    let host = "tls.ingress.example";
    let (certificate, key) = authority.issue(&[host]);
    let _backend = Backend::start(&objects, "ingress-tls", 1).await;
    objects.apply(tls_secret("ingress-tls", &certificate, &key)).await;
    let rule = json!({"host": host, "http": {"paths": [path("Prefix", "/", "ingress-tls")]}});
    let tls = json!({"hosts": [host], "secretName": "ingress-tls"});
    let spec = json!({"ingressClassName": "paifang", "rules": [rule], "tls": [tls]});
    objects.apply(ingress("tls", spec)).await;

    let (reply, shown) = eventually(FOLLOW, "HTTPS for the Ingress", || async {
        let (reply, shown) = https::get(gateway.address("https"), host, &authority).await?;
        if reply.status == 200 { Ok((reply, shown)) } else { Err(reply.status.to_string()) }
    })
    .await;

    assert_eq!(reply.json()["headers"]["x-forwarded-proto"][0], "https");
    assert_eq!(shown, https::first_certificate(&certificate));
}

#[tokio::test]
async fn addresses_of_the_published_service_reach_the_status() {
    let (release, _) = Release::shared().await;
    let objects = Cluster::shared().await.scratch("published").await;
    let _backend = Backend::start(&objects, "greeter", 1).await;
    objects.apply(ingress("greet", to_host("published.ingress.example", Some("paifang")))).await;

    for address in [json!({"ip": "203.0.113.7"}), json!({"hostname": "lb.example.com"})] {
        let status = json!({"loadBalancer": {"ingress": [address]}});
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "paifang"}, "status": status});
        release.objects().await.patch_status(service).await;
        published(&objects, "greet", &json!([address])).await;
    }
}

#[tokio::test]
async fn default_class_takes_ingresses_that_name_none() {
    let values = ["ingressClass.isDefaultClass=true", "publishAddresses={198.51.100.4,gate.example.com}"];
    let release = Release::of_own_class("default-class", &values).await;
    let mut gateway = release.start("paifang-0", &[]).await;
    gateway.ready().await;
    let objects = Cluster::shared().await.scratch("classes").await;
    let _backend = Backend::start(&objects, "greeter", 1).await;
    let proxy = gateway.address("http");

    objects.apply(ingress("foreign", to_host("foreign.ingress.example", Some("somebody-else")))).await;
    objects.apply(ingress("unnamed", to_host("unnamed.ingress.example", None))).await;
    objects.apply(ingress("named", to_host("named.ingress.example", Some(release.namespace())))).await;

    expect::pod(proxy, "unnamed.ingress.example", "greeter-0").await;
    expect::pod(proxy, "named.ingress.example", "greeter-0").await;
    assert_eq!(http::get(proxy, "foreign.ingress.example", "/").await.status, 404);
    let addresses = json!([{"ip": "198.51.100.4"}, {"hostname": "gate.example.com"}]);
    published(&objects, "unnamed", &addresses).await;
    published(&objects, "named", &addresses).await;
    assert_eq!(objects.get(V1, "Ingress", "foreign").await.data["status"]["loadBalancer"]["ingress"], Value::Null);
}

/// Waits until the status of an Ingress has just these addresses.
async fn published(objects: &Objects, name: &str, addresses: &Value) {
    eventually(FOLLOW, &format!("addresses in the status of {name}"), || async {
        let status = objects.get(V1, "Ingress", name).await.data["status"]["loadBalancer"]["ingress"].clone();
        if status == *addresses { Ok(()) } else { Err(status) }
    })
    .await;
}

fn ingress(name: &str, spec: Value) -> Value {
    json!({"apiVersion": V1, "kind": "Ingress", "metadata": {"name": name}, "spec": spec})
}

fn to_host(host: &str, class: Option<&str>) -> Value {
    let rule = json!({"host": host, "http": {"paths": [path("Prefix", "/", "greeter")]}});
    let mut spec = json!({"rules": [rule]});
    if let Some(class) = class {
        spec["ingressClassName"] = json!(class);
    }
    spec
}

fn path(type_: &str, path: &str, service: &str) -> Value {
    json!({"pathType": type_, "path": path, "backend": to(service)})
}

fn to(service: &str) -> Value {
    json!({"service": {"name": service, "port": {"number": 80}}})
}
