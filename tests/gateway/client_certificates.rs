//! Certificates of clients: who may speak to which host, and what happens where that cannot be found out.

use std::net::SocketAddr;

use rustls::{HandshakeKind, version};

use crate::harness::{Authority, Backend, DEADLINE, Folder, Gateway, TlsClient, Wire, eventually, get, request};

const RULES: &str = "rules: [{matches: [{path: {value: /}}], backends: [{service: echo}]}]";

fn spec(host: &str, validation: &str) -> String {
    format!("{{hostnames: [{host}], tls: {{secretName: server{validation}}}, {RULES}}}")
}

fn asking(secret: &str, mode: &str) -> String {
    format!(", clientValidation: {{caSecret: {{name: {secret}}}, mode: {mode}}}")
}

/// Who signs what.
struct Parties {
    servers: Authority,
    partners: Authority,
    strangers: Authority,
}

impl Parties {
    fn new() -> Self {
        let [servers, partners, strangers] = ["servers", "partners", "strangers"].map(Authority::new);
        Self { servers, partners, strangers }
    }

    /// A folder with hosts that ask for different certificates, and are served with one.
    fn folder(&self, backend: SocketAddr) -> Folder {
        let folder = Folder::new();
        folder.service("echo", &[backend]);
        let names = ["secure.example", "open.example", "optional.example", "other.example", "127.0.0.1"];
        folder.secret("server", &self.servers.issue(&names));
        folder.authorities("partners", self.partners.certificate());
        folder.authorities("strangers", self.strangers.certificate());
        for (name, validation) in [
            ("secure", asking("partners", "Require")),
            ("open", String::new()),
            ("optional", asking("partners", "Optional")),
            ("other", asking("strangers", "Require")),
        ] {
            folder.route(name, &spec(&format!("{name}.example"), &validation));
        }
        folder
    }

    fn client(&self, own: Option<&(String, String)>) -> TlsClient {
        TlsClient::showing(own, &self.servers, &["http/1.1"], rustls::ALL_VERSIONS)
    }
}

/// The status, or `None` where the handshake is refused: with TLS 1.3 a client learns that from the first read.
async fn ask(gateway: &Gateway, client: &TlsClient, name: &str, host: &str) -> Option<u16> {
    let mut wire = Wire::over(client.try_open(gateway.address("https"), name).await.ok()?);
    // The gateway may have closed already.
    let fields = [&format!("Host: {host}")[..], "X-Forwarded-Client-Cert: Hash=1"];
    let _ = wire.try_send(request("GET /", &fields, "")).await;
    wire.try_reply().await.ok().map(|reply| reply.status)
}

#[tokio::test]
async fn a_host_serves_the_clients_that_it_asks_for() {
    let (parties, backend) = (Parties::new(), Backend::echo("echo").await);
    let folder = parties.folder(backend.address());
    let gateway = Gateway::start_with(folder, &["--default-certificate", "default/server"]).await;
    let partner = parties.partners.issue(&["partner"]);
    let expired = parties.partners.issue_expired(&["partner"]);
    let stranger = parties.strangers.issue(&["stranger"]);
    let (nobody, partner, expired, stranger) = (None, Some(&partner), Some(&expired), Some(&stranger));
    for (own, name, host, status) in [
        (nobody, "secure.example", "secure.example", None),
        (expired, "secure.example", "secure.example", None),
        (stranger, "secure.example", "secure.example", None),
        (partner, "secure.example", "secure.example", Some(200)),
        (partner, "secure.example", "open.example", Some(200)),
        (partner, "secure.example", "other.example", Some(421)),
        (partner, "secure.example", "optional.example", Some(421)),
        (nobody, "open.example", "open.example", Some(200)),
        (stranger, "open.example", "open.example", Some(200)),
        (nobody, "open.example", "secure.example", Some(421)),
        (partner, "open.example", "secure.example", Some(421)),
        (nobody, "optional.example", "optional.example", Some(200)),
        (partner, "optional.example", "optional.example", Some(200)),
        (stranger, "optional.example", "optional.example", None),
        (nobody, "optional.example", "secure.example", Some(421)),
        (partner, "optional.example", "secure.example", Some(421)),
        (partner, "other.example", "other.example", None),
        (stranger, "other.example", "other.example", Some(200)),
        // Without a name in the handshake nobody is asked.
        (partner, "127.0.0.1", "open.example", Some(200)),
        (partner, "127.0.0.1", "secure.example", Some(421)),
    ] {
        for only in [&version::TLS12, &version::TLS13] {
            let client = TlsClient::showing(own, &parties.servers, &["http/1.1"], &[only]);
            let case = format!("{host} over {name} by {:?} and {only:?}", own.map(|_| "someone"));
            assert_eq!(ask(&gateway, &client, name, host).await, status, "{case}");
        }
    }
    assert!(backend.seen().iter().all(|seen| seen.one("x-forwarded-client-cert").is_none()));
    let refused = gateway.metric("paifang_tls_handshake_failures_total{cause=\"client_certificate\"}").await;
    assert!(refused >= 5.0, "{refused}");
}

#[tokio::test]
async fn nobody_gets_past_it_in_plain_text() {
    let (parties, backend) = (Parties::new(), Backend::echo("echo").await);
    let flags = ["--trusted-proxies", "127.0.0.0/8"];
    let gateway = Gateway::start_with(parties.folder(backend.address()), &flags).await;
    for (name, status) in [("secure", 403), ("optional", 200), ("open", 200)] {
        let host = format!("Host: {name}.example");
        let fields = [&host[..], "X-Forwarded-Proto: https"];
        let asked = request(&format!("GET /{name}"), &fields, "");
        assert_eq!(gateway.ask(asked).await.status, status, "{name}");
    }
    assert_eq!(gateway.logged("/secure").await["reason"], "client_certificate_required");
    // A trusted proxy may ask over TLS for whom it likes, but it vouches for no certificate.
    assert_eq!(ask(&gateway, &parties.client(None), "open.example", "secure.example").await, Some(421));
    let redirecting = asking("partners", "Require") + ", redirect: true";
    gateway.folder.route("secure", &spec("secure.example", &redirecting));
    gateway.until("secure.example", "/", |reply| reply.status == 308).await;
}

#[tokio::test]
async fn a_host_whose_authorities_are_not_known_serves_nobody() {
    let (parties, backend) = (Parties::new(), Backend::echo("echo").await);
    let folder = parties.folder(backend.address());
    folder.authorities("broken", "no certificate");
    folder.route("secure", &spec("secure.example", &asking("broken", "Require")));
    folder.route("optional", &spec("optional.example", &asking("missing", "Optional")));
    let gateway = Gateway::start(folder).await;
    let partner = parties.partners.issue(&["partner"]);
    for own in [None, Some(&partner)] {
        let client = parties.client(own);
        for host in ["secure.example", "optional.example"] {
            assert_eq!(ask(&gateway, &client, host, host).await, None, "{host}");
            assert_eq!(ask(&gateway, &client, "open.example", host).await, Some(421), "{host}");
            assert_eq!(gateway.ask(get(host, "/")).await.status, 403, "{host}");
        }
        assert_eq!(ask(&gateway, &client, "open.example", "open.example").await, Some(200));
    }
    gateway.folder.authorities("broken", parties.partners.certificate());
    until(&gateway, &parties.client(Some(&partner)), Some(200)).await;
    // Broken again, the last good version goes on.
    gateway.folder.authorities("broken", "no certificate");
    gateway.folder.route("later", "{hostnames: [later.example], rules: [{backends: [{service: echo}]}]}");
    gateway.until("later.example", "/", |reply| reply.status == 200).await;
    assert_eq!(ask(&gateway, &parties.client(Some(&partner)), "secure.example", "secure.example").await, Some(200));
}

/// Waits until a client of `secure.example` gets this status.
async fn until(gateway: &Gateway, client: &TlsClient, wanted: Option<u16>) {
    eventually(DEADLINE, &format!("{wanted:?}"), || async {
        let status = ask(gateway, client, "secure.example", "secure.example").await;
        if status == wanted { Ok(()) } else { Err(format!("{status:?}")) }
    })
    .await;
}

#[tokio::test]
async fn what_a_host_begins_to_ask_for_holds_for_open_connections_and_resumed_sessions() {
    let (parties, backend) = (Parties::new(), Backend::echo("echo").await);
    let folder = parties.folder(backend.address());
    folder.route("secure", &spec("secure.example", ""));
    let gateway = Gateway::start(folder).await;
    for only in [&version::TLS12, &version::TLS13] {
        gateway.folder.route("secure", &spec("secure.example", ""));
        let partner = parties.partners.issue(&["partner"]);
        let client = TlsClient::showing(Some(&partner), &parties.servers, &["http/1.1"], &[only]);
        until(&gateway, &parties.client(None), Some(200)).await;
        let stream = client.open(gateway.address("https"), "secure.example").await;
        let mut open = Wire::over(stream);
        assert_eq!(open.ask(get("secure.example", "/")).await.status, 200);
        gateway.folder.route("secure", &spec("secure.example", &asking("strangers", "Require")));
        // A client without session tickets sees when the change has come.
        until(&gateway, &parties.client(None), None).await;
        eventually(DEADLINE, "the open connection is for nobody", || async {
            let stream = client.open(gateway.address("https"), "open.example").await;
            let status = Wire::over(stream).ask(get("secure.example", "/")).await.status;
            if status == 421 { Ok(()) } else { Err(status) }
        })
        .await;
        assert_eq!(open.ask(get("secure.example", "/")).await.status, 421);
        assert_eq!(ask(&gateway, &client, "secure.example", "secure.example").await, None, "a ticket lets nobody in");
        gateway.folder.route("secure", &spec("secure.example", &asking("partners", "Require")));
        until(&gateway, &client, Some(200)).await;
        let resumed = client.open(gateway.address("https"), "secure.example").await;
        assert_eq!(resumed.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed), "{only:?}");
        assert_eq!(Wire::over(resumed).ask(get("secure.example", "/")).await.status, 200);
    }
}
