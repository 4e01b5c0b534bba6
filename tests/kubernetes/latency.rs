//! How fast changes arrive, and that none of them costs a request. These tests measure, so they
//! run after the others and one by one.

use serde_json::json;
use std::time::{Duration, Instant};

use crate::harness::{
    Backend, Cluster, Load, Objects, Release, Switch, expect, http,
    objects::{route, to_service},
};

const ROUTES: usize = 100;
/// The aim is 20 ms. A machine that is busy otherwise must not fail the test for that.
const SLOWEST: Duration = Duration::from_millis(250);
const REQUESTS: u64 = 20_000;

#[tokio::test]
async fn new_routes_are_served_within_milliseconds() {
    let (_, gateway) = Release::shared().await;
    let objects = Cluster::shared().await.scratch("latency").await;
    let _backend = Backend::start(&objects, "greeter", 1).await;
    let proxy = gateway.address("http");
    let mut times = Vec::with_capacity(ROUTES);
    for number in 0..ROUTES {
        let host = format!("h{number}.latency.example");
        let route = route(&format!("h{number}"), to_service(&host, "greeter"));
        objects.create(&route).await.expect("a route must be accepted");
        let answered = Instant::now();
        while http::get(proxy, &host, "/").await.status != 200 {
            assert!(answered.elapsed() < SLOWEST * 10, "{host} is not served");
        }
        times.push(answered.elapsed());
    }

    times.sort();
    // By nearest rank: this share of the times is at most the value.
    let (p50, p99) = (times[ROUTES / 2 - 1], times[ROUTES * 99 / 100 - 1]);
    println!("latency: p50 {:.1} ms p99 {:.1} ms over {ROUTES} routes", millis(p50), millis(p99));
    assert!(p99 < SLOWEST, "{times:?}");
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[tokio::test]
async fn edits_cost_no_request() {
    let (_, gateway) = Release::shared().await;
    let objects = Cluster::shared().await.scratch("edits").await;
    let backend = Backend::start(&objects, "greeter", 3).await;
    let host = "edits.example";
    objects.route("greet", without_retries(host)).await;
    objects.served("greet").await;
    let began = Instant::now();
    let load = Load::start(gateway.address("http"), host, 8, Duration::ZERO);

    let mut edits = 0_usize;
    while load.sent() < REQUESTS {
        edit(&objects, &backend, host, edits).await;
        edits += 1;
    }

    let (sent, failures) = load.finish().await;
    println!(
        "edits: {} of {sent} requests failed, without retries and at {:.0} a second, while a route was edited {} times \
         and its endpoints were replaced {} times",
        failures.len(),
        sent as f64 / began.elapsed().as_secs_f64(),
        edits / 2,
        edits.div_ceil(2)
    );
    assert_eq!(failures, Vec::<String>::new());
    assert!(edits > 20, "{edits} edits are too few to prove anything");
}

/// Nothing is to be lost in the first place.
fn without_retries(host: &str) -> serde_json::Value {
    let mut spec = to_service(host, "greeter");
    spec["proxy"] = json!({"retryCount": 0});
    spec
}

/// Every edit leaves something to answer: pods come and go as a rollout moves them, and the route
/// gets further rules, timeouts and hosts.
async fn edit(objects: &Objects, backend: &Backend, host: &str, number: usize) {
    let ready = json!({"ready": true});
    let leaving = json!({"ready": false, "serving": true, "terminating": true});
    let mut spec = without_retries(host);
    match number % 4 {
        0 => backend.publish(&[(0, ready.clone()), (1, leaving)]).await,
        1 => backend.publish(&[(2, ready)]).await,
        2 => {
            spec["proxy"]["requestTimeout"] = json!("30s");
            spec["hostnames"] = json!([host, format!("h{number}.edits.example")]);
            objects.route("greet", spec).await;
        }
        _ => {
            let rule = json!({"matches": [{"path": {"value": "/"}}], "backends": [{"service": "greeter"}]});
            spec["rules"] = json!([rule]);
            objects.route("greet", spec).await;
        }
    }
}

#[tokio::test]
async fn chart_upgrade_under_load_loses_no_request() {
    let release = Release::of_own_class("upgrade", &["drain.delay=1"]).await;
    let objects = release.objects().await;
    let _backend = Backend::start(&objects, "greeter", 2).await;
    let host = "upgrade.example";
    let mut spec = to_service(host, "greeter");
    spec["className"] = json!(release.namespace());
    objects.route("greet", spec).await;
    let mut old = release.start("paifang-0", &[]).await;
    old.ready().await;
    expect::pod(old.address("http"), host, "greeter-0").await;
    let switch = Switch::to(old.address("http")).await;
    let load = Load::start(switch.address(), host, 8, Duration::from_millis(1));
    load.another(500).await;

    release.upgrade(&["limits.maxHeaders=64"]).await;
    let mut new = release.start("paifang-1", &[]).await;
    new.ready().await;
    let ending = tokio::spawn(old.terminate(Duration::from_secs(60)));
    // A load balancer notices while the old gateway still accepts: that is what the delay is for.
    load.another(100).await;
    switch.turn(new.address("http"));
    let (status, log) = ending.await.expect("the old gateway must end");
    load.another(500).await;

    let (sent, failures) = load.finish().await;
    println!("upgrade: {} of {sent} requests lost", failures.len());
    assert!(status.success(), "{status}:\n{log}");
    assert_eq!(failures, Vec::<String>::new());
}
