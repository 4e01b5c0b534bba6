//! Tries at another endpoint, and what is never tried again.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http_body_util::Full;
use hyper::{Response, StatusCode};

use crate::harness::{Backend, Gateway, Script, Wire, get, nobody, request};

/// An endpoint that takes requests and hangs up on each.
async fn hangs_up() -> (Script, Arc<AtomicUsize>) {
    let taken = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&taken);
    let script = Script::start(move |mut wire: Wire, _| {
        let count = Arc::clone(&count);
        async move {
            wire.request().await;
            count.fetch_add(1, Ordering::Relaxed);
        }
    })
    .await;
    (script, taken)
}

const PLAIN: &str = "{rules: [{backends: [{service: echo}]}]}";
const REPLAYING: &str = "{proxy: {retryCount: 2}, rules: [{backends: [{service: echo}]}]}";

#[tokio::test]
async fn one_dead_endpoint_of_three_costs_nobody_anything() {
    let (one, two) = (Backend::echo("one").await, Backend::echo("two").await);
    let gateway = Gateway::over(&[one.address(), nobody().await, two.address()], PLAIN).await;
    for _ in 0..30 {
        assert_eq!(gateway.get("/").await.status, 200);
        let post = request("POST /", &["Host: a.example"], "not sent, so it may go elsewhere");
        assert_eq!(gateway.ask(post).await.status, 200);
    }
    assert!(gateway.metric("paifang_upstream_retries_total").await >= 10.0);
    assert_eq!(gateway.metric("paifang_upstream_requests_in_flight").await, 0.0);
}

#[tokio::test]
async fn no_endpoint_is_tried_twice() {
    let gateway = Gateway::over(&[nobody().await], REPLAYING).await;
    let reply = gateway.get("/").await;
    let retries = gateway.metric("paifang_upstream_retries_total").await;
    assert_eq!((reply.status, retries), (502, 0.0), "there is no other to try");
    assert_eq!(gateway.metric("paifang_upstream_connects_total{result=\"failed\"}").await, 1.0);
}

#[tokio::test]
async fn what_was_sent_is_replayed_only_where_the_route_asks_for_it() {
    let ((bad, taken), good) = (hangs_up().await, Backend::echo("good").await);
    let gateway = Gateway::over(&[bad.address(), good.address()], PLAIN).await;
    let mut codes = [gateway.get("/").await.status, gateway.get("/").await.status];
    codes.sort_unstable();
    assert_eq!((codes, taken.load(Ordering::Relaxed)), ([200, 502], 1));
    let gateway = Gateway::over(&[bad.address(), good.address()], REPLAYING).await;
    for _ in 0..4 {
        assert_eq!(gateway.get("/").await.status, 200);
    }
    assert_eq!(taken.load(Ordering::Relaxed), 3);
    assert_eq!(good.last().one("x-request-id").map(str::len), Some(36), "a replay is the same request");
}

#[tokio::test]
async fn what_is_not_idempotent_or_has_a_body_is_never_replayed() {
    let ((bad, taken), good) = (hangs_up().await, Backend::echo("good").await);
    let gateway = Gateway::over(&[bad.address(), good.address()], REPLAYING).await;
    for line in ["POST /", "PUT /", "PATCH /"] {
        let ask = || gateway.ask(request(line, &["Host: a.example"], "body"));
        let mut codes = [ask().await.status, ask().await.status];
        codes.sort_unstable();
        assert_eq!(codes, [200, 502], "{line}");
    }
    assert_eq!(taken.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_status_is_retried_where_the_route_names_it() {
    let sick = Backend::answering(|_| {
        let mut response = Response::new(Full::from("sick"));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response
    })
    .await;
    let well = Backend::echo("well").await;
    let spec = "{proxy: {retryCount: 1, retryStatuses: [503]}, rules: [{backends: [{service: echo}]}]}";
    let gateway = Gateway::over(&[sick.address(), well.address()], spec).await;
    for _ in 0..4 {
        assert_eq!(gateway.get("/").await.status, 200);
    }
    assert_eq!(sick.seen().len(), 2);
    gateway.folder.service("echo", &[sick.address()]);
    gateway.until("a.example", "/", |reply| reply.status == 503 && reply.text() == "sick").await;
}

#[tokio::test]
async fn a_try_has_a_time_of_its_own() {
    let silent = Script::start(|mut wire: Wire, _| async move {
        wire.request().await;
        wire.rest().await;
    })
    .await;
    let quick = Backend::echo("quick").await;
    let spec = "{proxy: {retryCount: 1, tryTimeout: 200ms}, rules: [{backends: [{service: echo}]}]}";
    let gateway = Gateway::over(&[silent.address(), quick.address()], spec).await;
    for _ in 0..4 {
        assert_eq!(gateway.get("/").await.status, 200);
    }
    assert_eq!(gateway.metric("paifang_upstream_retries_total").await, 2.0);
    gateway.folder.service("echo", &[silent.address()]);
    gateway.until("a.example", "/", |reply| reply.status == 504).await;
}

#[tokio::test]
async fn the_whole_request_has_one_time_for_all_its_tries() {
    let silent = || {
        Script::start(|mut wire: Wire, _| async move {
            wire.request().await;
            wire.rest().await;
        })
    };
    let (one, two) = (silent().await, silent().await);
    let spec =
        "{proxy: {retryCount: 5, tryTimeout: 60s, requestTimeout: 300ms}, rules: [{backends: [{service: echo}]}]}";
    let gateway = Gateway::over(&[one.address(), two.address()], spec).await;
    assert_eq!(gateway.get("/").await.status, 504);
    assert_eq!(one.connections() + two.connections(), 1, "there was no time for another try");
}

#[tokio::test]
async fn retries_have_a_budget() {
    let gateway = Gateway::over(&[nobody().await, nobody().await], PLAIN).await;
    let mut wire = gateway.open().await;
    for _ in 0..150 {
        assert_eq!(wire.ask(get("a.example", "/")).await.status, 502);
    }
    assert_eq!(gateway.metric("paifang_upstream_retries_total").await, 100.0);
    assert_eq!(gateway.metric("paifang_protection_total{rule=\"retry_budget\"}").await, 50.0);
}
