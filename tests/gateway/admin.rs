//! The admin listener and the public ones, kept apart; IPv6.

use std::net::{IpAddr, Ipv6Addr};

use crate::harness::{Backend, DEADLINE, Folder, Gateway, Wire, eventually, get, request};

const ANY: &str = "{rules: [{matches: [{path: {value: /in}}], backends: [{service: echo}]}]}";

#[tokio::test]
async fn each_listener_serves_its_own_paths() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    for (path, admin, public) in [
        ("/livez", 200, 404),
        ("/readyz", 200, 404),
        ("/readyz?verbose", 200, 404),
        ("/startupz", 200, 404),
        ("/metrics", 200, 404),
        ("/metrics/", 404, 404),
        ("/", 404, 404),
        ("/in", 404, 200),
        ("/debug/pprof", 404, 404),
        ("/management/config", 404, 404),
        ("//metrics", 404, 404),
        ("/x/../metrics", 404, 404),
    ] {
        assert_eq!(gateway.admin(path).await.status, admin, "admin {path}");
        assert_eq!(gateway.get(path).await.status, public, "public {path}");
    }
    let admin = gateway.address("admin");
    let reply = Wire::open(admin).await.ask(request("POST /metrics", &["Host: a.example"], "x")).await;
    assert_eq!((reply.status, reply.field("allow")), (405, Some("GET, HEAD")));
}

#[tokio::test]
async fn a_route_may_use_the_paths_of_the_admin_listener() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start(Folder::with(backend.address(), "{rules: [{backends: [{service: echo}]}]}")).await;
    assert_eq!(gateway.get("/metrics").await.backend(), Some("echo"));
    assert_eq!(gateway.get("/readyz").await.backend(), Some("echo"));
}

#[tokio::test]
async fn readiness_says_what_it_knows() {
    let gateway = Gateway::start(Folder::new()).await;
    let text = gateway.admin("/readyz?verbose").await.text();
    assert!(text.contains("[+] table") && text.ends_with("ok\n"), "{text}");
}

#[tokio::test]
async fn requests_are_counted_by_route_code_and_method() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    for _ in 0..7 {
        gateway.get("/in").await;
    }
    gateway.ask(request("PURGE /in", &["Host: a.example"], "")).await;
    for _ in 0..3 {
        gateway.get("/out").await;
    }
    for (series, count) in [
        (r#"paifang_http_requests_total{code="200",method="GET",namespace="default",route="web"}"#, 7.0),
        (r#"paifang_http_requests_total{code="200",method="_OTHER",namespace="default",route="web"}"#, 1.0),
        (r#"paifang_http_requests_total{code="404",method="GET",namespace="",route=""}"#, 3.0),
        ("paifang_http_request_duration_seconds_count", 11.0),
        ("paifang_data_plane_cores", 2.0),
        ("paifang_panics_total", 0.0),
    ] {
        eventually(DEADLINE, series, || async {
            let value = gateway.metric(series).await;
            if value == count { Ok(()) } else { Err(value) }
        })
        .await;
    }
}

#[tokio::test]
async fn every_metric_has_its_name_and_help() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    gateway.get("/in").await;
    let reply = gateway.admin("/metrics").await;
    assert_eq!(reply.field("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = reply.text();
    for name in [
        "paifang_http_requests_total",
        "paifang_http_request_duration_seconds",
        "paifang_connections",
        "paifang_upstream_connects_total",
        "paifang_upstream_resends_total",
        "paifang_protection_total",
        "paifang_panics_total",
        "paifang_data_plane_cores",
        "paifang_build_info",
        "paifang_config_apply_duration_seconds",
        "paifang_config_last_success_timestamp_seconds",
        "paifang_config_objects",
        "paifang_config_generation",
        "process_resident_memory_bytes",
    ] {
        assert!(text.contains(&format!("# HELP {name} ")), "{name} is missing");
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let value = line.rsplit(' ').next().unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}

#[tokio::test]
async fn refused_requests_are_counted_as_protection() {
    let gateway = Gateway::start(Folder::new()).await;
    for _ in 0..2 {
        gateway.ask("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").await;
    }
    assert_eq!(gateway.metric("paifang_protection_total{rule=\"admission\"}").await, 2.0);
}

#[tokio::test]
async fn ipv6_is_served_and_reached() {
    let backend = Backend::echo_on(IpAddr::V6(Ipv6Addr::LOCALHOST), "six").await;
    let folder = Folder::with(backend.address(), "{rules: [{backends: [{service: echo}]}]}");
    let gateway = Gateway::start_with(folder, &["--http", "[::1]:0"]).await;
    let address = gateway.address("http");
    assert!(address.is_ipv6());
    let reply = gateway.ask(get(&format!("[::1]:{}", address.port()), "/six")).await;
    assert_eq!((reply.status, reply.backend()), (200, Some("six")));
    assert_eq!(backend.last().one("x-forwarded-for"), Some("::1"));
    let line = gateway.logged("/six").await;
    assert_eq!((&line["client"], &line["endpoint"]), (&"::1".into(), &backend.address().to_string().into()));
}

#[tokio::test]
async fn a_listener_for_all_addresses_takes_ipv4_and_shows_it_as_such() {
    let backend = Backend::echo("echo").await;
    let folder = Folder::with(backend.address(), "{rules: [{backends: [{service: echo}]}]}");
    let gateway = Gateway::start_with(folder, &["--http", "[::]:0"]).await;
    let port = gateway.address("http").port();
    for (address, client) in [(IpAddr::from([127, 0, 0, 1]), "127.0.0.1"), (Ipv6Addr::LOCALHOST.into(), "::1")] {
        assert_eq!(Wire::open((address, port).into()).await.ask(get("a.example", "/")).await.status, 200);
        assert_eq!(backend.last().one("x-forwarded-for"), Some(client));
    }
}
