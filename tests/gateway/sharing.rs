//! Limits that all replicas count together: three gateways over one Redis, and what happens
//! without it.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::harness::{Authority, Backend, DEADLINE, Folder, Gateway, Redis, eventually, get, request};

const CONNECTIONS: &str = "paifang_shared_store_connections";
const ERRORS: &str = "paifang_shared_store_errors_total";

fn limited(limits: &str) -> String {
    format!("{{limiter: {{requests: [{limits}]}}, rules: [{{backends: [{{service: echo}}]}}]}}")
}

/// A replica whose cores are connected, with more flags.
async fn replica(backend: &Backend, url: &str, limits: &str, flags: &[&str]) -> Gateway {
    let flags = [&["--redis", url], flags].concat();
    let gateway = Gateway::start_with(Folder::with(backend.address(), &limited(limits)), &flags).await;
    connected(&gateway).await;
    gateway
}

/// Three replicas that count every request, however busy the machine is.
async fn replicas(backend: &Backend, redis: &Redis, limits: &str) -> Vec<Gateway> {
    let url = redis.url();
    join_all((0..3).map(|_| replica(backend, &url, limits, &["--redis-timeout", "1s"]))).await
}

async fn connected(gateway: &Gateway) {
    has_connections(gateway, 2).await;
}

/// Waits until so many cores are connected to Redis.
async fn has_connections(gateway: &Gateway, wanted: u8) {
    eventually(DEADLINE, &format!("{wanted} cores are connected to Redis"), || async {
        let connections = gateway.metric(CONNECTIONS).await;
        if (connections - f64::from(wanted)).abs() < 0.5 {
            Ok(())
        } else {
            Err(format!("{connections}: {}", gateway.log()))
        }
    })
    .await;
}

/// Sends requests until `done`, on so many connections to each replica; returns how many passed.
async fn load(replicas: &[Gateway], connections: [usize; 3], done: impl Fn(usize) -> bool + Copy) -> usize {
    let clients = replicas.iter().zip(connections).flat_map(|(gateway, count)| (0..count).map(move |_| gateway));
    let passed = clients.map(|gateway| async move {
        let (mut wire, mut passed, mut sent) = (gateway.open().await, 0, 0);
        while !done(sent) {
            let status = wire.ask(get("a.example", "/")).await.status;
            assert!(matches!(status, 200 | 429), "{status}");
            passed += usize::from(status == 200);
            sent += 1;
        }
        passed
    });
    join_all(passed).await.into_iter().sum()
}

const EVEN: [usize; 3] = [4, 4, 4];
const SKEWED: [usize; 3] = [9, 1, 0];

#[tokio::test]
#[ignore = "needs a Redis: make test TIERS=redis"]
async fn replicas_pass_a_quota_together_to_the_very_number() {
    for connections in [EVEN, SKEWED] {
        let (backend, redis) = (Backend::echo("echo").await, Redis::start(&[]).await);
        let replicas = replicas(&backend, &redis, "{rate: 150, per: Day, scope: Cluster}").await;
        assert_eq!(load(&replicas, connections, |sent| sent == 40).await, 150, "{connections:?}");
        assert_eq!(backend.seen().len(), 150);
        for gateway in &replicas {
            assert_eq!(gateway.metric(ERRORS).await, 0.0);
        }
    }
}

#[tokio::test]
#[ignore = "needs a Redis: make test TIERS=redis"]
#[expect(clippy::cast_precision_loss, reason = "a few hundred requests")]
async fn replicas_pass_a_rate_together_whoever_gets_the_load() {
    for connections in [EVEN, SKEWED] {
        let (backend, redis) = (Backend::echo("echo").await, Redis::start(&[]).await);
        let replicas = replicas(&backend, &redis, "{rate: 200, burst: 20, scope: Cluster}").await;
        let began = Instant::now();
        let passed = load(&replicas, connections, |_| began.elapsed() > Duration::from_secs(3)).await as f64;
        let expected = 20.0 + 200.0 * began.elapsed().as_secs_f64();
        let off = (passed - expected).abs() / expected;
        println!("{connections:?}: {passed} passed of {expected:.0}, {:.1} % off", off * 100.0);
        assert!(off < 0.05, "{connections:?}: {passed} passed, not {expected}");
    }
}

/// Asks `count` times, one after the other: how many passed, and the median time.
async fn timed(gateway: &Gateway, count: usize) -> (usize, Duration) {
    let (mut wire, mut times, mut passed) = (gateway.open().await, Vec::new(), 0);
    for _ in 0..count {
        let began = Instant::now();
        passed += usize::from(wire.ask(get("a.example", "/")).await.status == 200);
        times.push(began.elapsed());
    }
    times.sort_unstable();
    (passed, times[count / 2])
}

#[tokio::test]
#[ignore = "needs a Redis: make test TIERS=redis"]
async fn without_redis_requests_pass_at_once_and_with_it_the_limit_holds_again() {
    let (backend, mut redis) = (Backend::echo("echo").await, Redis::start(&[]).await);
    let replicas = replicas(&backend, &redis, "{rate: 60, per: Day, scope: Cluster}").await;
    assert_eq!(load(&replicas, EVEN, |sent| sent == 10).await, 60);
    let (passed, before) = timed(&replicas[0], 100).await;
    assert_eq!(passed, 0);

    redis.kill();
    for gateway in &replicas {
        let (passed, during) = timed(gateway, 100).await;
        println!("median with Redis {before:?}, without {during:?}");
        assert_eq!(passed, 100, "every request must pass");
        assert!(during < Duration::from_millis(100), "{during:?} after {before:?}: nobody may wait a second for Redis");
        assert_eq!(gateway.metric(ERRORS).await, 100.0);
        let warnings = gateway.log().lines().filter(|line| line.contains("let every request pass")).count();
        assert!((1..=2).contains(&warnings), "{}", gateway.log());
    }

    join_all(replicas.iter().map(|gateway| has_connections(gateway, 0))).await;
    redis.revive().await;
    join_all(replicas.iter().map(connected)).await;
    assert_eq!(load(&replicas, SKEWED, |sent| sent == 20).await, 60);
    assert_eq!(replicas[2].metric(ERRORS).await, 100.0);
}

#[tokio::test]
#[ignore = "needs a Redis: make test TIERS=redis"]
async fn a_redis_that_hangs_costs_one_wait_for_each_core() {
    let (backend, redis) = (Backend::echo("echo").await, Redis::start(&[]).await);
    let gateway = replica(&backend, &redis.url(), "{rate: 1, per: Day, scope: Cluster}", &[]).await;
    assert_eq!(gateway.get("/").await.status, 200);
    redis.signal("STOP");
    let began = Instant::now();
    for _ in 0..4 {
        assert_eq!(timed(&gateway, 50).await.0, 50);
    }
    let took = began.elapsed();
    redis.signal("CONT");
    assert!(took < Duration::from_secs(2), "{took:?} for 200 requests: they waited more than once each core");
    connected(&gateway).await;
    assert_eq!(timed(&gateway, 5).await.0, 0, "what was counted before still counts");
}

#[tokio::test]
#[ignore = "needs a Redis: make test TIERS=redis"]
async fn a_redis_that_forgets_the_script_is_told_again() {
    let (backend, redis) = (Backend::echo("echo").await, Redis::start(&[]).await);
    let gateway =
        replica(&backend, &redis.url(), "{rate: 10, per: Day, scope: Cluster}", &["--redis-timeout", "1s"]).await;
    assert_eq!(timed(&gateway, 4).await.0, 4);
    assert!(redis.ask("SCRIPT FLUSH").await.starts_with("+OK"));
    assert_eq!((timed(&gateway, 20).await.0, gateway.metric(ERRORS).await), (6, 0.0));
}

#[tokio::test]
#[ignore = "needs a Redis: make test TIERS=redis"]
async fn shared_and_own_limits_count_for_all_or_none_and_are_told_together() {
    let (backend, redis) = (Backend::echo("echo").await, Redis::start(&[]).await);
    let limits = "{name: own, rate: 10, per: Day}, {name: both, rate: 4, per: Day, scope: Cluster}, \
                  {name: key, rate: 2, per: Day, scope: Cluster, key: {type: Header, name: X-Key}}";
    let gateway = replica(&backend, &redis.url(), limits, &["--redis-timeout", "1s"]).await;
    let ask = |key: &str| gateway.ask(request("GET /", &["Host: a.example", &format!("X-Key: {key}")], ""));
    let first = ask("hush").await;
    assert_eq!(first.field("ratelimit"), Some("\"own\";r=9;t=8640, \"both\";r=3;t=21600, \"key\";r=1;t=43200"));
    for (key, status) in [("hush", 200), ("hush", 429), ("hush", 429), ("b", 200), ("c", 200), ("d", 429)] {
        let reply = ask(key).await;
        assert_eq!(reply.status, status, "{key}: {reply:?}");
        let refused = if key == "hush" { "\"key\";r=0;t=" } else { "\"both\";r=0;t=" };
        let left = reply.field("ratelimit").expect("the limits must be told");
        assert!(status == 200 || left.starts_with(refused) && !left.contains(','), "{key}: {left}");
    }
    let left = ask("e").await;
    assert_eq!(left.status, 429);
    let keys = redis.ask("KEYS *").await;
    assert!(keys.contains("paifang:default/web/both\r\n") && !keys.contains("hush"), "{keys}");
    let expiry = redis.ask("PTTL paifang:default/web/both").await;
    let expiry: u64 =
        expiry.lines().next().and_then(|line| line.strip_prefix(':')?.parse().ok()).expect("it must expire");
    assert!((86_000_000..=86_402_000).contains(&expiry), "{expiry} ms");
    gateway.folder.route("web", &limited("{name: own, rate: 10, per: Day}"));
    eventually(DEADLINE, "the shared limits are gone", || async {
        let reply = gateway.get("/").await;
        if reply.status == 200 { Ok(()) } else { Err(reply.status) }
    })
    .await;
    assert_eq!(timed(&gateway, 10).await.0, 5, "refused requests have left the limit of the replica alone");
}

#[tokio::test]
#[ignore = "needs a Redis: make test TIERS=redis"]
async fn a_password_is_told_from_the_environment_and_a_wrong_one_is_logged() {
    let (backend, redis) = (Backend::echo("echo").await, Redis::start(&["--requirepass", "hush"]).await);
    let folder = || Folder::with(backend.address(), &limited("{rate: 3, per: Day, scope: Cluster}"));
    let (url, flag) = (redis.url(), "--redis");
    let right =
        Gateway::start_in(&[("PAIFANG_REDIS_PASSWORD", "hush")], folder(), &[flag, &url, "--redis-timeout", "1s"])
            .await;
    connected(&right).await;
    assert_eq!(timed(&right, 5).await.0, 3);
    let wrong =
        Gateway::start_in(&[("PAIFANG_REDIS_PASSWORD", "guess")], folder(), &[flag, &url, "--redis-timeout", "1s"])
            .await;
    eventually(DEADLINE, "the refusal is in the log", || async {
        let log = wrong.log();
        if log.contains("let every request pass") { Ok(()) } else { Err(log) }
    })
    .await;
    assert_eq!(timed(&wrong, 5).await.0, 5);
    assert!(!wrong.log().contains("guess"), "{}", wrong.log());
}

#[tokio::test]
#[ignore = "needs a Redis: make test TIERS=redis"]
async fn a_store_is_reached_over_tls_by_an_authority_of_its_own() {
    let (backend, authority) = (Backend::echo("echo").await, Authority::new("store"));
    let folder = tempfile::TempDir::new().expect("a folder must be made");
    let (certificate, key) = authority.issue(&["127.0.0.1"]);
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("the folder must be writable");
        path.to_str().expect("the path must be UTF-8").to_owned()
    };
    let (ca, certificate, key) = (write("ca", authority.certificate()), write("crt", &certificate), write("key", &key));
    let tls = ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-ca-cert-file", &ca];
    let redis = Redis::start_over_tls(&tls).await;
    let url = format!("rediss://{}", redis.address());
    let spec = limited("{rate: 3, per: Day, scope: Cluster}");
    let gateway = Gateway::start_in(
        &[("SSL_CERT_FILE", &ca)],
        Folder::with(backend.address(), &spec),
        &["--redis", &url, "--redis-timeout", "1s"],
    )
    .await;
    connected(&gateway).await;
    assert_eq!(timed(&gateway, 5).await.0, 3);
}
