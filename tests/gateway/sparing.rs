//! Limiter and breaker: what endpoints are spared.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::harness::{Backend, DEADLINE, Gateway, Reply, eventually, sick, with_policy};

#[tokio::test]
async fn a_full_bucket_passes_its_peak_and_then_its_rate() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::over(&[backend.address()], &with_policy("limiter: {endpoint: {rate: 5, peak: 10}}")).await;
    let passed = gateway.statuses(30).await.into_iter().filter(|status| *status == 200).count();
    assert!((10..=12).contains(&passed), "{passed}");
    let reply: Reply = eventually(DEADLINE, "a request is refused", || async {
        let reply = gateway.get("/").await;
        if reply.status == 429 { Ok(reply) } else { Err(reply.status) }
    })
    .await;
    assert_eq!(
        (reply.field("retry-after"), reply.json()["error"]["code"].as_str()),
        (Some("1"), Some("TooManyRequests"))
    );
    eventually(DEADLINE, "requests pass again, and nothing is stuck", || async {
        let status = gateway.get("/").await.status;
        if status == 200 { Ok(()) } else { Err(status) }
    })
    .await;
    assert!(gateway.metric("paifang_protection_total{rule=\"endpoint_limit\"}").await >= 18.0);
}

#[tokio::test]
async fn each_endpoint_has_a_bucket_of_its_own() {
    let (one, two) = (Backend::echo("one").await, Backend::echo("two").await);
    let gateway =
        Gateway::over(&[one.address(), two.address()], &with_policy("limiter: {endpoint: {rate: 1, peak: 5}}")).await;
    let passed = gateway.statuses(30).await.into_iter().filter(|status| *status == 200).count();
    assert!((10..=14).contains(&passed), "{passed}");
}

#[tokio::test]
async fn a_change_of_the_limit_holds_at_once_for_every_endpoint() {
    let (one, two) = (Backend::echo("one").await, Backend::echo("two").await);
    let gateway =
        Gateway::over(&[one.address(), two.address()], &with_policy("limiter: {endpoint: {rate: 1, peak: 1}}")).await;
    assert!(gateway.statuses(6).await.contains(&429));
    gateway.folder.route("web", &with_policy("limiter: {endpoint: {rate: 1000000, peak: 1000}}"));
    gateway.until("a.example", "/", |reply| reply.status == 200).await;
    assert_eq!(gateway.statuses(20).await, [200; 20]);
}

const BREAKER: &str = "proxy: {retryCount: 0}, breaker: {maxFailures: 3, openTimeout: 500ms, failOn: [ServerError]}";

#[tokio::test]
async fn a_breaker_opens_rests_probes_and_closes() {
    let told = Arc::new(AtomicBool::new(true));
    let backend = sick(&told, |_| true).await;
    let gateway = Gateway::over(&[backend.address()], &with_policy(BREAKER)).await;
    assert_eq!(gateway.statuses(3).await, [503; 3]);
    assert_eq!(backend.seen().len(), 3);
    let refused = gateway.get("/resting").await;
    assert_eq!((refused.status, refused.field("retry-after")), (503, Some("1")));
    assert_eq!(gateway.logged("/resting").await["reason"], "breaker_open");
    assert_eq!(backend.seen().len(), 3, "the endpoint has its rest");
    eventually(DEADLINE, "a probe finds it still sick", || {
        let seen = &backend;
        let gateway = &gateway;
        async move {
            gateway.get("/").await;
            if seen.seen().len() == 4 { Ok(()) } else { Err(seen.seen().len()) }
        }
    })
    .await;
    assert_eq!(gateway.get("/").await.field("x-backend"), None, "and it rests again");
    told.store(false, Ordering::Relaxed);
    eventually(DEADLINE, "a probe closes it", || async {
        let status = gateway.get("/").await.status;
        if status == 200 { Ok(()) } else { Err(status) }
    })
    .await;
    assert_eq!(gateway.statuses(5).await, [200; 5]);
}

#[tokio::test]
async fn requests_pass_by_an_endpoint_whose_breaker_is_open() {
    let told = Arc::new(AtomicBool::new(true));
    let (bad, good) = (sick(&told, |_| true).await, Backend::echo("good").await);
    let spec =
        with_policy("proxy: {retryCount: 0}, breaker: {maxFailures: 3, openTimeout: 60s, failOn: [ServerError]}");
    let gateway = Gateway::over(&[bad.address(), good.address()], &spec).await;
    let failed = gateway.statuses(20).await.into_iter().filter(|status| *status != 200).count();
    assert_eq!((failed, bad.seen().len()), (3, 3));
}

#[tokio::test]
async fn a_breaker_survives_a_swap_of_the_table() {
    let told = Arc::new(AtomicBool::new(true));
    let backend = sick(&told, |_| true).await;
    let spec =
        with_policy("proxy: {retryCount: 0}, breaker: {maxFailures: 3, openTimeout: 60s, failOn: [ServerError]}");
    let gateway = Gateway::over(&[backend.address()], &spec).await;
    assert_eq!(gateway.statuses(3).await, [503; 3]);
    told.store(false, Ordering::Relaxed);
    gateway.folder.route("new", "{hostnames: [new.example], rules: [{backends: [{service: echo}]}]}");
    gateway.until("new.example", "/", |reply| reply.status == 503).await;
    assert_eq!((gateway.statuses(3).await, backend.seen().len()), (vec![503; 3], 3));
    gateway.folder.route("web", &with_policy("proxy: {retryCount: 0}"));
    gateway.until("a.example", "/", |reply| reply.status == 200).await;
}

#[tokio::test]
async fn statuses_count_only_where_the_route_says_so() {
    let backend = sick(&Arc::new(AtomicBool::new(true)), |_| true).await;
    let gateway = Gateway::over(&[backend.address()], &with_policy("breaker: {maxFailures: 1}")).await;
    assert_eq!(gateway.statuses(5).await, [503; 5]);
    assert_eq!(backend.seen().len(), 5);
}

#[tokio::test]
async fn clients_that_go_away_do_not_wedge_a_breaker() {
    let told = Arc::new(AtomicBool::new(true));
    let backend = sick(&told, |_| true).await;
    let spec =
        with_policy("proxy: {retryCount: 0}, breaker: {maxFailures: 1, openTimeout: 100ms, failOn: [ServerError]}");
    let gateway = Gateway::over(&[backend.address()], &spec).await;
    assert_eq!(gateway.get("/").await.status, 503);
    told.store(false, Ordering::Relaxed);
    for _ in 0..5 {
        let mut wire = gateway.open().await;
        wire.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nhalf").await;
        drop(wire);
    }
    eventually(DEADLINE, "the breaker closes", || async {
        let status = gateway.get("/").await.status;
        if status == 200 { Ok(()) } else { Err(status) }
    })
    .await;
}
