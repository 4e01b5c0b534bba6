//! Health of endpoints: who is ejected, who is found unhealthy, and when neither is believed.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU8, Ordering},
};

use http_body_util::BodyExt as _;
use hyper::{
    Request, Response, Version,
    body::{Bytes, Incoming},
    header::HeaderValue,
};

use crate::harness::{
    Backend, DEADLINE, Folder, Gateway, Peer, Script, eventually, health, nobody, sick, whole, with_policy,
};

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

#[tokio::test]
async fn an_endpoint_that_fails_in_a_row_is_ejected_and_comes_back() {
    let told = Arc::new(AtomicBool::new(true));
    let (bad, good) = (sick(&told, |_| true).await, Backend::echo("good").await);
    let policy = "proxy: {retryCount: 0}, outlierEjection: {consecutiveErrors: 3, ejectionTime: 500ms}";
    let gateway = Gateway::over(&[bad.address(), good.address()], &with_policy(policy)).await;
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
    assert_eq!((line["errors"].as_u64(), line["seconds"].as_f64()), (Some(3), Some(0.5)));
    told.store(false, Ordering::Relaxed);
    eventually(DEADLINE, "the endpoint is back", || async {
        gateway.get("/").await;
        let seen = bad.seen().len();
        if seen > 3 { Ok(()) } else { Err(seen) }
    })
    .await;
    assert_eq!(gateway.statuses(10).await, [200; 10]);
    let back = logged(&gateway, "endpoint back after its ejection").await;
    assert_eq!(back["endpoint"].as_str(), Some(&*bad.address().to_string()));
    assert!(gateway.metric("paifang_outlier_ejections_total").await.total_cmp(&1.0).is_eq());
}

#[tokio::test]
async fn the_last_endpoint_stays_whatever_it_does() {
    let told = Arc::new(AtomicBool::new(true));
    let (one, two) = (sick(&told, |_| true).await, sick(&told, |_| true).await);
    let policy = "proxy: {retryCount: 0}, \
                  outlierEjection: {consecutiveErrors: 1, ejectionTime: 60s, maxEjectionPercent: 100}";
    let gateway = Gateway::over(&[one.address(), two.address()], &with_policy(policy)).await;
    assert_eq!(gateway.statuses(10).await, [503; 10]);
    let mut seen = [one.seen().len(), two.seen().len()];
    seen.sort_unstable();
    assert_eq!(seen, [1, 9], "one is ejected at its first error, and the other has all the rest");
}

#[tokio::test]
async fn only_errors_that_are_asked_for_count() {
    let told = Arc::new(AtomicBool::new(true));
    let (bad, good) = (sick(&told, |_| true).await, Backend::echo("good").await);
    let policy = "proxy: {retryCount: 0}, outlierEjection: {consecutiveErrors: 1, failOn: [ConnectFailure]}";
    let gateway = Gateway::over(&[bad.address(), good.address()], &with_policy(policy)).await;
    assert_eq!(gateway.statuses(10).await.into_iter().filter(|status| *status == 503).count(), 5);
    gateway.folder.service("echo", &[nobody().await, good.address()]);
    eventually(DEADLINE, "the endpoint that refuses is ejected", || async {
        let status = gateway.get("/").await.status;
        if gateway.log().contains("\"reason\":\"connect_failed\"") { Ok(()) } else { Err(status) }
    })
    .await;
    assert_eq!(gateway.statuses(20).await, [200; 20]);
}

#[tokio::test]
async fn below_the_panic_threshold_all_endpoints_get_requests() {
    let told = Arc::new(AtomicBool::new(true));
    let (bad, good) = (sick(&told, |_| true).await, Backend::echo("good").await);
    let policy = |threshold| {
        format!(
            "proxy: {{retryCount: 0}}, balancing: {{panicThreshold: {threshold}}}, \
             outlierEjection: {{consecutiveErrors: 1, ejectionTime: 60s}}"
        )
    };
    let gateway = Gateway::over(&[bad.address(), good.address()], &with_policy(&policy(50))).await;
    assert_eq!(gateway.statuses(20).await.into_iter().filter(|status| *status == 503).count(), 1);
    gateway.folder.route("web", &with_policy(&policy(51)));
    gateway.until("a.example", "/", |reply| reply.status == 503).await;
    assert_eq!(gateway.statuses(20).await.into_iter().filter(|status| *status == 503).count(), 10);
}

#[tokio::test]
async fn why_an_endpoint_is_not_reached_is_logged_but_not_for_each_request() {
    let address = nobody().await;
    let gateway = Gateway::over(&[address], &with_policy("proxy: {retryCount: 0}")).await;
    assert_eq!(gateway.statuses(100).await, [502; 100]);
    let message = "no connection to an endpoint";
    let line = logged(&gateway, message).await;
    assert_eq!((line["level"].as_str(), line["endpoint"].as_str()), (Some("WARN"), Some(&*address.to_string())));
    assert!(line["error"].as_str().is_some_and(|error| error.contains("refused")), "{line}");
    let lines = gateway.log().lines().filter(|line| line.contains(message)).count();
    assert!(lines < 80, "two cores log 20 lines at once and one a second: {lines}");
    assert!(gateway.metric("paifang_upstream_connects_total{result=\"failed\"}").await >= 100.0);
}

#[tokio::test]
async fn requests_stay_in_the_zone_while_hints_say_so() {
    let (here, there) = (Backend::echo("here").await, Backend::echo("there").await);
    let folder = Folder::new();
    folder.service("echo", &[here.address(), there.address()]).route("web", &with_policy("proxy: {}"));
    let hint = |file: &str, zones: [&str; 2]| {
        let text = std::fs::read_to_string(folder.path().join(file)).expect("the file must be there");
        let mut list: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        for (slice, zone) in [1, 2].into_iter().zip(zones) {
            list["items"][slice]["endpoints"][0]["hints"] = serde_json::json!({"forZones": [{"name": zone}]});
        }
        folder.write(file, &list.to_string());
    };
    hint("echo.service.json", ["zone-a", "zone-b"]);
    let gateway = Gateway::start_with(folder, &["--zone", "zone-a"]).await;
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.field("x-backend"), Some("here"));
    }
    gateway.folder.service("echo", &[here.address(), there.address()]);
    gateway.until("a.example", "/", |reply| reply.field("x-backend") == Some("there")).await;
}

const CHECK: &str = "path: /healthz, interval: 100ms, timeout: 500ms, healthyThreshold: 2, unhealthyThreshold: 2";

fn checked(more: &str) -> String {
    format!("proxy: {{retryCount: 0}}, healthCheck: {{{CHECK}{more}}}")
}

/// A backend that fails its checks as long as it is told to, and answers everything else.
async fn looking_ill(ill: &Arc<AtomicBool>) -> Backend {
    sick(ill, |seen| seen.target.starts_with("/healthz")).await
}

fn asked(backend: &Backend, path: &str) -> usize {
    backend.seen().iter().filter(|seen| seen.target == path).count()
}

/// Waits until so many endpoints are unhealthy.
async fn unhealthy(gateway: &Gateway, count: f64) {
    eventually(DEADLINE, "the checks have found it", || async {
        let found = gateway.metric("paifang_endpoints{state=\"unhealthy\"}").await;
        if found.total_cmp(&count).is_eq() { Ok(()) } else { Err(found) }
    })
    .await;
}

async fn logged(gateway: &Gateway, message: &str) -> serde_json::Value {
    eventually(DEADLINE, message, || {
        let log = gateway.log();
        let found = log.lines().find(|line| line.contains(message)).map(serde_json::from_str);
        std::future::ready(found.ok_or(log.clone()))
    })
    .await
    .expect("a log line must be JSON")
}

#[tokio::test]
async fn an_endpoint_that_fails_its_checks_is_passed_by_until_it_passes_them() {
    let ill = Arc::new(AtomicBool::new(true));
    let (bad, good) = (looking_ill(&ill).await, Backend::echo("good").await);
    let gateway = Gateway::over(&[bad.address(), good.address()], &with_policy(&checked(""))).await;
    unhealthy(&gateway, 1.0).await;
    for _ in 0..10 {
        assert_eq!(gateway.get("/x").await.field("x-backend"), Some("good"));
    }
    let line = logged(&gateway, "endpoint unhealthy").await;
    assert_eq!(
        (line["endpoint"].as_str(), line["service"].as_str(), line["reason"].as_str()),
        (Some(&*bad.address().to_string()), Some("default/echo:80"), Some("status 503"))
    );
    let check = bad.seen().into_iter().find(|seen| seen.target == "/healthz").expect("a check must have come");
    assert_eq!((check.method.as_str(), check.one("host")), ("GET", Some(&*bad.address().to_string())));
    assert_eq!(check.one("user-agent"), Some(concat!("paifang-health/", env!("CARGO_PKG_VERSION"))));
    ill.store(false, Ordering::Relaxed);
    unhealthy(&gateway, 0.0).await;
    logged(&gateway, "endpoint healthy again").await;
    gateway.until("a.example", "/y", |reply| reply.field("x-backend") == Some("answering")).await;
    assert_eq!(line["failed"].as_u64(), Some(2));
    for to in ["unhealthy", "healthy"] {
        let turned = gateway.metric(&format!("paifang_health_check_transitions_total{{to=\"{to}\"}}")).await;
        assert!(turned.total_cmp(&1.0).is_eq(), "{to}: {turned}");
    }
    assert!(gateway.metric("paifang_health_checks_total{result=\"failed\"}").await >= 2.0);
    assert!(gateway.metric("paifang_health_checks_total{result=\"passed\"}").await >= 2.0);
}

#[tokio::test]
async fn an_endpoint_is_checked_once_per_process_and_interval() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::over(&[backend.address()], &with_policy(&checked(""))).await;
    let began = std::time::Instant::now();
    let before = asked(&backend, "/healthz");
    eventually(DEADLINE, "ten checks come", || {
        let count = asked(&backend, "/healthz") - before;
        std::future::ready(if count >= 10 { Ok(()) } else { Err(count) })
    })
    .await;
    let count = u32::try_from(asked(&backend, "/healthz") - before).expect("it must be a few");
    assert!(began.elapsed() >= std::time::Duration::from_millis(100) * (count - 1), "{count} checks are too many");
    assert_eq!(gateway.get("/").await.status, 200);
}

#[tokio::test]
async fn without_a_path_it_is_enough_to_be_connected_to() {
    let (good, silent) = (Backend::echo("good").await, Script::start(|_, _| std::future::ready(())).await);
    let policy = "proxy: {retryCount: 0}, healthCheck: {interval: 100ms, unhealthyThreshold: 1}";
    let gateway = Gateway::over(&[nobody().await, good.address()], &with_policy(policy)).await;
    let line = logged(&gateway, "endpoint unhealthy").await;
    assert!(line["reason"].as_str().is_some_and(|reason| reason.starts_with("no connection: ")), "{line}");
    assert_eq!(gateway.statuses(10).await, [200; 10]);
    gateway.folder.service("echo", &[silent.address(), good.address()]);
    unhealthy(&gateway, 0.0).await;
    eventually(DEADLINE, "the other is checked", || {
        let count = silent.connections();
        std::future::ready(if count >= 3 { Ok(()) } else { Err(count) })
    })
    .await;
    unhealthy(&gateway, 0.0).await;
}

#[tokio::test]
async fn an_endpoint_that_answers_too_late_is_unhealthy() {
    let good = Backend::echo("good").await;
    let late = Script::start(|mut wire, _| async move {
        // Reads to the end, and says nothing.
        while wire.take(1).await.is_ok() {}
    })
    .await;
    let policy = "healthCheck: {path: /, interval: 100ms, timeout: 200ms, unhealthyThreshold: 1}";
    let gateway = Gateway::over(&[late.address(), good.address()], &with_policy(policy)).await;
    assert_eq!(logged(&gateway, "endpoint unhealthy").await["reason"], "not within 200ms");
    assert_eq!(gateway.statuses(10).await, [200; 10]);
}

#[tokio::test]
async fn what_the_health_service_of_grpc_says_decides() {
    let (says, asked) = (Arc::new(AtomicU8::new(2)), Arc::<Mutex<Bytes>>::default());
    let (told, seen) = (Arc::clone(&says), Arc::clone(&asked));
    let peer = Peer::start(100, move |request: Request<Incoming>| {
        let (told, seen) = (Arc::clone(&told), Arc::clone(&seen));
        async move {
            let body = request.into_body().collect().await.expect("a check must be whole").to_bytes();
            *seen.lock().expect("no holder may panic") = body;
            match told.load(Ordering::Relaxed) {
                12 => Response::builder().header("grpc-status", "12").body(whole("")).expect("an answer"),
                0 => Response::builder().status(503).body(whole("")).expect("an answer"),
                status => health(status),
            }
        }
    })
    .await;
    let folder = Folder::new();
    folder.service_speaking("echo", "grpc", &[peer.address()]);
    let check = "{grpc: {service: shop.Cart}, interval: 100ms, unhealthyThreshold: 1, healthyThreshold: 1}";
    folder.route("web", &with_policy(&format!("healthCheck: {check}")));
    let gateway = Gateway::start(folder).await;
    for (answer, reason) in [(2, "it says NOT_SERVING"), (12, "grpc-status 12"), (0, "status 503")] {
        says.store(answer, Ordering::Relaxed);
        unhealthy(&gateway, 1.0).await;
        logged(&gateway, &format!("\"reason\":\"{reason}\"")).await;
        says.store(1, Ordering::Relaxed);
        unhealthy(&gateway, 0.0).await;
    }
    assert_eq!(asked.lock().unwrap().as_ref(), b"\0\0\0\0\x0b\x0a\x09shop.Cart");
    let call = peer.last();
    assert_eq!((call.version, call.target.path()), (Version::HTTP_2, "/grpc.health.v1.Health/Check"));
    assert_eq!((&call.headers["content-type"], &call.headers["te"]), (&GRPC, &TRAILERS));
}

#[tokio::test]
async fn a_change_of_the_check_is_followed_and_its_end_forgets_what_it_found() {
    let ill = Arc::new(AtomicBool::new(true));
    let (bad, good) = (looking_ill(&ill).await, Backend::echo("good").await);
    let gateway = Gateway::over(&[bad.address(), good.address()], &with_policy(&checked(""))).await;
    unhealthy(&gateway, 1.0).await;
    gateway.folder.route("web", &with_policy(&checked(", statuses: ['200', '500-599'], host: echo.example")));
    unhealthy(&gateway, 0.0).await;
    assert_eq!(bad.last().one("host"), Some("echo.example"));
    gateway.folder.route("web", &with_policy(&checked("")));
    unhealthy(&gateway, 1.0).await;
    gateway.folder.route("web", &with_policy("proxy: {retryCount: 0}"));
    gateway.until("a.example", "/x", |reply| reply.field("x-backend") == Some("answering")).await;
    let known = gateway.metric("paifang_endpoints{state=\"eligible\"}").await;
    assert_eq!((known, gateway.metric("paifang_endpoints{state=\"unhealthy\"}").await), (2.0, 0.0));
}

#[tokio::test]
async fn a_start_waits_for_no_check_and_a_service_that_fails_all_is_served() {
    let ill = Arc::new(AtomicBool::new(true));
    let backend = looking_ill(&ill).await;
    let gateway = Gateway::over(&[backend.address()], &with_policy(&checked(""))).await;
    assert_eq!(gateway.get("/").await.status, 200);
    unhealthy(&gateway, 1.0).await;
    assert_eq!(
        gateway.metric("paifang_service_ports{state=\"panicking\"}").await.total_cmp(&1.0),
        std::cmp::Ordering::Equal
    );
    assert_eq!(gateway.statuses(5).await, [200; 5], "the checks are not believed");
    gateway.folder.route("web", &with_policy(&format!("balancing: {{panicThreshold: 0}}, {}", checked(""))));
    gateway.until("a.example", "/", |reply| reply.status == 503).await;
    gateway.get("/nobody").await;
    assert_eq!(gateway.logged("/nobody").await["reason"], "no_healthy_endpoint");
    gateway.protected("unhealthy").await;
}

#[tokio::test]
async fn an_endpoint_that_goes_is_not_checked_any_more() {
    let (gone, stays) = (Backend::echo("gone").await, Backend::echo("stays").await);
    let gateway = Gateway::over(&[gone.address(), stays.address()], &with_policy(&checked(""))).await;
    eventually(DEADLINE, "both are checked", || {
        let counts = [asked(&gone, "/healthz"), asked(&stays, "/healthz")];
        std::future::ready(if counts.iter().all(|count| *count > 0) { Ok(()) } else { Err(format!("{counts:?}")) })
    })
    .await;
    gateway.folder.service("echo", &[stays.address()]);
    eventually(DEADLINE, "one is known", || async {
        let known = gateway.metric("paifang_endpoints{state=\"eligible\"}").await;
        if known < 1.5 { Ok(()) } else { Err(known) }
    })
    .await;
    // One may be under way.
    let (last, others) = (asked(&gone, "/healthz"), asked(&stays, "/healthz"));
    eventually(DEADLINE, "the other is checked on and on", || {
        let count = asked(&stays, "/healthz") - others;
        std::future::ready(if count >= 5 { Ok(()) } else { Err(count) })
    })
    .await;
    assert!(asked(&gone, "/healthz") <= last + 1);
}
