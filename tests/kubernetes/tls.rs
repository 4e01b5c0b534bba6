//! TLS: certificates from Secrets, as they come, change and cannot be read.

use serde_json::{Value, json};

use crate::harness::{
    Authority, Backend, Cluster, FOLLOW, Gateway, Objects, Release, eventually, expect, https, objects::to_service,
    tls_secret,
};

#[tokio::test]
async fn certificate_comes_and_is_rotated_without_a_restart() {
    let (release, gateway) = Release::shared().await;
    let objects = release.objects().await;
    let authority = Authority::new("rotation");
    let host = "rotated.example";
    let _backend = Backend::start(&objects, "rotated", 1).await;
    objects.route("rotated", with_secret(host, "rotated", "rotated-tls")).await;
    let missing = objects.condition("rotated", "ResolvedRefs", "False", "InvalidCertificateRef").await;
    assert!(
        missing.message.starts_with("spec.tls.secretName: there is no Secret `rotated-tls`"),
        "{}",
        missing.message
    );

    let first = write_secret(&objects, "rotated-tls", &authority, host).await;
    objects.served("rotated").await;
    shows(gateway, host, &authority, &first).await;

    let second = write_secret(&objects, "rotated-tls", &authority, host).await;
    shows(gateway, host, &authority, &second).await;

    // A broken Secret is told of, and the certificate that worked goes on being served.
    objects.apply(tls_secret("rotated-tls", "not a certificate", "not a key")).await;
    let broken = objects.condition("rotated", "ResolvedRefs", "False", "InvalidCertificateRef").await;
    assert!(broken.message.contains("tls.crt"), "{}", broken.message);
    shows(gateway, host, &authority, &second).await;
}

#[tokio::test]
async fn secret_that_may_not_be_read_is_explained_with_the_right_to_paste() {
    let (release, gateway) = Release::shared().await;
    let cluster = Cluster::shared().await;
    let objects = cluster.scratch("unread").await;
    let authority = Authority::new("unread");
    let host = "unread.example";
    let _backend = Backend::start(&objects, "greeter", 1).await;
    write_secret(&objects, "greeter-tls", &authority, host).await;

    objects.route("greet", with_secret(host, "greeter", "greeter-tls")).await;

    let told = objects.condition("greet", "ResolvedRefs", "False", "InvalidCertificateRef").await;
    let start = format!("spec.tls.secretName: Secrets of namespace `{}` are not read", objects.namespace());
    assert!(told.message.starts_with(&start), "{}", told.message);
    assert!(told.message.contains("tls.namespaces"), "{}", told.message);
    for command in told.message.split("kubectl ").skip(1) {
        let args: Vec<_> = command.split_whitespace().map(|word| word.trim_end_matches(';')).collect();
        cluster.kubectl(&args).await;
    }
    let account = format!("--as=system:serviceaccount:{}:paifang", release.namespace());
    let asked = ["auth", "can-i", "watch", "secrets", "-n", objects.namespace(), &account];
    assert_eq!(cluster.kubectl(&asked).await.trim(), "yes", "after pasting: {}", told.message);
    // Without a certificate for the name there is an alert, and plain HTTP works.
    https::get(gateway.address("https"), host, &authority).await.expect_err("no certificate must be shown");
    objects.condition("greet", "Programmed", "True", "Programmed").await;
    expect::pod(gateway.address("http"), host, "greeter-0").await;
}

#[tokio::test]
async fn secrets_of_named_namespaces_are_read() {
    let objects = Cluster::shared().await.scratch("named").await;
    let release = Release::of_own_class("reader", &[&format!("tls.namespaces={{{}}}", objects.namespace())]).await;
    let authority = Authority::new("named");
    let host = "named.example";
    let _backend = Backend::start(&objects, "greeter", 1).await;
    let certificate = write_secret(&objects, "greeter-tls", &authority, host).await;
    let mut spec = with_secret(host, "greeter", "greeter-tls");
    spec["className"] = json!(release.namespace());
    objects.route("greet", spec).await;
    let mut gateway = release.start("paifang-0", &[]).await;
    gateway.ready().await;

    objects.served("greet").await;

    shows(&gateway, host, &authority, &certificate).await;
}

#[tokio::test]
async fn default_certificate_serves_where_no_name_matches() {
    let release = Release::of_own_class("default-tls", &["tls.defaultCertificate=fallback"]).await;
    let objects = release.objects().await;
    let authority = Authority::new("default");
    let own = "own.example";
    let fallback = write_secret(&objects, "fallback", &authority, "fallback.example").await;
    let certificate = write_secret(&objects, "own-tls", &authority, own).await;
    let _backend = Backend::start(&objects, "greeter", 1).await;
    let mut spec = with_secret(own, "greeter", "own-tls");
    spec["className"] = json!(release.namespace());
    objects.route("greet", spec).await;
    let mut gateway = release.start("paifang-0", &[]).await;
    gateway.ready().await;

    shows(&gateway, own, &authority, &certificate).await;
    shows(&gateway, "fallback.example", &authority, &fallback).await;

    let rotated = write_secret(&objects, "fallback", &authority, "fallback.example").await;
    shows(&gateway, "fallback.example", &authority, &rotated).await;
}

/// Waits until the gateway shows `certificate` to a client that asks for `host`.
async fn shows(gateway: &Gateway, host: &str, authority: &Authority, certificate: &str) {
    let wanted = https::first_certificate(certificate);
    eventually(FOLLOW, &format!("the newest certificate for {host}"), || async {
        let (_, shown) = https::get(gateway.address("https"), host, authority).await?;
        if shown == wanted { Ok(()) } else { Err("another certificate".to_owned()) }
    })
    .await;
}

fn with_secret(host: &str, service: &str, secret: &str) -> Value {
    let mut spec = to_service(host, service);
    spec["tls"] = json!({"secretName": secret});
    spec
}

/// Writes a Secret with a fresh certificate for `host`, and returns that.
async fn write_secret(objects: &Objects, name: &str, authority: &Authority, host: &str) -> String {
    let (certificate, key) = authority.issue(&[host]);
    objects.apply(tls_secret(name, &certificate, &key)).await;
    certificate
}
