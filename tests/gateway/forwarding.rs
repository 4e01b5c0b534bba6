//! The Http handler: what reaches the backend of a request, and what comes back.

use http_body_util::Full;
use hyper::{Response, header::SET_COOKIE};

use crate::harness::{Backend, Folder, Gateway, Script, Wire, get, request};

const ANY: &str = "{rules: [{backends: [{service: echo}]}]}";

async fn gateway(backend: &Backend) -> Gateway {
    Gateway::start(Folder::with(backend.address(), ANY)).await
}

async fn trusting(backend: &Backend) -> Gateway {
    Gateway::start_with(Folder::with(backend.address(), ANY), &["--trusted-proxies", "127.0.0.0/8"]).await
}

#[tokio::test]
async fn path_and_query_reach_the_backend_unchanged() {
    let backend = Backend::echo("echo").await;
    let gateway = gateway(&backend).await;
    let mut wire = gateway.open().await;
    for target in [
        "/web/a/b?q=1",
        "/greeter/:name",
        "/",
        "/?",
        "/a?x=%2F%2e%2E&y=a+b;c//d",
        "/caf%C3%A9",
        "/a%20b",
        "/a/?q=http://x/y",
        "/a!$&'()*+,=:@b-._~",
    ] {
        assert_eq!(wire.ask(get("a.example", target)).await.status, 200, "{target}");
        assert_eq!(backend.last().target, target);
    }
}

#[tokio::test]
async fn method_and_body_reach_the_backend_unchanged() {
    let backend = Backend::echo("echo").await;
    let gateway = gateway(&backend).await;
    let mut wire = gateway.open().await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE", "get"] {
        let body = format!("body of {method}");
        let reply = wire.ask(request(&format!("{method} /x"), &["Host: a.example"], &body)).await;
        assert_eq!((reply.status, reply.text()), (200, body.clone()), "{method}");
        assert_eq!((backend.last().method, &backend.last().body[..]), (method.to_owned(), body.as_bytes()));
    }
}

#[tokio::test]
async fn the_host_of_the_client_is_kept() {
    let backend = Backend::echo("echo").await;
    let gateway = gateway(&backend).await;
    for host in ["a.example", "A.Example:8080", "10.0.0.1", "[::1]:80"] {
        gateway.ask(get(host, "/")).await;
        assert_eq!(backend.last().one("host"), Some(host));
    }
}

#[tokio::test]
async fn cookies_pass_both_ways() {
    let backend = Backend::answering(|_| {
        let mut response = Response::new(Full::default());
        for cookie in ["a=1; Path=/; HttpOnly", "b=2"] {
            response.headers_mut().append(SET_COOKIE, cookie.parse().unwrap());
        }
        response
    })
    .await;
    let gateway = gateway(&backend).await;
    let reply = gateway.ask(request("GET /", &["Host: a.example", "Cookie: c=1; d=\"x y\""], "")).await;
    assert_eq!(backend.last().one("cookie"), Some("c=1; d=\"x y\""));
    assert_eq!(reply.head.all("set-cookie"), ["a=1; Path=/; HttpOnly", "b=2"]);
}

#[tokio::test]
async fn the_client_address_is_the_peer_when_nobody_is_trusted() {
    let backend = Backend::echo("echo").await;
    let gateway = gateway(&backend).await;
    gateway.ask(request("GET /", &["Host: a.example", "X-Forwarded-For: 1.1.1.1"], "")).await;
    let seen = backend.last();
    assert_eq!(seen.one("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.one("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.one("x-forwarded-host"), Some("a.example"));
}

#[tokio::test]
async fn a_trusted_proxy_is_appended_and_believed() {
    let backend = Backend::echo("echo").await;
    let gateway = trusting(&backend).await;
    let fields = [
        "Host: a.example",
        "X-Forwarded-For: 6.6.6.6, 192.0.2.1",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: b.example",
    ];
    gateway.ask(request("GET /chain", &fields, "")).await;
    let seen = backend.last();
    assert_eq!(seen.one("x-forwarded-for"), Some("6.6.6.6, 192.0.2.1, 127.0.0.1"));
    assert_eq!(seen.one("x-forwarded-proto"), Some("https"));
    assert_eq!(seen.one("x-forwarded-host"), Some("b.example"));
    let line = gateway.logged("/chain").await;
    assert_eq!(line["client"], "192.0.2.1", "the last hop that is not trusted");
}

#[tokio::test]
async fn a_scheme_is_believed_however_a_trusted_proxy_writes_it() {
    let backend = Backend::echo("echo").await;
    let gateway = trusting(&backend).await;
    for (said, passed) in [("HTTPS", "https"), ("https, http", "https"), ("javascript", "http"), ("http", "http")] {
        let field = format!("X-Forwarded-Proto: {said}");
        gateway.ask(request("GET /", &["Host: a.example", &field], "")).await;
        assert_eq!(backend.last().one("x-forwarded-proto"), Some(passed), "{said}");
    }
}

#[tokio::test]
async fn aliases_of_what_the_gateway_sets_do_not_pass_even_from_a_trusted_proxy() {
    let backend = Backend::echo("echo").await;
    let gateway = trusting(&backend).await;
    let forged = [
        "X_Forwarded_For: 1.1.1.1",
        "X-Forwarded_Proto: https",
        "X_Real_IP: 1.1.1.1",
        "X_Request_ID: forged",
        "Content_Length: 7",
        "X_Tenant: kept",
    ];
    gateway.ask(request("GET /", &[&["Host: a.example"][..], &forged].concat(), "")).await;
    let fields = backend.last().fields;
    let left: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).filter(|name| name.contains('_')).collect();
    assert_eq!(left, ["x_tenant"]);
}

#[tokio::test]
async fn several_forwarded_fields_become_one_list() {
    let backend = Backend::echo("echo").await;
    let gateway = trusting(&backend).await;
    let fields = ["Host: a.example", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: ", "X-Forwarded-For: 192.0.2.2"];
    gateway.ask(request("GET /", &fields, "")).await;
    assert_eq!(backend.last().one("x-forwarded-for"), Some("192.0.2.1, 192.0.2.2, 127.0.0.1"));
}

#[tokio::test]
async fn an_empty_forwarded_list_becomes_the_peer_alone() {
    let backend = Backend::echo("echo").await;
    let gateway = trusting(&backend).await;
    gateway.ask(request("GET /", &["Host: a.example", "X-Forwarded-For: "], "")).await;
    assert_eq!(backend.last().one("x-forwarded-for"), Some("127.0.0.1"));
}

#[tokio::test]
async fn identity_fields_from_strangers_do_not_pass_in_any_spelling() {
    let backend = Backend::echo("echo").await;
    let gateway = gateway(&backend).await;
    let forged = [
        "Forwarded: for=1.1.1.1",
        "X-Forwarded-Prefix: /admin",
        "X-Forwarded-Port: 1",
        "X_Forwarded_Proto: https",
        "x-forwarded_for: 1.1.1.1",
        "X-Real-IP: 1.1.1.1",
        "X_Real_Ip: 1.1.1.1",
        "X-Envoy-External-Address: 1.1.1.1",
        "X-Original-URL: /admin",
        "X_ORIGINAL_METHOD: DELETE",
        "X-Client-IP: 1.1.1.1",
    ];
    let fields = [&["Host: a.example"][..], &forged].concat();
    gateway.ask(request("GET /", &fields, "")).await;
    let fields = backend.last().fields;
    let left: Vec<_> =
        fields.iter().filter(|(_, value)| value.contains("1.1.1.1") || value.contains("admin")).collect();
    assert!(left.is_empty(), "{left:?}");
    let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).filter(|name| name.contains('_')).collect();
    assert!(names.is_empty(), "{names:?}");
}

#[tokio::test]
async fn fields_of_one_hop_do_not_reach_the_backend() {
    let backend = Backend::echo("echo").await;
    let gateway = gateway(&backend).await;
    let fields = [
        "Host: a.example",
        "Connection: keep-alive, X-Hop",
        "X-Hop: 1",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "Proxy-Authorization: Basic x",
        "TE: trailers, gzip",
        "Upgrade: h2c",
        "Authorization: Bearer y",
        "X-End: 1",
    ];
    assert_eq!(gateway.ask(request("GET /", &fields, "")).await.status, 200);
    let seen = backend.last();
    for name in ["x-hop", "keep-alive", "proxy-connection", "proxy-authorization", "upgrade"] {
        assert_eq!(seen.all(name), Vec::<&str>::new(), "{name}");
    }
    assert_eq!(seen.one("connection"), Some("te"), "what the gateway itself says");
    assert_eq!((seen.one("authorization"), seen.one("x-end")), (Some("Bearer y"), Some("1")));
}

#[tokio::test]
async fn the_readiness_for_trailers_is_passed_on() {
    let backend = Backend::echo("echo").await;
    let gateway = gateway(&backend).await;
    gateway.ask(request("GET /", &["Host: a.example", "Connection: TE", "TE: trailers, gzip;q=0.5"], "")).await;
    let seen = backend.last();
    assert_eq!((seen.one("te"), seen.one("connection")), (Some("trailers"), Some("te")));
}

#[tokio::test]
async fn connection_cannot_drop_what_the_gateway_sets() {
    let backend = Backend::echo("echo").await;
    let gateway = gateway(&backend).await;
    let fields = [
        "Host: a.example",
        "Connection: close, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, X-Real-IP, Host, X-Request-ID, \
         Authorization, Cookie, Content-Length",
        "Authorization: Bearer y",
        "Cookie: c=1",
        "X-Request-ID: kept",
    ];
    let reply = gateway.ask(request("POST /", &fields, "body")).await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "body"));
    let seen = backend.last();
    for (name, value) in [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "a.example"),
        ("host", "a.example"),
        ("authorization", "Bearer y"),
        ("cookie", "c=1"),
        ("x-request-id", "kept"),
        ("content-length", "4"),
    ] {
        assert_eq!(seen.one(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn fields_of_one_hop_do_not_reach_the_client() {
    let backend = crate::harness::Script::start(|mut wire: Wire, _| async move {
        wire.request().await;
        wire.send(
            "HTTP/1.1 200 OK\r\nConnection: X-Hop, keep-alive, Set-Cookie\r\nKeep-Alive: timeout=9\r\nX-Hop: 1\r\n\
             Upgrade: h2c\r\nProxy-Authenticate: Basic\r\nSet-Cookie: s=1\r\nServer: pod\r\nContent-Length: 2\r\n\r\nok",
        )
        .await;
    })
    .await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    let reply = gateway.get("/").await;
    assert_eq!((reply.status, reply.text().as_str(), reply.field("server")), (200, "ok", Some("pod")));
    assert_eq!(reply.field("set-cookie"), Some("s=1"), "no backend can have it taken for its own connection");
    for name in ["connection", "keep-alive", "x-hop", "upgrade", "proxy-authenticate"] {
        assert_eq!(reply.head.all(name), Vec::<&str>::new(), "{name}");
    }
}

#[tokio::test]
async fn nothing_is_added_that_the_client_did_not_ask_for() {
    let backend = Backend::echo("echo").await;
    let gateway = gateway(&backend).await;
    gateway.ask(request("POST /", &["Host: a.example"], "text")).await;
    let fields = backend.last().fields;
    let mut names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["content-length", "host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-request-id"]
    );
}

#[tokio::test]
async fn a_prefix_is_cut_where_the_route_says_so() {
    let backend = Backend::echo("echo").await;
    let spec = "{proxy: {trimPrefix: true}, rules: [{matches: [{path: {value: /web}}], backends: [{service: echo}]}]}";
    let gateway = Gateway::start(Folder::with(backend.address(), spec)).await;
    for (sent, seen) in [
        ("/web/a/b?q=1", "/a/b?q=1"),
        ("/web", "/"),
        ("/web/", "/"),
        ("/web?q=1", "/?q=1"),
        ("/web/web/x", "/web/x"),
        ("/web/a%20b", "/a%20b"),
    ] {
        assert_eq!(gateway.get(sent).await.status, 200, "{sent}");
        assert_eq!(backend.last().target, seen, "{sent}");
    }
    assert_eq!(gateway.get("/website").await.status, 404, "a prefix ends at a segment border");
}

#[tokio::test]
async fn requests_that_count_their_hops_end_at_the_last_one() {
    let backend = Backend::echo("echo").await;
    let gateway = gateway(&backend).await;
    for (method, left, status) in [("OPTIONS", "0", 204), ("TRACE", "0", 405)] {
        let field = format!("Max-Forwards: {left}");
        let reply = gateway.ask(request(&format!("{method} /"), &["Host: a.example", &field], "")).await;
        assert_eq!(reply.status, status, "{method}: {reply:?}");
    }
    assert!(backend.seen().is_empty());
    for (method, left, further) in
        [("OPTIONS", "5", "4"), ("TRACE", "1", "0"), ("OPTIONS", "many", "many"), ("GET", "0", "0")]
    {
        let field = format!("Max-Forwards: {left}");
        gateway.ask(request(&format!("{method} /"), &["Host: a.example", &field], "")).await;
        assert_eq!(backend.last().one("max-forwards"), Some(further), "{method} {left}");
    }
}

/// The library leaves them out.
#[tokio::test]
async fn informational_answers_do_not_pass() {
    let backend = Script::start(|mut wire: Wire, _| async move {
        wire.request().await;
        wire.send("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").await;
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        wire.rest().await;
    })
    .await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    let reply = gateway.get("/").await;
    assert_eq!((reply.status, reply.field("link"), reply.text().as_str()), (200, None, "ok"));
}

#[tokio::test]
async fn an_answer_may_have_100_fields() {
    for (fields, status) in [(100, 200), (101, 502)] {
        let backend = Script::start(move |mut wire: Wire, _| async move {
            wire.request().await;
            let more: String = (1..fields).map(|number| format!("X-{number}: v\r\n")).collect();
            wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{more}\r\n")).await;
            wire.rest().await;
        })
        .await;
        let gateway = Gateway::start(Folder::with(backend.address(), "{rules: [{backends: [{service: echo}]}]}")).await;
        assert_eq!(gateway.get("/").await.status, status, "{fields} fields");
    }
}
