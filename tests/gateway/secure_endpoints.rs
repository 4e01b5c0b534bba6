//! TLS from the gateway to endpoints: who is believed, what is offered, what is shown.

use std::sync::Arc;

use hyper::Version;
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};

use crate::harness::{
    Authority, DEADLINE, Folder, Gateway, Peer, Script, Wire, eventually, health, request, with_policy,
};

/// Names of a Service's endpoints.
const NAME: &str = "echo.default.svc";

fn server(authority: &Authority, names: &[&str], clients: Option<&Authority>, alpn: &[&str]) -> ServerConfig {
    let (certificate, key) = authority.issue(names);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().expect("the versions must be supported");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            let root = CertificateDer::from_pem_slice(clients.certificate().as_bytes()).expect("PEM");
            roots.add(root).expect("the authority must be usable");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("the verifier must be made"))
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
    let mut config = builder.with_single_cert(chain, key).expect("the certificate must fit its key");
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

fn spec(proxy: &str) -> String {
    format!("{{proxy: {proxy}, rules: [{{backends: [{{service: echo}}]}}]}}")
}

async fn start(folder: Folder, proxy: &str) -> Gateway {
    folder.route("web", &spec(proxy));
    Gateway::start_with(folder, &["--threads", "1"]).await
}

#[tokio::test]
async fn an_endpoint_must_prove_to_be_the_service() {
    let (trusted, other) = (Authority::new("trusted"), Authority::new("other"));
    for (issuer, name, tls, status) in [
        (&trusted, NAME, "{caSecret: {name: ca}}", 200),
        (&trusted, "echo.default.svc.cluster.local", "{caSecret: {name: ca}}", 200),
        (&trusted, "b.example", "{caSecret: {name: ca}, serverName: b.example}", 200),
        (&trusted, "b.example", "{caSecret: {name: ca}}", 502),
        (&trusted, NAME, "{caSecret: {name: ca}, serverName: b.example}", 502),
        (&other, NAME, "{caSecret: {name: ca}}", 502),
        (&other, NAME, "{}", 502),
        (&other, "b.example", "{insecureSkipVerify: true}", 200),
    ] {
        let peer = Peer::secure_echo(server(issuer, &[name], None, &[])).await;
        let folder = Folder::new();
        folder.service("echo", &[peer.address()]).authorities("ca", trusted.certificate());
        let gateway = start(folder, &format!("{{scheme: Https, tls: {tls}}}")).await;
        let reply = gateway.ask(request("POST /in", &["Host: a.example"], "body")).await;
        assert_eq!(reply.status, status, "{name} with {tls}");
        if status == 502 {
            assert_eq!(gateway.logged("/in").await["reason"], "upstream_tls_failed", "{name} with {tls}");
            assert!(peer.calls().is_empty());
        } else {
            assert_eq!((reply.text(), peer.last().headers["host"].to_str().unwrap()), ("body".to_owned(), "a.example"));
        }
    }
}

#[tokio::test]
async fn what_is_spoken_over_tls_is_agreed_with_the_endpoint() {
    let authority = Authority::new("test");
    for (protocol, takes, version) in [
        ("https", &["h2", "http/1.1"][..], Version::HTTP_11),
        ("kubernetes.io/wss", &["h2", "http/1.1"], Version::HTTP_11),
        ("h2", &["h2", "http/1.1"], Version::HTTP_2),
        ("h2", &["http/1.1"], Version::HTTP_11),
        ("h2", &[], Version::HTTP_11),
    ] {
        let peer = Peer::secure_echo(server(&authority, &[NAME], None, takes)).await;
        let folder = Folder::new();
        folder.service_speaking("echo", protocol, &[peer.address()]).authorities("ca", authority.certificate());
        let gateway = start(folder, "{tls: {caSecret: {name: ca}}}").await;
        for _ in 0..3 {
            assert_eq!(gateway.get("/").await.status, 200, "{protocol} with {takes:?}");
        }
        let last = peer.last();
        assert_eq!(last.version, version, "{protocol} with {takes:?}");
        assert_eq!(peer.connections(), 1, "{protocol} with {takes:?}");
        if version == Version::HTTP_2 {
            assert_eq!(last.target.to_string(), "https://a.example/");
        }
    }
}

#[tokio::test]
async fn endpoints_that_ask_are_shown_the_certificate_of_the_gateway() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let peer = Peer::secure_echo(server(&servers, &[NAME], Some(&clients), &[])).await;
    let folder = Folder::new();
    folder.service("echo", &[peer.address()]).authorities("ca", servers.certificate());
    folder.secret("own", &clients.issue(&["gateway.example"]));
    let gateway = start(folder, "{scheme: Https, tls: {caSecret: {name: ca}}}").await;
    // With TLS 1.3 a client learns only afterwards that it was refused.
    assert_eq!(gateway.get("/").await.status, 502);
    gateway.folder.route("web", &spec("{scheme: Https, tls: {caSecret: {name: ca}, clientCertificate: {name: own}}}"));
    gateway.until("a.example", "/", |reply| reply.status == 200).await;
}

#[tokio::test]
async fn health_checks_believe_and_show_what_requests_do() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let peer = |name: &'static str, alpn| Peer::secure_echo(server(&servers, &[name], Some(&clients), alpn));
    for (path, protocol, alpn, version) in [
        ("path: /healthz", "h2", &["h2"][..], Some(Version::HTTP_2)),
        ("path: /healthz", "https", &[], Some(Version::HTTP_11)),
        ("timeout: 1s", "https", &[], None),
    ] {
        let (good, bad) = (peer(NAME, alpn).await, peer("b.example", alpn).await);
        let folder = Folder::new();
        folder.service_speaking("echo", protocol, &[good.address(), bad.address()]);
        folder.authorities("ca", servers.certificate()).secret("own", &clients.issue(&["gateway.example"]));
        let checked = |proxy: &str| {
            let check = format!("healthCheck: {{{path}, interval: 100ms, unhealthyThreshold: 2}}");
            format!("{{proxy: {{tls: {proxy}}}, {check}, rules: [{{backends: [{{service: echo}}]}}]}}")
        };
        folder.route("web", &checked("{caSecret: {name: ca}, clientCertificate: {name: own}}"));
        let gateway = Gateway::start_with(folder, &["--threads", "1"]).await;
        let out = format!(
            "paifang_endpoint_out{{cause=\"unhealthy\",endpoint=\"{}\",namespace=\"default\",port=\"80\",service=\"echo\"}}",
            bad.address()
        );
        are_unhealthy(&gateway, 1.0).await;
        assert!(gateway.metric(&out).await > 0.0, "{path} {protocol}");
        let told = gateway.log().lines().find(|line| line.contains("endpoint unhealthy")).map(str::to_owned);
        assert!(
            told.as_ref().is_some_and(|line| line.contains("\"reason\":\"TLS: invalid peer certificate")),
            "{told:?}"
        );
        let asked = good.calls().into_iter().find(|call| call.target.path() == "/healthz");
        assert_eq!(asked.map(|call| call.version), version, "{path} {protocol}");
        // A transport that changes is followed: now any certificate will do.
        gateway.folder.route("web", &checked("{insecureSkipVerify: true, clientCertificate: {name: own}}"));
        are_unhealthy(&gateway, 0.0).await;
    }
}

#[tokio::test]
async fn health_checks_of_grpc_go_over_tls_where_requests_do() {
    let servers = Authority::new("servers");
    let peer = |alpn| Peer::secure(server(&servers, &[NAME], None, alpn), |_| async { health(1) });
    // Requests speak HTTP/1.1, which gRPC cannot.
    let (good, old) = (peer(&["h2"]).await, peer(&["http/1.1"]).await);
    let folder = Folder::new();
    folder.service_speaking("echo", "https", &[good.address(), old.address()]);
    folder.authorities("ca", servers.certificate());
    let check = "healthCheck: {grpc: {}, interval: 100ms, unhealthyThreshold: 2}";
    let policy = format!("proxy: {{tls: {{caSecret: {{name: ca}}}}}}, {check}");
    folder.route("web", &with_policy(&policy));
    let gateway = Gateway::start_with(folder, &["--threads", "1"]).await;
    are_unhealthy(&gateway, 1.0).await;
    let told = gateway.log().lines().find(|line| line.contains("endpoint unhealthy")).map(str::to_owned);
    let is_old = |line: &String| {
        line.contains(&old.address().to_string()) && line.contains("\"reason\":\"it speaks no HTTP/2\"")
    };
    assert!(told.as_ref().is_some_and(is_old), "{told:?}");
    let call = good.last();
    assert_eq!((call.target.scheme_str(), call.target.path()), (Some("https"), "/grpc.health.v1.Health/Check"));
}

async fn are_unhealthy(gateway: &Gateway, count: f64) {
    eventually(DEADLINE, "the checks have found it", || async {
        let found = gateway.metric("paifang_endpoints{state=\"unhealthy\"}").await;
        if found.total_cmp(&count).is_eq() { Ok(()) } else { Err(found) }
    })
    .await;
}

#[tokio::test]
async fn a_secret_that_cannot_be_used_is_500_and_nothing_is_sent() {
    let peer = Peer::echo().await;
    let folder = Folder::new();
    folder.service("echo", &[peer.address()]).authorities("ca", "no certificate");
    let gateway = start(folder, "{scheme: Https, tls: {caSecret: {name: ca}}}").await;
    assert_eq!(gateway.get("/").await.status, 500);
    gateway.folder.route("web", &spec("{scheme: Https, tls: {caSecret: {name: none}}}"));
    assert_eq!(gateway.get("/").await.status, 500);
    gateway.folder.route("web", &spec("{}"));
    gateway.until("a.example", "/", |reply| reply.status == 200).await;
}

#[tokio::test]
async fn authorities_that_break_keep_their_last_good_version() {
    let authority = Authority::new("test");
    let peer = Peer::secure_echo(server(&authority, &[NAME], None, &[])).await;
    let folder = Folder::new();
    folder.service("echo", &[peer.address()]).authorities("ca", authority.certificate());
    let gateway = start(folder, "{scheme: Https, tls: {caSecret: {name: ca}}}").await;
    assert_eq!(gateway.get("/").await.status, 200);
    gateway.folder.authorities("ca", "no certificate");
    gateway
        .until("a.example", "/", |reply| {
            assert_eq!(reply.status, 200);
            gateway.log().contains("its last good version goes on serving")
        })
        .await;
    gateway.folder.authorities("ca", Authority::new("other").certificate());
    gateway.until("a.example", "/", |reply| reply.status == 502).await;
}

#[tokio::test]
async fn an_endpoint_that_does_not_finish_the_handshake_is_504() {
    let backend = Script::start(|mut wire: Wire, _| async move { drop(wire.rest().await) }).await;
    let folder = Folder::new();
    folder.service("echo", &[backend.address()]);
    let gateway = start(folder, "{scheme: Https, tlsHandshakeTimeout: 300ms, retryCount: 0}").await;
    assert_eq!(gateway.get("/in").await.status, 504);
    assert_eq!(gateway.logged("/in").await["reason"], "upstream_tls_timeout");
}
