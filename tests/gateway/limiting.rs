//! Limits on the requests of a route: how many pass, of whom, and what clients are told.

use http_body_util::Full;
use hyper::Response;

use crate::harness::{Backend, DEADLINE, Folder, Gateway, Reply, eventually, get, request};

/// A route with these limits, whose paths are `/` and `/t/{tenant}/...`.
fn with(requests: &str) -> String {
    let rules = "rules: [{matches: [{path: {value: /}}, {path: {type: Template, value: \"/t/{tenant}/**\"}}], \
                 backends: [{service: echo}]}]";
    format!("{{limiter: {{requests: [{requests}]}}, {rules}}}")
}

async fn over(backend: &Backend, requests: &str) -> Gateway {
    Gateway::start(Folder::with(backend.address(), &with(requests))).await
}

/// How many of so many requests pass, one after the other, over connections that all cores share.
async fn passed(gateway: &Gateway, request: &str, count: usize) -> usize {
    let mut wires = Vec::new();
    for _ in 0..4 {
        wires.push(gateway.open().await);
    }
    let mut passed = 0;
    for number in 0..count {
        let status = wires[number % 4].ask(request).await.status;
        assert!(matches!(status, 200 | 429), "{status}");
        passed += usize::from(status == 200);
    }
    passed
}

/// A request with one more field.
fn with_field(field: &str) -> String {
    request("GET /", &["Host: a.example", field], "")
}

fn told(reply: &Reply) -> (u16, Option<&str>, Option<&str>, Option<&str>) {
    (reply.status, reply.field("ratelimit-policy"), reply.field("ratelimit"), reply.field("retry-after"))
}

#[tokio::test]
async fn a_route_passes_its_limit_on_all_cores_together_and_no_more() {
    let backend = Backend::echo("echo").await;
    let gateway = over(&backend, "{rate: 7, per: Day}").await;
    assert_eq!(passed(&gateway, &get("a.example", "/"), 20).await, 7);
    assert_eq!(backend.seen().len(), 7);
    assert_eq!(gateway.metric("paifang_protection_total{rule=\"request_limit\"}").await, 13.0);
    assert_eq!(gateway.metric("paifang_protection_total{rule=\"request_limit_keys\"}").await, 0.0);
    gateway.get("/late").await;
    let line = gateway.logged("/late").await;
    assert_eq!((&line["status"], &line["reason"]), (&429.into(), &"rate_limited".into()));
}

#[tokio::test]
async fn requests_at_the_same_moment_pass_to_the_very_number() {
    let backend = Backend::echo("echo").await;
    let gateway = over(&backend, "{rate: 40, per: Day}").await;
    let clients = futures_util::future::join_all((0..8).map(|_| async {
        let mut wire = gateway.open().await;
        let mut passed = 0;
        for _ in 0..25 {
            passed += usize::from(wire.ask(get("a.example", "/")).await.status == 200);
        }
        passed
    }));
    assert_eq!(clients.await.into_iter().sum::<usize>(), 40);
    assert_eq!(backend.seen().len(), 40);
}

#[tokio::test]
async fn every_answer_tells_what_is_left() {
    let backend = Backend::echo("echo").await;
    let gateway = over(&backend, "{name: hourly, rate: 2, per: Hour}").await;
    let policy = Some("\"hourly\";q=2;w=3600");
    assert_eq!(told(&gateway.get("/").await), (200, policy, Some("\"hourly\";r=1;t=1800"), None));
    let second = gateway.get("/").await;
    assert!(
        matches!(told(&second), (200, told, Some(left), None) if told == policy && left.starts_with("\"hourly\";r=0;t=3"))
    );
    let third = gateway.get("/").await;
    assert_eq!((third.status, third.field("ratelimit-policy")), (429, policy));
    assert!(third.field("ratelimit").is_some_and(|left| left.starts_with("\"hourly\";r=0;t=3")), "{third:?}");
    let wait: u64 =
        third.field("retry-after").and_then(|wait| wait.parse().ok()).expect("it must say when to come back");
    assert!((1790..=1800).contains(&wait), "{wait}");
    assert_eq!(third.json()["error"]["code"], "TooManyRequests");
}

#[tokio::test]
async fn a_bucket_fills_at_its_rate() {
    let backend = Backend::echo("echo").await;
    let gateway = over(&backend, "{rate: 4, burst: 2}").await;
    for wanted in [200, 429, 200, 429, 200] {
        let reply = eventually(DEADLINE, &format!("the answer is {wanted}"), || async {
            let reply = gateway.get("/").await;
            if reply.status == wanted { Ok(reply) } else { Err(reply.status) }
        })
        .await;
        assert_eq!(reply.field("ratelimit-policy"), Some("\"limit-1\";q=2;w=1"));
    }
}

#[tokio::test]
async fn clients_are_counted_apart_by_the_address_that_trusted_proxies_tell() {
    let backend = Backend::echo("echo").await;
    let folder = Folder::with(backend.address(), &with("{rate: 3, per: Day, key: {}}"));
    let gateway = Gateway::start_with(folder, &["--trusted-proxies", "127.0.0.1"]).await;
    let from = |address: &str| with_field(&format!("X-Forwarded-For: {address}"));
    assert_eq!(passed(&gateway, &from("192.0.2.1"), 5).await, 3);
    assert_eq!(passed(&gateway, &from("192.0.2.2"), 5).await, 3);
    assert_eq!(passed(&gateway, &from("2001:db8:0:1::1"), 2).await, 2);
    assert_eq!(passed(&gateway, &from("2001:db8:0:1:ffff::2"), 5).await, 1, "a client has a network of addresses");
    assert_eq!(passed(&gateway, &from("2001:db8:0:2::1"), 5).await, 3);
}

#[tokio::test]
async fn a_client_that_nobody_vouches_for_cannot_choose_its_address() {
    let backend = Backend::echo("echo").await;
    let gateway = over(&backend, "{rate: 3, per: Day, key: {type: ClientAddress}}").await;
    let mut passed = 0;
    for number in 0..9 {
        let spellings = ["X-Forwarded-For", "X_Forwarded_For", "Forwarded", "X-Real-IP"];
        let field = format!("{}: 192.0.2.{number}", spellings[number % 4]);
        passed += usize::from(gateway.ask(with_field(&field)).await.status == 200);
    }
    assert_eq!(passed, 3);
}

#[tokio::test]
async fn values_of_a_header_are_counted_apart_and_requests_without_it_by_client() {
    let backend = Backend::echo("echo").await;
    let gateway = over(&backend, "{rate: 3, per: Day, key: {type: Header, name: X-Api-Key}}").await;
    for key in ["X-Api-Key: one", "x-api-key: two"] {
        assert_eq!(passed(&gateway, &with_field(key), 5).await, 3, "{key}");
    }
    assert_eq!(passed(&gateway, &get("a.example", "/"), 5).await, 3);
    assert_eq!(passed(&gateway, &with_field("X-Api-Key: one"), 2).await, 0);
}

#[tokio::test]
async fn variables_of_a_path_are_counted_apart_however_they_are_spelt() {
    let backend = Backend::echo("echo").await;
    let gateway = over(&backend, "{rate: 3, per: Day, key: {type: PathCapture, name: tenant}}").await;
    assert_eq!(passed(&gateway, &get("a.example", "/t/shop/a"), 2).await, 2);
    assert_eq!(passed(&gateway, &get("a.example", "/t/%73hop//b?x=1"), 5).await, 1);
    assert_eq!(passed(&gateway, &get("a.example", "/t/cart/a"), 5).await, 3);
    assert_eq!(passed(&gateway, &get("a.example", "/elsewhere"), 5).await, 3, "without the variable: by client");
}

#[tokio::test]
async fn a_request_counts_for_all_limits_or_for_none() {
    let backend = Backend::echo("echo").await;
    let limits = "{name: all, rate: 10, per: Day}, {name: key, rate: 2, per: Day, key: {type: Header, name: X-Key}}";
    let gateway = over(&backend, limits).await;
    let first = gateway.ask(with_field("X-Key: a")).await;
    assert_eq!(first.field("ratelimit-policy"), Some("\"all\";q=10;w=86400, \"key\";q=2;w=86400"));
    assert_eq!(first.field("ratelimit"), Some("\"all\";r=9;t=8640, \"key\";r=1;t=43200"));
    assert_eq!(passed(&gateway, &with_field("X-Key: a"), 20).await, 1);
    let refused = gateway.ask(with_field("X-Key: a")).await;
    let left = refused.field("ratelimit").expect("the limit that refuses must be told");
    assert!(left.starts_with("\"key\";r=0;t="), "{left}");
    assert_eq!(passed(&gateway, &with_field("X-Key: b"), 20).await, 2);
    let mut others = 0;
    for number in 0..20 {
        others += passed(&gateway, &with_field(&format!("X-Key: c{number}")), 1).await;
    }
    assert_eq!(others, 6, "the refused ones have not counted for the whole route");
}

#[tokio::test]
async fn a_limit_survives_a_swap_of_the_table_and_a_change_of_it_holds_at_once() {
    let backend = Backend::echo("echo").await;
    let gateway = over(&backend, "{rate: 3, per: Day}").await;
    assert_eq!(passed(&gateway, &get("a.example", "/"), 5).await, 3);
    gateway.folder.route("new", "{hostnames: [new.example], rules: [{backends: [{service: echo}]}]}");
    gateway.until("new.example", "/", |reply| reply.status == 200).await;
    assert_eq!(passed(&gateway, &get("a.example", "/"), 5).await, 0);
    assert_eq!(told(&gateway.ask(get("new.example", "/")).await), (200, None, None, None), "it has no limits");
    gateway.folder.route("web", &with("{rate: 1000000, burst: 1000}"));
    gateway.until("a.example", "/", |reply| reply.status == 200).await;
    assert_eq!(passed(&gateway, &get("a.example", "/"), 20).await, 20);
}

#[tokio::test]
async fn requests_that_the_gateway_refuses_anyhow_do_not_count() {
    let backend = Backend::echo("echo").await;
    let gateway = over(&backend, "{rate: 2, per: Day}").await;
    for target in ["/a/..;/b", "/%2e%2e%2fb", "/a%00b"] {
        assert_eq!(gateway.get(target).await.status, 400, "{target}");
    }
    assert_eq!(passed(&gateway, &get("a.example", "/"), 5).await, 2);
}

#[tokio::test]
async fn a_limit_says_nothing_about_health() {
    let backend = Backend::echo("echo").await;
    let spec = with("{rate: 2, per: Day}").replacen('{', "{breaker: {maxFailures: 1, failOn: [ServerError]}, ", 1);
    let folder = Folder::with(backend.address(), &spec);
    folder.route("free", "{hostnames: [free.example], rules: [{backends: [{service: echo}]}]}");
    let gateway = Gateway::start(folder).await;
    assert_eq!(passed(&gateway, &get("a.example", "/"), 9).await, 2);
    assert_eq!(passed(&gateway, &get("free.example", "/"), 9).await, 9);
}

#[tokio::test]
async fn what_an_endpoint_says_of_its_own_limits_stays() {
    let backend = Backend::answering(|_| {
        let mut response = Response::new(Full::from("hello"));
        response.headers_mut().insert("ratelimit", "\"inner\";r=5;t=9".parse().expect("the value must be one"));
        response
    })
    .await;
    let gateway = over(&backend, "{rate: 2, per: Hour}").await;
    let reply = gateway.get("/").await;
    assert_eq!(reply.head.all("ratelimit"), ["\"inner\";r=5;t=9", "\"limit-1\";r=1;t=1800"]);
}

#[tokio::test]
async fn without_a_store_each_replica_counts_for_itself() {
    let backend = Backend::echo("echo").await;
    let gateway = over(&backend, "{rate: 3, per: Day, scope: Cluster}").await;
    assert_eq!(passed(&gateway, &get("a.example", "/"), 9).await, 3);
}

#[tokio::test]
async fn many_clients_take_no_more_memory_than_the_first_ones() {
    const CLIENTS: usize = 8_000;
    let backend = Backend::echo("echo").await;
    let gateway = over(&backend, "{rate: 1, per: Day, key: {type: Header, name: X-Key}}").await;
    let mut wire = gateway.open().await;
    let mut ask = async |from: usize, to: usize| {
        for number in from..to {
            assert_eq!(wire.ask(with_field(&format!("X-Key: {number}"))).await.status, 200);
        }
    };
    ask(0, 2_000).await;
    let before = gateway.resident();
    ask(2_000, CLIENTS).await;
    let grown = gateway.resident().saturating_sub(before);
    assert!(grown < 4 << 20, "{grown} bytes for {CLIENTS} clients");
}
