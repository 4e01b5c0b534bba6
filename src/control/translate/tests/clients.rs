//! Certificates of clients: what hosts ask for, and Secrets that do not say it.

use super::*;
use crate::model::client_validation::ClientValidation;
use std::sync::Arc;

const RULES: &str = "rules: [{backends: [{service: web}]}]";

fn asking(name: &str, hosts: &str, secret: &str) -> String {
    let validation = format!("tls: {{clientValidation: {{caSecret: {{name: {secret}}}}}}}");
    route(name, 1, &format!("hostnames: [{hosts}], {validation}, {RULES}"))
}

fn authorities(namespace: &str, name: &str, pem: &str) -> Object {
    let mut secret = secret(namespace, name, "", "");
    let data = secret.data.as_mut().unwrap();
    data.insert("ca.crt".to_owned(), k8s_openapi::ByteString(pem.into()));
    Object::Secret(Arc::new(secret))
}

fn with(routes: &[String], secrets: &[(&str, &str)]) -> Cache {
    let mut cache = cache(&[&[SERVICE.to_owned()], routes].concat().join("\n---\n"));
    for (name, pem) in secrets {
        cache.apply(Change::Upsert(authorities("web", name, pem)));
    }
    cache
}

fn asked(translation: &Translation, host: &str) -> Option<Arc<ClientValidation>> {
    let hosts = &translation.snapshot.client_validation;
    let found = hosts.iter().find(|(known, _)| known.to_string() == host);
    found.unwrap_or_else(|| panic!("{host} must be there: {hosts:?}")).1.clone()
}

fn told(translation: &Translation) -> Vec<(&str, Reason)> {
    translation.diagnostics.iter().map(|told| (told.field.as_str(), told.reason)).collect()
}

#[test]
fn hosts_ask_for_what_their_route_says_and_no_other_host_does() {
    let pem = certificate(&["ca.example"]).0;
    let open = route("open", 1, &format!("hostnames: [open.example], {RULES}"));
    let cache = with(&[asking("a", "a.example, '*.b.example'", "ca"), open], &[("ca", &pem)]);
    let translation = run(&cache);
    assert_eq!(told(&translation), []);
    let validation = asked(&translation, "a.example").unwrap();
    assert!(!validation.optional && validation.authorities.is_some());
    assert_eq!(asked(&translation, "*.b.example"), Some(Arc::clone(&validation)));
    assert_eq!(asked(&translation, "open.example"), None);
    let rules = &translation.snapshot.rules;
    assert_eq!(rules.iter().filter(|rule| rule.clients.as_ref() == Some(&validation)).count(), 1);
    assert_eq!(run(&with(&[route("open", 1, RULES)], &[])).snapshot.client_validation, []);
}

#[test]
fn other_authorities_and_another_mode_are_another_policy() {
    let [one, other] = [(); 2].map(|()| certificate(&["ca.example"]).0);
    let id = |pem: &str, mode: &str| {
        let route = asking("a", "a.example", "ca").replace("{name: ca}", &format!("{{name: ca}}, mode: {mode}"));
        asked(&run(&with(&[route], &[("ca", pem)])), "a.example").unwrap().id
    };
    let ids = [id(&one, "Require"), id(&one, "Optional"), id(&other, "Require"), id("broken", "Require")];
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len());
    assert_eq!(id(&one, "Require"), ids[0]);
}

#[test]
fn the_oldest_route_of_a_host_decides_and_the_other_is_told() {
    let [one, other] = [(); 2].map(|()| certificate(&["ca.example"]).0);
    let routes = [asking("a", "a.example", "one"), asking("b", "a.example", "other"), asking("c", "a.example", "one")];
    let translation = run(&with(&routes, &[("one", &one), ("other", &other)]));
    assert_eq!(told(&translation), [("spec.tls.clientValidation", Reason::Conflicted)]);
    assert_eq!(&*translation.diagnostics[0].object.name, "b");
    let rule = |name: &str| {
        let rules = &translation.snapshot.rules;
        rules.iter().find(|rule| &*rule.origin.object.name == name).unwrap().clients.clone()
    };
    assert_eq!(asked(&translation, "a.example"), rule("a"));
    assert_eq!(rule("a"), rule("c"));
    assert_ne!(rule("a"), rule("b"));
}

#[test]
fn a_secret_that_does_not_say_who_lets_nobody_in() {
    for (secrets, message) in [
        (&[][..], "there is no Secret `ca` in namespace `web`: nobody may speak to its hosts"),
        (&[("ca", "")], "its data has no ca.crt; nobody may speak to its hosts"),
        (&[("ca", "text")], "its ca.crt is not a list of PEM certificates of authorities"),
    ] {
        let translation = run(&with(&[asking("a", "a.example", "ca")], secrets));
        let field = "spec.tls.clientValidation.caSecret";
        assert_eq!(told(&translation), [(field, Reason::InvalidCertificateRef)]);
        assert!(translation.diagnostics[0].message.contains(message), "{}", translation.diagnostics[0].message);
        assert!(asked(&translation, "a.example").unwrap().authorities.is_none());
    }
}

#[test]
fn a_secret_that_breaks_keeps_its_last_good_authorities() {
    let pem = certificate(&["ca.example"]).0;
    let mut cache = with(&[asking("a", "a.example", "ca")], &[("ca", &pem)]);
    let good = asked(&run(&cache), "a.example");
    cache.apply(Change::Upsert(authorities("web", "ca", "text")));
    let translation = run(&cache);
    assert_eq!(asked(&translation, "a.example"), good);
    let told = &translation.diagnostics[0].message;
    assert!(told.ends_with("its last good version goes on serving"), "{told}");
}

#[test]
fn authorities_of_another_namespace_need_a_grant() {
    let pem = certificate(&["ca.example"]).0;
    let route = asking("a", "a.example", "ca").replace("{name: ca}", "{name: ca, namespace: vault}");
    let mut cache = with(&[route], &[]);
    cache.apply(Change::Upsert(authorities("vault", "ca", &pem)));
    let translation = run(&cache);
    assert_eq!(told(&translation), [("spec.tls.clientValidation.caSecret", Reason::RefNotPermitted)]);
    assert!(asked(&translation, "a.example").unwrap().authorities.is_none());
    let grant = "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {namespace: vault, name: g}\n\
                 spec: {from: [{group: paifang.dev, kind: GatewayRoute, namespace: web}], to: [{group: '', kind: Secret}]}";
    upsert(&mut cache, grant);
    assert!(asked(&run(&cache), "a.example").unwrap().authorities.is_some());
}
