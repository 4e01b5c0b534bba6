//! Which rule takes a request, as clients see it.

use std::collections::BTreeMap;

use crate::harness::{Backend, Folder, Gateway, get, request};

/// Routes as `(name, spec)`, each with a backend of its own name.
async fn gateway(routes: &[(&str, &str)]) -> (Gateway, Vec<Backend>) {
    let (folder, mut backends) = (Folder::new(), Vec::new());
    for (name, spec) in routes {
        let backend = Backend::echo(name).await;
        folder.service(name, &[backend.address()]).route(name, spec);
        backends.push(backend);
    }
    (Gateway::start(folder).await, backends)
}

async fn taker(gateway: &Gateway, request: String) -> String {
    let reply = gateway.ask(&request).await;
    reply.backend().map_or_else(|| reply.status.to_string(), str::to_owned)
}

#[tokio::test]
async fn the_most_specific_host_wins() {
    let (gateway, _backends) = gateway(&[
        ("any", "{rules: [{backends: [{service: any}]}]}"),
        ("wild", "{hostnames: ['*.example.com'], rules: [{backends: [{service: wild}]}]}"),
        ("longer", "{hostnames: ['*.shop.example.com'], rules: [{backends: [{service: longer}]}]}"),
        ("exact", "{hostnames: [www.example.com, www.example.org], rules: [{backends: [{service: exact}]}]}"),
    ])
    .await;
    for (host, expected) in [
        ("www.example.com", "exact"),
        ("WWW.Example.COM", "exact"),
        ("www.example.com:8080", "exact"),
        ("www.example.com.", "exact"),
        ("www.example.org", "exact"),
        ("api.example.com", "wild"),
        ("a.b.example.com", "wild"),
        ("a.shop.example.com", "longer"),
        ("example.com", "any"),
        ("other.test", "any"),
        ("10.1.2.3", "any"),
        ("[::1]:8080", "any"),
    ] {
        assert_eq!(taker(&gateway, get(host, "/")).await, expected, "{host}");
    }
}

#[tokio::test]
async fn a_host_that_no_route_names_is_404() {
    let (gateway, _backends) = gateway(&[("a", "{hostnames: [a.example], rules: [{backends: [{service: a}]}]}")]).await;
    assert_eq!(taker(&gateway, get("b.example", "/")).await, "404");
    assert_eq!(taker(&gateway, get("a.example", "/")).await, "a");
}

#[tokio::test]
async fn the_most_specific_path_wins() {
    let (gateway, _backends) = gateway(&[
        ("root", "{rules: [{backends: [{service: root}]}]}"),
        ("short", "{rules: [{matches: [{path: {value: /a}}], backends: [{service: short}]}]}"),
        ("long", "{rules: [{matches: [{path: {value: /a/b/c}}], backends: [{service: long}]}]}"),
        ("exact", "{rules: [{matches: [{path: {type: Exact, value: /a/b}}], backends: [{service: exact}]}]}"),
        (
            "template",
            "{rules: [{matches: [{path: {type: Template, value: '/users/{id}'}}], backends: [{service: template}]}]}",
        ),
        (
            "regex",
            "{rules: [{matches: [{path: {type: RegularExpression, value: '/v[0-9]+/.*'}}], backends: [{service: regex}]}]}",
        ),
    ])
    .await;
    for (path, expected) in [
        ("/", "root"),
        ("/ab", "root"),
        ("/a", "short"),
        ("/a/", "short"),
        ("/a?b=c", "short"),
        ("/a/b", "exact"),
        ("/a/b/", "short"),
        ("/a/b/c", "long"),
        ("/a/b/c/d", "long"),
        ("/a/b/cd", "short"),
        ("/users/42", "template"),
        ("/users/42/orders", "root"),
        ("/users", "root"),
        ("/v1/x", "regex"),
        ("/v/x", "root"),
        ("/%61/b", "exact"),
        ("//a//b", "exact"),
    ] {
        assert_eq!(taker(&gateway, get("a.example", path)).await, expected, "{path}");
    }
}

#[tokio::test]
async fn an_exact_path_beats_a_template_beats_a_prefix() {
    let (gateway, _backends) = gateway(&[
        ("prefix", "{rules: [{matches: [{path: {value: /users/42}}], backends: [{service: prefix}]}]}"),
        (
            "template",
            "{rules: [{matches: [{path: {type: Template, value: '/users/{id}'}}], backends: [{service: template}]}]}",
        ),
        ("exact", "{rules: [{matches: [{path: {type: Exact, value: /users/7}}], backends: [{service: exact}]}]}"),
    ])
    .await;
    for (path, expected) in [("/users/7", "exact"), ("/users/42", "template"), ("/users/42/x", "prefix")] {
        assert_eq!(taker(&gateway, get("a.example", path)).await, expected, "{path}");
    }
}

#[tokio::test]
async fn a_method_that_no_rule_takes_is_405_with_allow() {
    let (gateway, _backends) = gateway(&[
        ("read", "{rules: [{matches: [{path: {value: /a}, methods: [GET, HEAD]}], backends: [{service: read}]}]}"),
        ("write", "{rules: [{matches: [{path: {value: /a}, methods: [POST]}], backends: [{service: write}]}]}"),
    ])
    .await;
    assert_eq!(taker(&gateway, get("a.example", "/a")).await, "read");
    assert_eq!(taker(&gateway, request("POST /a", &["Host: a.example"], "x")).await, "write");
    for method in ["DELETE", "get", "OPTIONS"] {
        let reply = gateway.ask(request(&format!("{method} /a"), &["Host: a.example"], "")).await;
        let mut allowed: Vec<_> = reply.field("allow").expect("Allow must be there").split(", ").collect();
        allowed.sort_unstable();
        assert_eq!((reply.status, allowed), (405, vec!["GET", "HEAD", "POST"]), "{method}");
    }
    assert_eq!(taker(&gateway, request("DELETE /b", &["Host: a.example"], "")).await, "404");
}

#[tokio::test]
async fn more_conditions_win_over_fewer() {
    let (gateway, _backends) = gateway(&[
        ("plain", "{rules: [{backends: [{service: plain}]}]}"),
        ("head", "{rules: [{matches: [{headers: [{name: X-Version, value: '2'}]}], backends: [{service: head}]}]}"),
        (
            "heads",
            "{rules: [{matches: [{headers: [{name: x-version, value: '2'}, \
             {name: x-user, type: RegularExpression, value: 'a.*'}]}], backends: [{service: heads}]}]}",
        ),
        ("query", "{rules: [{matches: [{queryParams: [{name: q, value: 'a b'}]}], backends: [{service: query}]}]}"),
    ])
    .await;
    for (target, fields, expected) in [
        ("/", vec![], "plain"),
        ("/", vec!["x-version: 2"], "head"),
        ("/", vec!["X-VERSION: 3"], "plain"),
        ("/", vec!["x-version: 2", "x-user: anna"], "heads"),
        ("/", vec!["x-version: 2", "x-user: bob"], "head"),
        ("/?q=a%20b", vec![], "query"),
        ("/?x=1&q=a+b", vec![], "query"),
        ("/?q=c", vec![], "plain"),
        ("/?q=a%20b", vec!["x-version: 2"], "head"),
    ] {
        let fields = [vec!["Host: a.example"], fields].concat();
        let sent = request(&format!("GET {target}"), &fields, "");
        assert_eq!(taker(&gateway, sent.clone()).await, expected, "{sent}");
    }
}

async fn counts(gateway: &Gateway, requests: usize) -> BTreeMap<String, usize> {
    let (mut wire, mut counts) = (gateway.open().await, BTreeMap::new());
    for _ in 0..requests {
        let reply = wire.ask(get("a.example", "/")).await;
        let taker = reply.backend().map_or_else(|| reply.status.to_string(), str::to_owned);
        *counts.entry(taker).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn backends_share_requests_by_weight() {
    let (one, other) = (Backend::echo("one").await, Backend::echo("other").await);
    let folder = Folder::new();
    folder.service("one", &[one.address()]).service("other", &[other.address()]).route(
        "web",
        "{rules: [{backends: [{service: one, weight: 3}, {service: other, weight: 1}, {service: one, weight: 0}]}]}",
    );
    let counts = counts(&Gateway::start(folder).await, 800).await;
    // Six standard deviations around 600.
    assert!((526..674).contains(&counts["one"]), "{counts:?}");
}

#[tokio::test]
async fn an_invalid_backend_gets_500_by_its_weight() {
    let backend = Backend::echo("echo").await;
    let spec = "{rules: [{backends: [{service: echo}, {service: missing}]}]}";
    let gateway = Gateway::start(Folder::with(backend.address(), spec)).await;
    let counts = counts(&gateway, 200).await;
    assert!((58..142).contains(&counts["echo"]), "{counts:?}");
    assert_eq!(counts["echo"] + counts["500"], 200);
}

#[tokio::test]
async fn endpoints_take_turns() {
    let backends = [Backend::echo("a").await, Backend::echo("b").await, Backend::echo("c").await];
    let folder = Folder::new();
    let addresses: Vec<_> = backends.iter().map(Backend::address).collect();
    folder.service("echo", &addresses).route("web", "{rules: [{backends: [{service: echo}]}]}");
    let counts = counts(&Gateway::start(folder).await, 30).await;
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [10, 10, 10]);
}

#[tokio::test]
async fn a_route_of_another_class_is_not_served() {
    let (gateway, _backends) = gateway(&[("a", "{className: other, rules: [{backends: [{service: a}]}]}")]).await;
    assert_eq!(taker(&gateway, get("a.example", "/")).await, "404");
}
