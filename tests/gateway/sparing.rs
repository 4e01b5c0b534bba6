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
    let opened = told_of(&gateway, &backend, "breaker open");
    assert_eq!((opened["reason"].as_str(), opened["failures"].as_u64()), (Some("server_error"), Some(3)));
    assert_eq!((opened["level"].as_str(), opened["seconds"].as_f64()), (Some("WARN"), Some(0.5)));
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
    assert_eq!(told_of(&gateway, &backend, "breaker half open")["requests"].as_u64(), Some(1));
    assert_eq!(told_of(&gateway, &backend, "breaker closed")["successes"].as_u64(), Some(1));
    let turned = async |to| gateway.metric(&format!("paifang_breaker_transitions_total{{to=\"{to}\"}}")).await;
    let (opened, half_opened, closed) = (turned("open").await, turned("half_open").await, turned("closed").await);
    assert!(opened >= 2.0 && half_opened.total_cmp(&opened).is_eq(), "{opened} {half_opened}");
    assert!(closed.total_cmp(&1.0).is_eq(), "{closed}");
}

/// What the log says of an endpoint.
fn told_of(gateway: &Gateway, backend: &Backend, message: &str) -> serde_json::Value {
    let quoted = format!("\"{message}\"");
    let line = gateway.log().lines().find(|line| line.contains(&quoted)).map(serde_json::from_str);
    let line: serde_json::Value = line.expect("the line must be there").expect("a log line must be JSON");
    let expected = (Some(backend.address().to_string()), Some("default/echo:80"));
    assert_eq!((line["endpoint"].as_str().map(str::to_owned), line["service"].as_str()), expected);
    line
}

#[tokio::test]
async fn an_endpoint_that_is_out_is_named_with_the_cause() {
    let told = Arc::new(AtomicBool::new(true));
    let (bad, good) = (sick(&told, |_| true).await, Backend::echo("good").await);
    let spec = |policy: &str| with_policy(&format!("proxy: {{retryCount: 0}}, {policy}"));
    let breaker = "breaker: {maxFailures: 1, openTimeout: 60s, failOn: [ServerError]}";
    let gateway = Gateway::over(&[bad.address(), good.address()], &spec(breaker)).await;
    assert_eq!(named(&gateway).await, [""; 0]);
    gateway.statuses(4).await;
    let series = |cause| {
        format!(
            "paifang_endpoint_out{{cause=\"{cause}\",endpoint=\"{}\",namespace=\"default\",port=\"80\",service=\"echo\"}} 1",
            bad.address()
        )
    };
    assert_eq!(named(&gateway).await, [series("breaker_open")]);
    gateway.folder.route("web", &spec("outlierEjection: {consecutiveErrors: 1, ejectionTime: 60s}"));
    gateway.until("a.example", "/", |_| gateway.log().contains("endpoint ejected")).await;
    assert_eq!(named(&gateway).await, [series("ejected")]);
    assert!(gateway.metric("paifang_outlier_ejections_total").await.total_cmp(&1.0).is_eq());
}

/// The endpoints that metrics say are out.
async fn named(gateway: &Gateway) -> Vec<String> {
    let text = gateway.admin("/metrics").await.text();
    text.lines().filter(|line| line.starts_with("paifang_endpoint_out{")).map(str::to_owned).collect()
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
