//! The published CRD, as a real API server takes it: rules, enums, limits, defaults.

use serde_json::{Value, json};
use std::{collections::BTreeSet, fs};

use crate::harness::{Cluster, Release, objects::route};

const CRD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crds/gatewayroutes.paifang.dev.yaml");

#[tokio::test]
async fn crd_is_accepted_and_established() {
    let cluster = Cluster::start().await;

    cluster.kubectl(&["apply", "--server-side", "-f", CRD]).await;

    cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=20s", "-f", CRD]).await;
    let conditions = r#"jsonpath={range .status.conditions[?(@.status=="True")]}{.type} {end}"#;
    let holding = cluster.kubectl(&["get", "-f", CRD, "-o", conditions]).await;
    // A schema that is not structural would be told of by one more condition.
    assert_eq!(holding.split_whitespace().collect::<BTreeSet<_>>(), ["Established", "NamesAccepted"].into());
}

#[tokio::test]
async fn every_rule_takes_the_good_and_refuses_the_bad() {
    Release::shared().await;
    let objects = Cluster::shared().await.scratch("rules").await;
    let mut told = String::new();
    for (name, good, bad, message) in rule_cases() {
        let taken = objects.try_out(&route("good", good)).await;
        taken.unwrap_or_else(|refusal| panic!("{name}: the good object is refused: {refusal}"));
        let refusal = objects.try_out(&route("bad", bad)).await.expect_err(name);
        assert!(refusal.contains(message), "{name}: {refusal}");
        assert!(refusal.contains(&format!("{name}:")), "the refusal must name {name}: {refusal}");
        told.push_str(&refusal);
    }
    let silent: Vec<_> = rule_messages().into_iter().filter(|message| !told.contains(message)).collect();
    assert_eq!(silent, Vec::<String>::new(), "rules that no case here breaks");
}

/// The field that the refusal names, a good spec, a bad one, and words of the refusal.
type Case = (&'static str, Value, Value, &'static str);

fn rule_cases() -> Vec<Case> {
    [route_cases(), call_cases(), path_cases(), traffic_cases(), health_cases()].concat()
}

/// What a route is made of.
fn route_cases() -> Vec<Case> {
    let rules = || json!([rule(json!({}))]);
    let policy = || json!({"service": "a"});
    let twice = |second: &str| json!({"rules": [rule(json!({"name": "a"})), rule(json!({"name": second}))]});
    vec![
        ("spec", json!({"rules": rules()}), json!({"rules": rules(), "policyFor": policy()}), "set exactly one of"),
        ("spec", json!({"policyFor": policy()}), json!({}), "set exactly one of rules"),
        ("spec.rules", twice("b"), twice("a"), "two rules have the same name"),
        (
            "spec.hostnames",
            json!({"rules": rules(), "hostnames": ["a.example"]}),
            json!({"policyFor": policy(), "hostnames": ["a.example"]}),
            "hostnames cannot be set together with policyFor",
        ),
        (
            "spec.tls",
            json!({"rules": rules(), "tls": {"secretName": "a"}}),
            json!({"policyFor": policy(), "tls": {"secretName": "a"}}),
            "tls cannot be set together with policyFor",
        ),
        (
            "spec.proxy.trimPrefix",
            json!({"policyFor": policy(), "proxy": {"dialTimeout": "1s"}}),
            json!({"policyFor": policy(), "proxy": {"trimPrefix": true}}),
            "proxy.trimPrefix belongs to a route with rules",
        ),
        (
            "spec.proxy.tls",
            json!({"policyFor": policy(), "proxy": {"scheme": "Https", "tls": {"caSecret": {"name": "a"}}}}),
            json!({"policyFor": policy(), "proxy": {"scheme": "Http", "tls": {"caSecret": {"name": "a"}}}}),
            "proxy.tls needs proxy.scheme Https",
        ),
        (
            "spec.proxy.tls.caSecret",
            json!({"policyFor": policy(), "proxy": {"tls": {"insecureSkipVerify": true}}}),
            json!({"policyFor": policy(), "proxy": {"tls": {"caSecret": {"name": "a"}, "insecureSkipVerify": true}}}),
            "caSecret has no effect together with insecureSkipVerify",
        ),
        (
            "spec.tls.secretNamespace",
            json!({"rules": rules(), "tls": {"secretName": "a", "secretNamespace": "b"}}),
            json!({"rules": rules(), "tls": {"secretNamespace": "b"}}),
            "tls.secretNamespace needs tls.secretName",
        ),
        (
            "spec.rules[0].backends",
            json!({"rules": rules()}),
            json!({"rules": [{"name": "a"}]}),
            "backends must name at least one Service, unless a resolver is set",
        ),
    ]
}

/// Calls of methods.
fn call_cases() -> Vec<Case> {
    let resolver = |more: Value| json!({"rules": [{"resolver": {}, "handler": more}]});
    vec![
        (
            "spec.rules[0].resolver",
            json!({"rules": [{"resolver": {"type": "Grpc", "namespace": ""}}]}),
            one(json!({"resolver": {}})),
            "set exactly one of backends (the Services that requests go to) and resolver",
        ),
        (
            "spec.rules[0].handler.type",
            one(json!({"handler": {"type": "Rpc"}})),
            one(json!({"handler": {"type": "Event"}})),
            "handler.type is not available in this version: use Http, Web, Rpc, Api or Registry",
        ),
        (
            "spec.rules[0].handler",
            json!({"rules": [{"handler": {"type": "Registry"}}]}),
            one(json!({"handler": {"type": "Registry"}})),
            "handler Registry answers requests itself: leave out backends, resolver and mirror",
        ),
        (
            "spec.rules[0].handler.rpc",
            one(json!({"handler": {"type": "Rpc", "rpc": {"service": "go.micro.api.a", "method": "Say.Hello"}}})),
            one(json!({"handler": {"type": "Api", "rpc": {}}})),
            "handler.rpc needs handler.type Rpc",
        ),
        (
            "spec.rules[0].handler.api",
            one(json!({"handler": {"type": "Api", "api": {"method": "/fixture.Say/Hello"}}})),
            resolver(json!({"api": {}})),
            "handler.api needs handler.type Api",
        ),
        (
            "spec.rules[0].handler",
            resolver(json!({"type": "Rpc", "rpc": {"method": "Say.Hello"}})),
            resolver(json!({"type": "Rpc", "rpc": {"service": "a"}})),
            "the service of a call belongs to a rule with backends",
        ),
    ]
}

/// Paths.
fn path_cases() -> Vec<Case> {
    let path = |type_: &str, value: &str| one(json!({"matches": [{"path": {"type": type_, "value": value}}]}));
    let value = "spec.rules[0].matches[0].path.value";
    vec![
        (value, path("Exact", "/a"), path("Exact", "a"), "path.value must start with a slash"),
        (value, path("PathPrefix", "/a/"), path("PathPrefix", "/a//b"), "path.value must not contain empty segments"),
        (value, path("Exact", "/a%3Fb"), path("Exact", "/a?b"), "path.value must not contain a query"),
        (value, path("Exact", "/a.b"), path("Exact", "/a;b"), "path.value must not contain a query"),
        (value, path("Exact", "/a|b"), path("Exact", "/a\\b"), "path.value must not contain a query"),
        (value, path("Exact", "/a/...b"), path("Exact", "/a/../b"), "path.value must not contain dot segments"),
        (value, path("Template", "/a/{id}"), path("Exact", "/a/{id}"), "set path.type to Template"),
        (value, path("RegularExpression", "[a-z]*"), path("PathPrefix", "/*"), "set path.type to Template"),
    ]
}

/// Balancing and limits.
fn traffic_cases() -> Vec<Case> {
    let rules = || json!([rule(json!({}))]);
    let policy = || json!({"service": "a"});
    vec![
        (
            "spec.balancing.hashOn",
            json!({"policyFor": policy(), "balancing": {"strategy": "Hash", "hashOn": {}}}),
            json!({"policyFor": policy(), "balancing": {"hashOn": {}}}),
            "balancing.hashOn needs balancing.strategy Hash",
        ),
        (
            "spec.balancing.hashBalanceFactor",
            json!({"policyFor": policy(), "balancing": {"strategy": "Hash", "hashBalanceFactor": 100}}),
            json!({"policyFor": policy(), "balancing": {"strategy": "LessLoad", "hashBalanceFactor": 100}}),
            "balancing.hashBalanceFactor needs balancing.strategy Hash",
        ),
        (
            "spec.balancing.hashOn.name",
            json!({"policyFor": policy(), "balancing": {"strategy": "Hash", "hashOn": {"type": "Cookie", "name": "a"}}}),
            json!({"policyFor": policy(), "balancing": {"strategy": "Hash", "hashOn": {"type": "Cookie"}}}),
            "balancing.hashOn.name belongs to the types Header, Cookie and QueryParam",
        ),
        (
            "spec.limiter.requests",
            json!({"rules": rules(), "limiter": {"requests": [{"rate": 1, "name": "a"}, {"rate": 1}, {"rate": 1}]}}),
            json!({"rules": rules(), "limiter": {"requests": [{"rate": 1, "name": "a"}, {"rate": 2, "name": "a"}]}}),
            "limiter.requests: two limits have the same name",
        ),
        (
            "spec.limiter.requests",
            json!({"policyFor": policy(), "limiter": {"endpoint": {"rate": 1, "peak": 1}}}),
            json!({"policyFor": policy(), "limiter": {"requests": [{"rate": 1}]}}),
            "limiter.requests belongs to a route with rules, not to policyFor",
        ),
        (
            "spec.limiter.requests[0].key.name",
            json!({"rules": rules(), "limiter": {"requests": [{"rate": 1, "key": {"type": "Header", "name": "a"}}]}}),
            json!({"rules": rules(), "limiter": {"requests": [{"rate": 1, "key": {"type": "Header"}}]}}),
            "limiter.requests: key.name belongs to the types Header and PathCapture, and they need it",
        ),
    ]
}

/// What tells whether endpoints are well.
fn health_cases() -> Vec<Case> {
    let policy = || json!({"service": "a"});
    let check = |check: Value| json!({"policyFor": policy(), "healthCheck": check});
    vec![
        (
            "spec.outlierEjection.ejectionTime",
            json!({"policyFor": policy(), "outlierEjection": {"ejectionTime": "100ms"}}),
            json!({"policyFor": policy(), "outlierEjection": {"ejectionTime": "99ms"}}),
            "outlierEjection.ejectionTime must be at least 100ms",
        ),
        (
            "spec.healthCheck.statuses",
            check(json!({"path": "/a", "statuses": ["200"]})),
            check(json!({"statuses": ["200"]})),
            "healthCheck.statuses needs healthCheck.path",
        ),
        (
            "spec.healthCheck.statuses",
            check(json!({"path": "/a", "statuses": ["204", "200-200", "300-399"]})),
            check(json!({"path": "/a", "statuses": ["204", "399-300"]})),
            "a range of healthCheck.statuses must not end before it begins",
        ),
        (
            "spec.healthCheck.host",
            check(json!({"path": "/a", "host": "a.example"})),
            check(json!({"host": "a.example"})),
            "healthCheck.host needs healthCheck.path",
        ),
        (
            "spec.healthCheck.grpc",
            check(json!({"grpc": {"service": "shop.Cart"}, "port": 9000})),
            check(json!({"grpc": {}, "path": "/a"})),
            "healthCheck has path or grpc, not both",
        ),
        (
            "spec.healthCheck.interval",
            check(json!({"interval": "100ms"})),
            check(json!({"interval": "0s"})),
            "healthCheck.interval must be at least 100ms",
        ),
        (
            "spec.healthCheck.timeout",
            check(json!({"timeout": "1ms"})),
            check(json!({"timeout": "0s"})),
            "healthCheck.timeout must not be 0",
        ),
    ]
}

#[tokio::test]
async fn enums_patterns_and_limits_hold() {
    Release::shared().await;
    let objects = Cluster::shared().await.scratch("limits").await;
    for (field, bad, message) in limit_cases().into_iter().chain(limiter_cases()) {
        let refusal = objects.try_out(&route("bad", bad)).await.expect_err(field);
        assert!(refusal.contains(message), "{field}: {refusal}");
        assert!(refusal.contains(field), "the refusal must name {field}: {refusal}");
    }
}

/// The same for limits on requests.
fn limiter_cases() -> Vec<(&'static str, Value, &'static str)> {
    let with = |field: &str, value: Value| json!({"rules": [rule(json!({}))], field: value});
    vec![
        (
            "spec.limiter.requests",
            with("limiter", json!({"requests": vec![json!({"rate": 1}); 9]})),
            "must have at most 8 items",
        ),
        (
            "spec.limiter.requests[0].rate",
            with("limiter", json!({"requests": [{"rate": 1_000_001}]})),
            "less than or equal to 1000000",
        ),
        ("spec.limiter.requests[0].rate", with("limiter", json!({"requests": [{}]})), "Required value"),
        (
            "spec.limiter.requests[0].per",
            with("limiter", json!({"requests": [{"rate": 1, "per": "Week"}]})),
            "Unsupported value",
        ),
    ]
}

/// The field, a spec that breaks its limit, and words of the refusal.
fn limit_cases() -> Vec<(&'static str, Value, &'static str)> {
    let with = |field: &str, value: Value| json!({"rules": [rule(json!({}))], field: value});
    let backend = |field: &str, value: Value| one(json!({"backends": [{"service": "a", field: value}]}));
    let hosts: Vec<_> = (0..17).map(|host| format!("h{host}.example")).collect();
    let rules = vec![rule(json!({})); 17];
    vec![
        ("spec.className", with("className", json!("Not A Class")), "should match"),
        ("spec.hostnames", with("hostnames", json!(hosts)), "must have at most 16 items"),
        ("spec.hostnames[0]", with("hostnames", json!(["a.example:80"])), "should match"),
        ("spec.hostnames[0]", with("hostnames", json!(["a.*.example"])), "should match"),
        ("spec.hostnames[1]", with("hostnames", json!(["a.example", "a.example"])), "Duplicate value"),
        ("spec.rules", json!({"rules": []}), "should have at least 1 items"),
        ("spec.rules", json!({"rules": rules}), "must have at most 16 items"),
        ("spec.proxy.dialTimeout", with("proxy", json!({"dialTimeout": "5 seconds"})), "should match"),
        ("spec.balancing.strategy", with("balancing", json!({"strategy": "Best"})), "Unsupported value"),
        (
            "spec.tls.hsts.maxAgeSeconds",
            with("tls", json!({"hsts": {"maxAgeSeconds": -1}})),
            "greater than or equal to 0",
        ),
        (
            "spec.tls.clientValidation.mode",
            with("tls", json!({"clientValidation": {"caSecret": {"name": "a"}, "mode": "Perhaps"}})),
            "Unsupported value",
        ),
        ("spec.tls.clientValidation.caSecret", with("tls", json!({"clientValidation": {}})), "Required value"),
        ("spec.rules[0].pathSafety", one(json!({"pathSafety": "Loose"})), "Unsupported value"),
        ("spec.rules[0].resolver.type", json!({"rules": [{"resolver": {"type": "micro"}}]}), "Unsupported value"),
        ("spec.rules[0].resolver.namespace", json!({"rules": [{"resolver": {"namespace": "a b"}}]}), "should match"),
        (
            "spec.rules[0].handler.rpc.method",
            one(json!({"handler": {"type": "Rpc", "rpc": {"method": "Hello"}}})),
            "should match",
        ),
        ("spec.rules[0].name", one(json!({"name": "Not A Name"})), "should match"),
        ("spec.rules[0].matches[0].methods[0]", one(json!({"matches": [{"methods": ["get"]}]})), "should match"),
        (
            "spec.rules[0].matches[0].headers[1]",
            one(json!({"matches": [{"headers": [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]}]})),
            "Duplicate value",
        ),
        ("spec.rules[0].backends", one(json!({"backends": []})), "should have at least 1 items"),
        ("spec.rules[0].backends[0].service", one(json!({"backends": [{}]})), "Required value"),
        ("spec.rules[0].backends[0].port", backend("port", json!(0)), "greater than or equal to 1"),
        ("spec.rules[0].backends[0].port", backend("port", json!("Not A Port")), "should match"),
        ("spec.rules[0].backends[0].weight", backend("weight", json!(-1)), "greater than or equal to 0"),
    ]
}

#[tokio::test]
async fn defaults_are_filled_in() {
    Release::shared().await;
    let objects = Cluster::shared().await.scratch("defaults").await;
    let spec = one(json!({
        "matches": [{"path": {"value": "/a"}, "headers": [{"name": "a", "value": "1"}]}],
        "handler": {},
    }));
    let resolving = json!({"rules": [{"resolver": {}}]});

    let created = objects.try_out(&route("small", spec)).await.expect("a small route must be accepted");

    let spec = &created.data["spec"];
    let rule = &spec["rules"][0];
    assert_eq!(spec["className"], "paifang");
    assert_eq!(rule["matches"][0]["path"]["type"], "PathPrefix");
    assert_eq!(rule["matches"][0]["headers"][0]["type"], "Exact");
    // It depends on the rule, so that it is not written into it.
    assert_eq!(rule["handler"]["type"], Value::Null);
    let created = objects.try_out(&route("resolving", resolving)).await.expect("a resolver must be accepted");
    assert_eq!(created.data["spec"]["rules"][0]["resolver"], json!({"type": "Micro", "namespace": "go.micro.api"}));
}

#[tokio::test]
async fn unknown_fields_are_told_of() {
    Release::shared().await;
    let objects = Cluster::shared().await.scratch("unknown").await;
    let object = route("typo", one(json!({"backend": []}))).to_string();
    let cluster = Cluster::shared().await;
    let file = cluster.scratch_file("typo.json", &object);
    let file = file.to_str().expect("the path must be UTF-8");

    let refusal = cluster.kubectl_refused(&["apply", "-n", objects.namespace(), "-f", file]).await;

    assert!(refusal.contains("unknown field \"spec.rules[0].backend\""), "{refusal}");
}

/// A rule that is good but for the fields in `more`.
fn rule(more: Value) -> Value {
    let mut rule = json!({"backends": [{"service": "a", "port": 80}]});
    for (field, value) in more.as_object().into_iter().flatten() {
        rule[field] = value.clone();
    }
    rule
}

/// A spec with that one rule.
fn one(more: Value) -> Value {
    json!({"rules": [rule(more)]})
}

/// The messages of all CEL rules in the published file.
fn rule_messages() -> Vec<String> {
    fn collect(schema: &Value, found: &mut Vec<String>) {
        let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
        found.extend(rules.filter_map(|rule| rule["message"].as_str()).map(str::to_owned));
        schema["properties"].as_object().into_iter().flatten().for_each(|(_, property)| collect(property, found));
        if schema["items"].is_object() {
            collect(&schema["items"], found);
        }
    }
    let text = fs::read_to_string(CRD).expect("the CRD must be readable");
    let crd: Value = serde_saphyr::from_str(&text).expect("the CRD must be YAML");
    let mut found = Vec::new();
    collect(&crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"], &mut found);
    assert!(found.len() > 10, "the rules must be found: {found:?}");
    found
}
