//! What is spoken to endpoints, and the Secrets that it needs.

use super::*;
use crate::model::transport::{Protocol, Transport, Trust};

fn translated(service: &str, others: &str, spec: &str) -> (Option<Transport>, Vec<(String, Reason)>) {
    let route = route("a", 1, &format!("{spec}rules: [{{backends: [{{service: web}}]}}]"));
    let translation = run(&cache(&format!("{service}\n---\n{route}{others}")));
    let told = translation.diagnostics.iter().map(|diagnostic| (diagnostic.field.clone(), diagnostic.reason));
    (translation.snapshot.upstreams[0].transport.clone(), told.collect())
}

#[test]
fn the_port_of_a_service_says_what_is_spoken() {
    let spoken = |word: &str| {
        let service = SERVICE.replace("{port: 80}", &format!("{{port: 80, appProtocol: {word}}}"));
        let (transport, told) = translated(&service, "", "");
        let transport = transport.unwrap();
        (transport.protocol, transport.tls.is_some(), told)
    };
    for (word, protocol, tls) in [
        ("http", Protocol::Http1, false),
        ("kubernetes.io/ws", Protocol::Http1, false),
        ("grpc", Protocol::Http2, false),
        ("h2c", Protocol::Http2, false),
        ("kubernetes.io/h2c", Protocol::Http2, false),
        ("https", Protocol::Http1, true),
        ("kubernetes.io/wss", Protocol::Http1, true),
        ("h2", Protocol::Http2, true),
    ] {
        assert_eq!(spoken(word), (protocol, tls, vec![]), "{word}");
    }
    let warning = ("spec.rules[0].backends[0].port".to_owned(), Reason::UnsupportedProtocol);
    assert_eq!(spoken("example.com/new"), (Protocol::Http1, false, vec![warning]));
}

#[test]
fn secrets_of_other_namespaces_need_a_grant() {
    let authority = certificate(&["ca.example"]).0.replace('\n', "\\n");
    let secret = format!(
        "\n---\n{{apiVersion: v1, kind: Secret, metadata: {{namespace: vault, name: ca}}, type: kubernetes.io/tls, data: {{ca.crt: {}}}}}",
        k8s_openapi::serde_json::to_value(k8s_openapi::ByteString(authority.replace("\\n", "\n").into())).unwrap()
    );
    let grant = "\n---\n{apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant, metadata: {namespace: vault, name: g}, \
                 spec: {from: [{group: paifang.dev, kind: GatewayRoute, namespace: web}], to: [{group: '', kind: Secret}]}}";
    let spec = "proxy: {scheme: Https, tls: {caSecret: {name: ca, namespace: vault}}}, ";
    let field = "spec.proxy.tls.caSecret".to_owned();
    let (transport, told) = translated(SERVICE, &secret, spec);
    assert_eq!((transport, told), (None, vec![(field.clone(), Reason::RefNotPermitted)]));
    let (transport, told) = translated(SERVICE, grant, spec);
    assert_eq!((transport, told), (None, vec![(field, Reason::InvalidCertificateRef)]));
    let (transport, told) = translated(SERVICE, &format!("{secret}{grant}"), spec);
    let tls = transport.and_then(|transport| transport.tls).unwrap();
    assert_eq!(told, vec![]);
    assert!(matches!(&tls.trust, Trust::Authorities(roots) if roots.len() == 1));
    assert_eq!(
        tls.server_names.iter().map(|name| name.to_str().into_owned()).collect::<Vec<_>>(),
        ["web.web.svc", "web.web.svc.cluster.local"]
    );
}

/// A Secret with authorities, a certificate, or what stands in the place of either.
fn tls_secret(authorities: &str, certificate: &str, key: &str) -> Change {
    let mut secret = crate::control::testing::secret("web", "ca", certificate, key);
    let bytes = k8s_openapi::ByteString(authorities.into());
    secret.data.get_or_insert_default().insert("ca.crt".to_owned(), bytes);
    Change::Upsert(crate::control::change::Object::Secret(Arc::new(secret)))
}

#[test]
fn a_secret_for_endpoints_that_breaks_keeps_the_last_good_version_of_each_part() {
    let spec = "proxy: {scheme: Https, tls: {caSecret: {name: ca}, clientCertificate: {name: ca}}}, \
                rules: [{backends: [{service: web}]}]";
    let mut cache = cache(&format!("{SERVICE}\n---\n{}", route("a", 1, spec)));
    let ((authority, _), (own, key)) = (certificate(&["ca.example"]), certificate(&["gateway.example"]));
    let (other_authority, (other, other_key)) = (certificate(&["new.example"]).0, certificate(&["new.example"]));
    let after = |cache: &mut Cache, change| {
        cache.apply(change);
        let translation = run(cache);
        let fields =
            translation.diagnostics.iter().map(|told| told.field.trim_start_matches("spec.proxy.tls.").to_owned());
        let stale =
            translation.diagnostics.iter().all(|told| told.message.contains("last good version goes on serving"));
        (translation.snapshot.upstreams[0].transport.clone().unwrap().key(), fields.collect::<Vec<_>>(), stale)
    };
    let nothing: [&str; 0] = [];
    let (good, told, _) = after(&mut cache, tls_secret(&authority, &own, &key));
    assert_eq!(told, nothing);
    for broken in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let (now, told, stale) = after(&mut cache, tls_secret(broken, &own, &key));
        assert_eq!((now, told, stale), (good, vec!["caSecret".to_owned()], true), "{broken}");
    }
    let (newer, told, stale) = after(&mut cache, tls_secret("no PEM", &other, &other_key));
    assert!(newer != good && stale && told == ["caSecret"], "the other part is new: {told:?}");
    let (now, told, stale) = after(&mut cache, tls_secret(&authority, "no PEM", &key));
    assert!(now == newer && stale && told == ["clientCertificate"], "{told:?}");
    let (now, told, _) = after(&mut cache, tls_secret(&other_authority, &other, &other_key));
    assert!(now != newer && told == nothing, "{told:?}");
}

#[test]
fn another_trust_is_another_transport() {
    let key = |tls: &str| translated(SERVICE, "", &format!("proxy: {{scheme: Https, tls: {tls}}}, ")).0.unwrap().key();
    let all = ["{}", "{serverName: a.example}", "{serverName: b.example}", "{insecureSkipVerify: true}"].map(key);
    assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
    assert_eq!(
        all,
        ["{}", "{serverName: a.example}", "{serverName: b.example}", "{insecureSkipVerify: true}"].map(key)
    );
    assert!(!all.contains(&Transport::default().key()));
}

#[test]
fn whoever_takes_any_certificate_is_told_again() {
    let spec = "proxy: {scheme: Https, tls: {insecureSkipVerify: true}}, rules: [{backends: [{service: web}]}]";
    let translation = run(&cache(&format!("{SERVICE}\n---\n{}", route("a", 1, spec))));
    let notes = &translation.outcomes[0].notes;
    assert_eq!(notes, &["spec.proxy.tls.insecureSkipVerify: any certificate of endpoints is taken"]);
}
