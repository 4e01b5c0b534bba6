mod calls;
mod recorded;

use super::*;
use std::{fs, path::PathBuf};
use tempfile::TempDir;

const FILES: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2], conditions: {ready: false}}]
---
apiVersion: paifang.dev/v1alpha1
kind: GatewayRoute
metadata: {name: users}
spec:
  hostnames: [api.example.com]
  rules:
  - name: one
    matches: [{path: {type: Template, value: "/users/{id}"}, methods: [GET]}]
    backends: [{service: web, port: http, weight: 3}, {service: none, port: 80}]
  - matches: [{path: {value: /users}}]
    backends: [{service: web}]
---
apiVersion: paifang.dev/v1alpha1
kind: GatewayRoute
metadata: {name: shop}
spec:
  hostnames: [shop.example.com]
  proxy: {trimPrefix: true}
  tls: {redirect: true}
  rules:
  - matches: [{path: {value: /shop}, headers: [{name: x-a, value: b}]}]
    backends: [{service: web}]
  - matches: [{path: {value: /only-post}, methods: [POST]}]
    backends: [{service: web}]
---
apiVersion: paifang.dev/v1alpha1
kind: GatewayRoute
metadata: {name: raw}
spec:
  hostnames: [raw.example.com]
  rules:
  - matches: [{path: {value: /raw}}]
    pathSafety: Raw
    backends: [{service: web}]
  - matches: [{path: {value: /none}}]
    backends: [{service: none, port: 80}, {service: web, weight: 0}]
  - matches: [{path: {value: /weightless}}]
    backends: [{service: web, weight: 0}]
---
apiVersion: paifang.dev/v1alpha1
kind: GatewayRoute
metadata: {name: cut}
spec:
  hostnames: [raw.example.com]
  proxy: {trimPrefix: true}
  rules:
  - matches: [{path: {value: /cut}}]
    pathSafety: Raw
    backends: [{service: web}]
"#;

const SETTINGS: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  ports:
  - {name: udp, port: 81, protocol: UDP}
  - {name: http, port: 80}
  - {name: api, port: 81, appProtocol: h2}
---
apiVersion: paifang.dev/v1alpha1
kind: GatewayRoute
metadata: {name: policy}
spec:
  policyFor: {service: web, port: http}
  balancing: {strategy: Hash, hashOn: {type: Cookie, name: sid}, hashBalanceFactor: 150}
  limiter:
    endpoint: {rate: 100, peak: 200}
  breaker: {openTimeout: 30s, failOn: [ServerError]}
  proxy: {requestTimeout: 5s, retryCount: 3}
---
apiVersion: paifang.dev/v1alpha1
kind: GatewayRoute
metadata: {name: shop}
spec:
  limiter:
    requests:
    - {rate: 10, per: Minute, key: {}}
    - {name: all, rate: 500, burst: 50, scope: Cluster}
  outlierEjection: {}
  breaker: {maxFailures: 1}
  healthCheck: {path: /healthz}
  proxy: {requestTimeout: 2s}
  rules:
  - backends: [{service: web, port: http}, {service: web, port: api}]
    mirror: {service: web, port: http, percent: 10}
"#;

#[test]
fn what_a_request_meets_is_told_with_the_object_that_set_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("s.yaml"), SETTINGS).unwrap();
    let mut out = Vec::new();
    let args = args(folder.path().to_owned(), "http://a.example/", "GET", &[], OutputForm::Text);
    assert_eq!(run(&args, &mut out), Ok(0));
    let text = String::from_utf8(out).unwrap().replace(&format!("{}/", folder.path().display()), "");
    let (shop, policy) = ("GatewayRoute default/shop at s.yaml", "GatewayRoute default/policy at s.yaml");
    for line in [
        format!("  limiter.requests[0]: rate 10 per Minute, burst 10, for each ClientAddress, scope Replica ({shop}:28)"),
        format!("  limiter.requests[1]: all, rate 500 per Second, burst 50, for the route, scope Cluster ({shop}:29)"),
        "    transport: HTTP/1.1 (default)".to_owned(),
        format!("    balancing: Hash on Cookie sid, hashBalanceFactor 150, panicThreshold 50 ({policy}:16)"),
        format!("    limiter.endpoint: rate 100, peak 200 ({policy}:18)"),
        format!("    breaker: maxFailures 5, openTimeout 30s, halfOpenMaxRequests 1, interval 60s, failOn ConnectFailure ServerError ({policy}:19)"),
        format!("    breaker: maxFailures 1, openTimeout 60s, halfOpenMaxRequests 1, interval 60s, failOn ConnectFailure ({shop}:31)"),
        format!("    outlierEjection: consecutiveErrors 5, ejectionTime 30s, maxEjectionPercent 50, failOn ConnectFailure ServerError Timeout ({shop}:30)"),
        format!("    healthCheck: path /healthz, interval 10s, timeout 1s, unhealthyThreshold 3, healthyThreshold 2 ({shop}:32)"),
        format!("    proxy.retryCount: 3, what was sent too where it may be replayed ({policy}:20)"),
        "    proxy.retryCount: 1, only what was not sent (default)".to_owned(),
        format!("    proxy.requestTimeout: 2s ({shop}:33)"),
        "    transport: HTTP/2 over TLS, endpoints prove to be web.default.svc or web.default.svc.cluster.local (Service default/web at s.yaml:9)".to_owned(),
        "    proxy.tlsHandshakeTimeout: 10s (default)".to_owned(),
        "    not set: limiter.endpoint, proxy.retryStatuses, proxy.tryTimeout".to_owned(),
        format!("  10 % copied to Service default/web port 80 ({shop}:36)"),
    ] {
        assert!(text.lines().any(|told| told == line), "{line}\nis not in\n{text}");
    }
}

fn files() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.yaml"), FILES).unwrap();
    folder
}

fn args(files: PathBuf, url: &str, method: &str, headers: &[&str], output: OutputForm) -> ExplainArgs {
    ExplainArgs {
        files: vec![files],
        method: method.to_owned(),
        headers: headers.iter().map(|header| (*header).to_owned()).collect(),
        output,
        class_name: "paifang".to_owned(),
        controller_name: "paifang.dev/ingress-controller".to_owned(),
        url: url.to_owned(),
    }
}

fn explain(url: &str, method: &str, headers: &[&str]) -> (u8, String) {
    let folder = files();
    let mut out = Vec::new();
    let code = run(&args(folder.path().to_owned(), url, method, headers, OutputForm::Text), &mut out).unwrap();
    (code, String::from_utf8(out).unwrap().replace(&format!("{}/", folder.path().display()), ""))
}

#[test]
fn the_winner_its_backends_and_every_loser_are_told() {
    let (code, text) = explain("http://api.example.com:8080/users/7", "GET", &[]);
    assert_eq!(code, 0);
    assert_eq!(
        text,
        "GET http://api.example.com/users/7
  taken by GatewayRoute default/users rule 0 (one), host api.example.com, Template /users/{id} at a.yaml:20, handler Http
  captures id=7
  reaches the backend as /users/7
  75 % to Service default/web port 80, 1 of 2 endpoints ready
    transport: HTTP/1.1 (default)
    balancing: RoundRobin, panicThreshold 50 (default)
    proxy.dialTimeout: 5s (default)
    proxy.retryCount: 1, only what was not sent (default)
    proxy.requestTimeout: 60s (default)
    not set: limiter.endpoint, breaker, outlierEjection, healthCheck, proxy.retryStatuses, proxy.tryTimeout
  25 % to a backend that cannot be used (BackendNotFound): 500
not taken by
  GatewayRoute default/users rule 1, host api.example.com, PathPrefix /users at a.yaml:23: Template comes before PathPrefix
"
    );
}

#[test]
fn what_the_gateway_answers_itself_is_told() {
    let (code, text) = explain("https://shop.example.com/shop/items", "GET", &["X-A: b"]);
    assert_eq!(code, 0);
    assert!(text.contains("reaches the backend as /items"), "{text}");
    let (code, text) = explain("shop.example.com/shop/items", "GET", &["X-A: b"]);
    assert_eq!(code, 0, "a redirect is no error");
    assert!(text.contains("answers 308 itself") && !text.contains("reaches the backend"), "{text}");
    let (code, text) = explain("https://shop.example.com/only-post", "GET", &[]);
    assert_eq!(code, 1);
    assert!(text.contains("answers 405 itself: no rule takes this method; it takes POST"), "{text}");
    let (code, text) = explain("https://shop.example.com/shop", "GET", &[]);
    assert_eq!(code, 1);
    assert!(text.contains("answers 404 itself") && text.contains("the header x-a is not"), "{text}");
}

#[test]
fn a_path_that_the_rule_refuses_reaches_no_backend() {
    let (code, text) = explain("https://api.example.com/users/a%2Fb", "GET", &[]);
    assert_eq!(code, 1);
    let told: Vec<_> = text.lines().take(3).collect();
    assert_eq!(
        told,
        [
            "GET https://api.example.com/users/a%2Fb",
            "  the gateway answers 400 itself: the path has an encoded slash (%2F), which pathSafety Strict refuses",
            "  matched by GatewayRoute default/users rule 0 (one), host api.example.com, Template /users/{id} at a.yaml:20, handler Http",
        ]
    );
    for path in ["/users/../x", "/users/a;b", "/users/%00"] {
        let (code, text) = explain(&format!("https://api.example.com{path}"), "GET", &[]);
        assert_eq!(code, 1, "{text}");
        assert!(!text.contains("  taken by") && !text.contains("reaches") && !text.contains(" % to"), "{text}");
    }
}

#[test]
fn a_raw_path_is_shown_as_it_is_passed_on() {
    for (path, shown) in [("/raw/%61//b", "/raw/%61//b"), ("/raw/../x", "/raw/../x"), ("/cut/%61//b%2f", "/%61//b%2f")]
    {
        let (code, text) = explain(&format!("https://raw.example.com{path}"), "GET", &[]);
        assert_eq!(code, 0, "{text}");
        assert!(text.contains(&format!("  reaches the backend as {shown}\n")), "{text}");
    }
}

#[test]
fn what_is_refused_before_any_rule_is_told_alone() {
    let long = format!("http://api.example.com/users/{}", "a".repeat(9000));
    for (url, method, headers, status) in [
        ("http://api.example.com/users/7", "CONNECT", &[][..], 501),
        (&long, "GET", &[], 414),
        ("/users/7", "GET", &["Host: api.example.com", "Host: api.example.com"], 400),
        ("http://api.example.com/users/7", "GET", &["Host: a b"], 400),
        ("http://api.example.com/users/7", "POST", &["Transfer-Encoding: gzip"], 400),
        ("http://api.example.com/users/7", "GET", &[&format!("X-A: {}", "a".repeat(20_000))], 431),
    ] {
        let (code, text) = explain(url, method, headers);
        let told = text.lines().nth(1).unwrap_or_default();
        assert_eq!((code, text.lines().count()), (1, 2), "{text}");
        let start = format!("  the gateway answers {status} itself, before any rule is looked at: ");
        assert!(told.starts_with(&start), "{told}");
    }
}

#[test]
fn a_rule_whose_backends_cannot_be_used_answers_itself() {
    for (path, told) in [
        ("/none", "  the gateway answers 500 itself: no backend can be used: BackendNotFound"),
        ("/weightless", "  the gateway answers 500 itself: all weights are 0"),
    ] {
        let (code, text) = explain(&format!("https://raw.example.com{path}"), "GET", &[]);
        assert_eq!((code, text.lines().nth(1)), (1, Some(told)), "{text}");
    }
}

#[test]
fn the_json_of_a_refusal_keeps_what_would_have_been() {
    let folder = files();
    let answer = |url: &str, method: &str| -> serde_json::Value {
        let mut out = Vec::new();
        let args = args(folder.path().to_owned(), url, method, &[], OutputForm::Json);
        assert_eq!(run(&args, &mut out), Ok(1));
        serde_json::from_slice(&out).unwrap()
    };
    let refused = answer("http://api.example.com/users/a;b", "GET");
    assert_eq!((&refused["status"], &refused["admitted"]), (&400.into(), &true.into()));
    assert_eq!(refused["winner"]["forwardedPath"], "/users/a;b");
    let unadmitted = answer("http://api.example.com/users/7", "CONNECT");
    assert_eq!((&unadmitted["status"], &unadmitted["admitted"]), (&501.into(), &false.into()));
    assert_eq!((unadmitted.get("winner"), &unadmitted["losers"]), (None, &serde_json::json!([])));
}

#[test]
fn the_json_names_the_same() {
    let folder = files();
    let mut out = Vec::new();
    let args = args(folder.path().to_owned(), "/users/7", "GET", &["Host: API.example.com:80"], OutputForm::Json);
    assert_eq!(run(&args, &mut out), Ok(0));
    let answer: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(answer["request"]["host"], "api.example.com");
    assert_eq!(answer["winner"]["object"], "GatewayRoute default/users");
    assert_eq!(answer["winner"]["backends"][0]["service"], "default/web");
    assert_eq!(answer["winner"]["backends"][1]["invalid"], "BackendNotFound");
    let set = &answer["winner"]["backends"][0]["settings"][1];
    assert_eq!((&set["setting"], set.get("object")), (&"balancing".into(), None));
    assert_eq!(answer["losers"][0]["why"], "Template comes before PathPrefix");
}

#[test]
fn what_cannot_be_read_is_refused() {
    let folder = files();
    let run = |url: &str, headers: &[&str]| {
        let args = args(folder.path().to_owned(), url, "GET", headers, OutputForm::Text);
        super::run(&args, &mut Vec::new()).unwrap_err()
    };
    assert!(run("ftp://a/b", &[]).contains("is no URL"));
    assert!(run("http://a b", &[]).contains("is no URL"));
    assert!(run("http://a/", &["nothing"]).contains("is no header field"));
    fs::write(folder.path().join("b.yaml"), "{").unwrap();
    assert!(run("http://a/", &[]).contains("b.yaml:1: is no YAML"));
}
