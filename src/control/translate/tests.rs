mod clients;
mod registrations;
mod transport;

use super::*;
use crate::{
    control::{
        change::{Change, Object},
        report::ObjectReport,
        testing::{cache, certificate, object, secret},
    },
    model::{
        condition::{ConditionType, Reason},
        diagnostic::Kind,
    },
    table::{HostPattern, PathPattern},
};
use std::time::{Duration, Instant};

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {namespace: web, name: web}
spec: {ports: [{port: 80}]}";

fn route(name: &str, generation: i64, spec: &str) -> String {
    format!(
        "
apiVersion: paifang.dev/v1alpha1
kind: GatewayRoute
metadata: {{namespace: web, name: {name}, uid: u-{name}, generation: {generation}}}
spec: {{{spec}}}"
    )
}

fn path(value: &str) -> String {
    format!(
        "rules: [{{matches: [{{path: {{type: RegularExpression, value: '{value}'}}}}], backends: [{{service: web}}]}}]"
    )
}

fn upsert(cache: &mut Cache, text: &str) -> crate::control::cache::Effect {
    cache.apply(Change::Upsert(object(text)))
}

fn run(cache: &Cache) -> Translation {
    translate(cache, &Context::default())
}

fn report(translation: &Translation, name: &str) -> ObjectReport {
    reports(translation, |_| (1, 1)).into_iter().find(|report| &*report.object.name == name).unwrap()
}

fn condition(report: &ObjectReport, type_: ConditionType) -> (bool, Reason) {
    let condition = report.conditions.iter().find(|condition| condition.type_ == type_).unwrap();
    (condition.holds, condition.reason)
}

fn regexes(translation: &Translation) -> Vec<String> {
    let regex = |path: &PathPattern| match path {
        PathPattern::Regex(regex) => Some(regex.to_string()),
        _ => None,
    };
    translation.entries.iter().filter_map(|entry| regex(&entry.path)).collect()
}

#[test]
fn the_last_good_version_serves_until_the_newest_is_mended() {
    let mut cache = cache(SERVICE);
    upsert(&mut cache, &route("a", 1, &path("/one")));
    assert_eq!(run(&cache).diagnostics, []);
    upsert(&mut cache, &route("a", 2, &path("/two(")));
    upsert(&mut cache, &route("a", 3, &path("/three(")));
    let translation = run(&cache);
    assert_eq!(regexes(&translation), [r"\A(?:/one)\z"]);
    let report = report(&translation, "a");
    assert_eq!(report.generation, 3);
    assert_eq!(condition(&report, ConditionType::Accepted), (false, Reason::UnsupportedValue));
    assert_eq!(condition(&report, ConditionType::Programmed), (false, Reason::LastGoodServed));
    assert!(report.conditions[2].message.contains("generation 1 goes on serving"), "{report:?}");
    upsert(&mut cache, &route("a", 4, &path("/four")));
    assert_eq!(regexes(&run(&cache)), [r"\A(?:/four)\z"]);
}

#[test]
fn the_last_good_version_of_another_object_of_the_same_name_never_serves() {
    let mut cache = cache(SERVICE);
    upsert(&mut cache, &route("a", 1, &path("/one")));
    drop(run(&cache));
    upsert(&mut cache, &route("a", 1, &path("/two(")).replace("u-a", "u-b"));
    let translation = run(&cache);
    assert_eq!(regexes(&translation), Vec::<String>::new());
    assert_eq!(translation.snapshot.rules[0].broken, Some(Reason::UnsupportedValue));
}

#[test]
fn an_unreadable_version_keeps_the_one_before() {
    let mut cache = cache(SERVICE);
    upsert(&mut cache, &route("a", 1, &path("/one")));
    let unreadable = |name: &str| Change::Unreadable {
        object: ObjectRef::new(Kind::GatewayRoute, "web", name),
        generation: Some(2),
        message: "spec.rules: expected a list".to_owned(),
    };
    assert_eq!(cache.apply(unreadable("a")), crate::control::cache::Effect::Table);
    assert_eq!(cache.apply(unreadable("a")), crate::control::cache::Effect::Nothing);
    cache.apply(unreadable("never-read"));
    let translation = run(&cache);
    assert_eq!(regexes(&translation), [r"\A(?:/one)\z"]);
    assert_eq!(report(&translation, "a").generation, 2);
    assert_eq!(translation.outcomes.len(), 1);
    assert_eq!(translation.diagnostics.len(), 3);
}

#[test]
fn one_bad_route_of_ten_thousand_leaves_the_others_alone_and_takes_no_time() {
    let mut cache = cache(SERVICE);
    for index in 0..10_000 {
        let spec = format!("hostnames: [h{index}.example.com], {}", path(if index == 5_000 { "(" } else { "/a" }));
        upsert(&mut cache, &route(&format!("r{index}"), 1, &spec));
    }
    let first = run(&cache);
    let start = Instant::now();
    let again = run(&cache);
    let took = start.elapsed();
    assert_eq!(first.entries.len(), 9_999);
    assert_eq!(again.diagnostics.len(), 2, "{:?}", again.diagnostics);
    assert!(again.diagnostics.iter().all(|diagnostic| &*diagnostic.object.name == "r5000"));
    println!("10000 routes translated again in {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

fn tls_route(hosts: &str, tls: &str) -> String {
    route("a", 1, &format!("hostnames: [{hosts}], tls: {{{tls}}}, rules: [{{backends: [{{service: web}}]}}]"))
}

fn with_secret(route: &str, names: &[&str]) -> Cache {
    let mut cache = cache(&format!("{SERVICE}\n---\n{route}"));
    let (pem, key) = certificate(names);
    cache.apply(Change::Upsert(Object::Secret(Arc::new(secret("web", "cert", &pem, &key)))));
    cache
}

#[test]
fn a_certificate_serves_the_hosts_of_its_route() {
    let cache = with_secret(&tls_route("a.example.com", "secretName: cert"), &["a.example.com", "b.example.com"]);
    let translation = run(&cache);
    assert_eq!(translation.diagnostics, []);
    assert_eq!(translation.snapshot.certificates[0].hostnames.join(" "), "a.example.com");
}

#[test]
fn a_route_for_every_host_serves_the_names_of_its_certificate() {
    let cache = with_secret(&tls_route("", "secretName: cert"), &["a.example.com", "*.example.org"]);
    let translation = run(&cache);
    assert_eq!(translation.snapshot.certificates[0].hostnames.join(" "), "a.example.com *.example.org");
}

#[test]
fn a_missing_secret_leaves_the_route_serving() {
    let translation = run(&cache(&format!("{SERVICE}\n---\n{}", tls_route("a.example.com", "secretName: cert"))));
    assert_eq!(translation.entries.len(), 1);
    assert_eq!(
        condition(&report(&translation, "a"), ConditionType::ResolvedRefs),
        (false, Reason::InvalidCertificateRef)
    );
}

#[test]
fn a_secret_that_breaks_keeps_its_last_good_version() {
    let mut cache = with_secret(&tls_route("a.example.com", "secretName: cert"), &["a.example.com"]);
    assert_eq!(run(&cache).diagnostics, []);
    cache.apply(Change::Upsert(Object::Secret(Arc::new(secret("web", "cert", "x", "y")))));
    let translation = run(&cache);
    assert_eq!(translation.snapshot.certificates.len(), 1);
    assert!(translation.diagnostics[0].message.contains("last good version goes on serving"));
}

#[test]
fn names_that_a_certificate_is_not_made_for_and_old_ones_are_warned_of() {
    let cache = with_secret(&tls_route("a.example.com, c.example.com", "secretName: cert"), &["a.example.com"]);
    let context = Context { now: SystemTime::UNIX_EPOCH + Duration::from_secs(100_000_000_000), ..Context::default() };
    let translation = translate(&cache, &context);
    let messages: Vec<_> = translation.diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages[1].contains("`c.example.com`") && messages[0].contains("has expired"), "{messages:?}");
    assert!(condition(&report(&translation, "a"), ConditionType::ResolvedRefs).0);
}

#[test]
fn secrets_of_namespaces_that_are_not_read_say_how_to_let_them_be() {
    let cache = with_secret(&tls_route("a.example.com", "secretName: cert"), &["a.example.com"]);
    let context = Context {
        secrets: Namespaces::Only(BTreeSet::from(["gateway".to_owned()])),
        service_account: Some(("gateway".to_owned(), "paifang".to_owned())),
        ..Context::default()
    };
    let translation = translate(&cache, &context);
    assert!(translation.snapshot.certificates.is_empty());
    let message = &translation.diagnostics[0].message;
    for wanted in ["tls.namespaces", "-n web", "--serviceaccount=gateway:paifang"] {
        assert!(message.contains(wanted), "{message}");
    }
}

#[test]
fn a_secret_of_another_namespace_needs_a_grant_that_can_be_taken_back() {
    let text = tls_route("a.example.com", "secretName: cert, secretNamespace: vault");
    let mut cache = cache(&format!("{SERVICE}\n---\n{text}"));
    let (pem, key) = certificate(&["a.example.com"]);
    cache.apply(Change::Upsert(Object::Secret(Arc::new(secret("vault", "cert", &pem, &key)))));
    assert_eq!(run(&cache).diagnostics[0].reason, Reason::RefNotPermitted);
    upsert(
        &mut cache,
        "
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {namespace: vault, name: g}
spec: {from: [{group: paifang.dev, kind: GatewayRoute, namespace: web}], to: [{group: '', kind: Secret}]}",
    );
    assert_eq!(run(&cache).diagnostics, []);
    cache.apply(Change::Delete(ObjectRef::new(Kind::ReferenceGrant, "vault", "g")));
    assert_eq!(run(&cache).diagnostics[0].reason, Reason::RefNotPermitted);
}

#[test]
fn the_default_certificate_comes_from_the_settings() {
    let cache = with_secret(SERVICE, &["a.example.com"]);
    let named = |name: &str| Some(("web".to_owned(), name.to_owned()));
    let context = Context { default_certificate: named("cert"), ..Context::default() };
    let translation = translate(&cache, &context);
    assert!(translation.snapshot.default_certificate.is_some());
    assert_eq!(translation.diagnostics, []);
}

#[test]
fn a_missing_certificate_says_what_clients_get_instead() {
    let mut cache = cache(SERVICE);
    let missing = |cache: &Cache, default: Option<&str>| {
        let default_certificate = default.map(|name| ("web".to_owned(), name.to_owned()));
        let translation = translate(cache, &Context { default_certificate, ..Context::default() });
        let messages = translation.diagnostics.into_iter().map(|diagnostic| diagnostic.message);
        messages.filter_map(|message| Some(message.split_once("`nope`")?.1.to_owned())).collect::<Vec<_>>()
    };
    let fails = "there is no default certificate, so TLS handshakes fail for names without a certificate of their own";
    assert_eq!(missing(&cache, Some("nope")), [format!(" in namespace `web`: {fails}")]);
    let (pem, key) = certificate(&["a.example.com"]);
    cache.apply(Change::Upsert(Object::Secret(Arc::new(secret("web", "nope", &pem, "no key")))));
    let told = missing(&cache, Some("nope"));
    assert!(told[0].starts_with(" cannot be used: ") && told[0].ends_with(&format!("; {fails}")), "{told:?}");
    cache.apply(Change::Delete(ObjectRef::new(Kind::Secret, "web", "nope")));
    cache.apply(Change::Upsert(Object::Secret(Arc::new(secret("web", "cert", &pem, &key)))));
    upsert(&mut cache, &tls_route("a.example.com", "secretName: nope"));
    assert_eq!(missing(&cache, Some("cert")), [" in namespace `web`: the default certificate is served"]);
    let neither = " in namespace `web`: there is no default certificate either, so TLS handshakes fail for names that no other certificate covers";
    assert_eq!(missing(&cache, None), [neither]);
}

#[test]
fn the_oldest_of_two_certificates_serves_a_host() {
    let older = tls_route("a.example.com", "secretName: cert")
        .replace("generation: 1", "creationTimestamp: '2024-01-01T00:00:00Z'");
    let younger = tls_route("a.example.com", "secretName: other")
        .replace("generation: 1", "creationTimestamp: '2024-01-02T00:00:00Z'")
        .replace("name: a,", "name: b,");
    let mut cache = with_secret(&format!("{younger}\n---\n{older}"), &["a.example.com"]);
    let (pem, key) = certificate(&["a.example.com"]);
    cache.apply(Change::Upsert(Object::Secret(Arc::new(secret("web", "other", &pem, &key)))));
    let translation = run(&cache);
    assert_eq!(translation.snapshot.certificates.len(), 1);
    assert_eq!(&*translation.snapshot.certificates[0].secret, "cert");
    assert_eq!(&*translation.diagnostics[0].object.name, "b");
    assert_eq!(translation.diagnostics[0].reason, Reason::Conflicted);
}

#[test]
fn a_pod_with_a_weight_that_is_none_is_told_of_and_no_other() {
    let pod = |name: &str, meta: &str| {
        format!("{{apiVersion: v1, kind: Pod, metadata: {{namespace: shop, name: {name}, {meta}}}}}")
    };
    let pods = [
        pod("a", "labels: {paifang.dev/weight: '1000000'}"),
        pod("b", "labels: {paifang.dev/weight: '1000001'}"),
        pod("c", "annotations: {paifang.dev/weight: '5'}"),
        pod("d", "labels: {paifang.dev/weight: '-1'}"),
    ];
    let told: Vec<_> = run(&cache(&pods.join("\n---\n"))).diagnostics.iter().map(ToString::to_string).collect();
    let number = "write a number from 0 to 1000000, or drop the label (UnsupportedValue)";
    assert_eq!(
        told,
        [
            format!("Pod shop/b: metadata.labels.paifang.dev/weight: the weight `1000001` is not used: {number}"),
            "Pod shop/c: metadata.annotations.paifang.dev/weight: the weight of a Pod is a label, so that this is not \
             used: set the label paifang.dev/weight (UnsupportedValue)"
                .to_owned(),
            format!("Pod shop/d: metadata.labels.paifang.dev/weight: the weight `-1` is not used: {number}"),
        ]
    );
}

#[test]
fn an_endpoint_slice_with_a_weight_that_is_none_is_told_of_and_no_other() {
    let slice = |name: &str, meta: &str| {
        format!(
            "{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, endpoints: [], \
             metadata: {{namespace: shop, name: {name}, {meta}}}}}"
        )
    };
    let of = "kubernetes.io/service-name: web";
    let slices = [
        slice("a", &format!("labels: {{{of}, paifang.dev/weight: '1000000'}}")),
        slice("b", &format!("labels: {{{of}, paifang.dev/weight: '1000001'}}")),
        slice("c", &format!("annotations: {{paifang.dev/weight: much}}, labels: {{{of}, paifang.dev/weight: '5'}}")),
        slice("d", "labels: {paifang.dev/weight: '-1'}"),
    ];
    let told: Vec<_> = run(&cache(&slices.join("\n---\n"))).diagnostics.iter().map(ToString::to_string).collect();
    let number =
        |place| format!("is not used: write a number from 0 to 1000000, or drop the {place} (UnsupportedValue)");
    let weight = |place, value| format!("metadata.{place}.paifang.dev/weight: the weight `{value}`");
    assert_eq!(
        told,
        [
            format!("EndpointSlice shop/b: {} {}", weight("labels", "1000001"), number("label")),
            format!("EndpointSlice shop/c: {} {}", weight("annotations", "much"), number("annotation")),
        ],
        "a slice of no Service is nobody's"
    );
}

#[test]
fn a_bad_host_never_becomes_every_host() {
    let translation = run(&cache(&format!(
        "{SERVICE}\n---\n{}",
        route("a", 1, "hostnames: ['a b'], rules: [{backends: [{service: web}]}]")
    )));
    assert!(translation.entries.is_empty());
    let translation = run(&cache(&format!(
        "{SERVICE}\n---\n{}",
        route("a", 1, "hostnames: ['a b', b.com], rules: [{backends: [{service: web}]}]")
    )));
    assert_eq!(translation.entries[0].host, HostPattern::Exact("b.com".into()));
}

#[test]
fn ports_of_other_protocols_do_not_stand_in_the_way_of_tcp() {
    let backends = |ports: &str, named: &str| {
        let service = SERVICE.replace("{port: 80}", ports);
        let rule = format!("rules: [{{backends: [{{service: web{named}}}]}}]");
        let translation = run(&cache(&format!("{service}\n---\n{}", route("a", 1, &rule))));
        let reasons: Vec<_> = translation.diagnostics.iter().map(|diagnostic| diagnostic.reason).collect();
        (translation.snapshot.upstreams.iter().map(|upstream| upstream.port.port).collect::<Vec<_>>(), reasons)
    };
    let both = "{name: h3, port: 443, protocol: UDP}, {name: https, port: 443}";
    for named in ["", ", port: 443", ", port: https", ", port: '443'"] {
        assert_eq!(backends(both, named), (vec![443], vec![]), "{named}");
    }
    let dns = "{name: dns, port: 53, protocol: UDP}";
    for named in ["", ", port: 53", ", port: dns"] {
        assert_eq!(backends(dns, named), (vec![], vec![Reason::UnsupportedProtocol]), "{named}");
    }
    let two = "{name: a, port: 1}, {name: b, port: 2}";
    assert_eq!(backends(two, ""), (vec![], vec![Reason::BackendNotFound]));
}

#[test]
fn a_panic_costs_one_version_of_one_object() {
    let bomb = |text: String| text.replace("uid:", "annotations: {test/panic: ''}, uid:");
    let mut cache = cache(SERVICE);
    upsert(&mut cache, &route("a", 1, &path("/one")));
    upsert(&mut cache, &route("b", 1, &path("/other")));
    drop(run(&cache));
    upsert(&mut cache, &bomb(route("a", 2, &path("/two"))));
    upsert(&mut cache, &bomb(route("c", 1, &path("/three"))));
    for _ in 0..2 {
        let translation = run(&cache);
        assert_eq!(regexes(&translation), [r"\A(?:/one)\z", r"\A(?:/other)\z"]);
        assert_eq!(translation.snapshot.rules.len(), 2, "nothing half done is left");
        let (old, new) = (report(&translation, "a"), report(&translation, "c"));
        assert_eq!(old.generation, 2);
        assert_eq!(condition(&old, ConditionType::Accepted), (false, Reason::Invalid));
        assert_eq!(condition(&old, ConditionType::Programmed), (false, Reason::LastGoodServed));
        assert_eq!(condition(&new, ConditionType::Accepted), (false, Reason::Invalid));
        assert_eq!(condition(&new, ConditionType::Programmed), (false, Reason::Invalid));
        assert!(condition(&report(&translation, "b"), ConditionType::Accepted).0);
    }
    upsert(&mut cache, &route("a", 3, &path("/three")));
    assert_eq!(regexes(&run(&cache)).first().map(String::as_str), Some(r"\A(?:/three)\z"));
}

#[test]
fn a_shared_limit_without_a_store_is_counted_by_each_replica_and_warned_of() {
    let mut cache = cache(SERVICE);
    let limits = "limiter: {requests: [{rate: 1}, {rate: 1, scope: Cluster}]}, rules: [{backends: [{service: web}]}]";
    upsert(&mut cache, &route("a", 1, limits));
    let shared =
        |translation: &Translation| translation.snapshot.rules[0].options.limits.as_ref().unwrap().are_shared();
    let with_store = run(&cache);
    assert!(shared(&with_store) && with_store.diagnostics.is_empty(), "{:?}", with_store.diagnostics);
    let alone = translate(&cache, &Context { counts_alone: true, ..Context::default() });
    assert!(!shared(&alone));
    let [warning] = &alone.diagnostics[..] else { panic!("{:?}", alone.diagnostics) };
    assert_eq!(warning.field, "spec.limiter.requests[1].scope");
    assert!(warning.message.contains("set --redis"), "{}", warning.message);
    assert_eq!(condition(&report(&alone, "a"), ConditionType::Accepted), (true, Reason::Accepted));
}

#[test]
fn a_mirror_in_another_namespace_needs_a_grant_and_costs_the_rule_nothing() {
    let rule = "rules: [{backends: [{service: web}], mirror: {service: copy, namespace: dark, percent: 20}}]";
    let copy = SERVICE.replace("namespace: web, name: web", "namespace: dark, name: copy");
    let mut cache = cache(&[SERVICE.to_owned(), copy, route("mirrored", 1, rule)].join("\n---"));
    let refused = run(&cache);
    let diagnostic = &refused.diagnostics[0];
    assert_eq!((&*diagnostic.field, diagnostic.reason), ("spec.rules[0].mirror.namespace", Reason::RefNotPermitted));
    assert_eq!((refused.snapshot.rules[0].mirror, refused.snapshot.rules[0].broken), (None, None));
    assert_eq!(refused.snapshot.upstreams.len(), 1);
    let grant = "
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {namespace: dark, name: g}
spec: {from: [{group: paifang.dev, kind: GatewayRoute, namespace: web}], to: [{group: '', kind: Service}]}";
    upsert(&mut cache, grant);
    let granted = run(&cache);
    let mirror = granted.snapshot.rules[0].mirror.unwrap();
    assert_eq!(granted.snapshot.upstreams[mirror.target.index()].port.to_string(), "dark/copy:80");
    assert_eq!((mirror.percent, granted.diagnostics.len()), (20, 0));
}
