//! Health of endpoints: who is ejected, who is found unhealthy, and when neither is believed.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http_body_util::Full;
use hyper::{Response, StatusCode};
use tokio::net::TcpListener;

use crate::harness::{Backend, DEADLINE, Folder, Gateway, eventually};

async fn over(endpoints: &[SocketAddr], policy: &str) -> Gateway {
    let folder = Folder::new();
    folder.service("echo", endpoints).route("web", &with(policy));
    Gateway::start(folder).await
}

fn with(policy: &str) -> String {
    format!("{{{policy}, rules: [{{backends: [{{service: echo}}]}}]}}")
}

async fn statuses(gateway: &Gateway, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(gateway.get("/").await.status);
    }
    statuses
}

/// A backend that is sick (503) as long as it is told to be.
async fn patient(sick: &Arc<AtomicBool>) -> Backend {
    let sick = Arc::clone(sick);
    Backend::answering(move |_| {
        let mut response = Response::new(Full::from("hello"));
        if sick.load(Ordering::Relaxed) {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        response
    })
    .await
}

/// An address that refuses connections.
async fn refusing() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port must be free");
    listener.local_addr().expect("a listener has an address")
}

#[tokio::test]
async fn an_endpoint_that_fails_in_a_row_is_ejected_and_comes_back() {
    let sick = Arc::new(AtomicBool::new(true));
    let (bad, good) = (patient(&sick).await, Backend::echo("good").await);
    let policy = "proxy: {retryCount: 0}, outlierEjection: {consecutiveErrors: 3, ejectionTime: 500ms}";
    let gateway = over(&[bad.address(), good.address()], policy).await;
    eventually(DEADLINE, "the endpoint is ejected", || async {
        let status = gateway.get("/").await.status;
        if gateway.log().contains("endpoint ejected") { Ok(()) } else { Err(status) }
    })
    .await;
    assert_eq!(bad.seen().len(), 3, "so many errors it takes");
    let line = gateway.log().lines().find(|line| line.contains("endpoint ejected")).map(str::to_owned);
    let line: serde_json::Value = serde_json::from_str(&line.expect("the line must be there")).expect("JSON");
    assert_eq!(
        (line["endpoint"].as_str(), line["service"].as_str(), line["reason"].as_str()),
        (Some(&*bad.address().to_string()), Some("default/echo:80"), Some("server_error"))
    );
    sick.store(false, Ordering::Relaxed);
    eventually(DEADLINE, "the endpoint is back", || async {
        gateway.get("/").await;
        let seen = bad.seen().len();
        if seen > 3 { Ok(()) } else { Err(seen) }
    })
    .await;
    assert_eq!(statuses(&gateway, 10).await, [200; 10]);
}

#[tokio::test]
async fn the_last_endpoint_stays_whatever_it_does() {
    let sick = Arc::new(AtomicBool::new(true));
    let (one, two) = (patient(&sick).await, patient(&sick).await);
    let policy = "proxy: {retryCount: 0}, \
                  outlierEjection: {consecutiveErrors: 1, ejectionTime: 60s, maxEjectionPercent: 100}";
    let gateway = over(&[one.address(), two.address()], policy).await;
    assert_eq!(statuses(&gateway, 10).await, [503; 10]);
    let mut seen = [one.seen().len(), two.seen().len()];
    seen.sort_unstable();
    assert_eq!(seen, [1, 9], "one is ejected at its first error, and the other has all the rest");
}

#[tokio::test]
async fn only_errors_that_are_asked_for_count() {
    let sick = Arc::new(AtomicBool::new(true));
    let (bad, good) = (patient(&sick).await, Backend::echo("good").await);
    let policy = "proxy: {retryCount: 0}, outlierEjection: {consecutiveErrors: 1, failOn: [ConnectFailure]}";
    let gateway = over(&[bad.address(), good.address()], policy).await;
    assert_eq!(statuses(&gateway, 10).await.into_iter().filter(|status| *status == 503).count(), 5);
    gateway.folder.service("echo", &[refusing().await, good.address()]);
    eventually(DEADLINE, "the endpoint that refuses is ejected", || async {
        let status = gateway.get("/").await.status;
        if gateway.log().contains("\"reason\":\"connect_failed\"") { Ok(()) } else { Err(status) }
    })
    .await;
    assert_eq!(statuses(&gateway, 20).await, [200; 20]);
}

#[tokio::test]
async fn below_the_panic_threshold_all_endpoints_get_requests() {
    let sick = Arc::new(AtomicBool::new(true));
    let (bad, good) = (patient(&sick).await, Backend::echo("good").await);
    let policy = |threshold| {
        format!(
            "proxy: {{retryCount: 0}}, balancing: {{panicThreshold: {threshold}}}, \
             outlierEjection: {{consecutiveErrors: 1, ejectionTime: 60s}}"
        )
    };
    let gateway = over(&[bad.address(), good.address()], &policy(50)).await;
    assert_eq!(statuses(&gateway, 20).await.into_iter().filter(|status| *status == 503).count(), 1);
    gateway.folder.route("web", &with(&policy(51)));
    gateway.until("a.example", "/", |reply| reply.status == 503).await;
    assert_eq!(statuses(&gateway, 20).await.into_iter().filter(|status| *status == 503).count(), 10);
}
