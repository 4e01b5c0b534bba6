//! HTTP/2 from clients, over TLS and in plain text, to backends that speak HTTP/1.1.

use http_body_util::Full;
use hyper::{Request, body::Bytes};

use crate::harness::{Authority, Backend, Folder, Gateway, Http2, Script, TlsClient, Wire};

const SPEC: &str = "{hostnames: [a.example], tls: {secretName: a}, rules: [{matches: [{path: {value: /in}}], \
                    backends: [{service: echo}]}]}";

async fn start(address: std::net::SocketAddr, flags: &[&str]) -> (Gateway, Authority) {
    let authority = Authority::new("test");
    let folder = Folder::with(address, SPEC);
    folder.secret("a", &authority.issue(&["a.example"]));
    (Gateway::start_with(folder, flags).await, authority)
}

async fn connect(gateway: &Gateway, authority: &Authority) -> Http2 {
    Http2::over(TlsClient::new(authority, &["h2"]).open(gateway.address("https"), "a.example").await).await
}

/// HTTP/2 over TLS, and in plain text from the first byte on.
async fn both(gateway: &Gateway, authority: &Authority) -> [Http2; 2] {
    [connect(gateway, authority).await, Http2::over(gateway.open().await.into_parts().0).await]
}

fn request(path: &str, fields: &[(&str, &str)], body: &str) -> Request<Full<Bytes>> {
    let request = Request::post(format!("https://a.example{path}"));
    let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Full::from(body.to_owned())).expect("the request must be valid")
}

#[tokio::test]
async fn a_request_reaches_an_http_1_backend() {
    let backend = Backend::echo("echo").await;
    let (gateway, authority) = start(backend.address(), &[]).await;
    let mut client = connect(&gateway, &authority).await;
    let fields = [("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers"), ("x-real-ip", "1.1.1.1")];
    let answer = client.ask(request("/in/h2?q=1", &fields, "body")).await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b"body"[..]));
    assert!(answer.headers.contains_key("x-request-id"));
    let seen = backend.last();
    assert_eq!((seen.method.as_str(), seen.target.as_str(), &seen.body[..]), ("POST", "/in/h2?q=1", &b"body"[..]));
    for (name, value) in [
        ("host", Some("a.example")),
        ("cookie", Some("a=1; b=2")),
        ("x-forwarded-proto", Some("https")),
        ("x-forwarded-host", Some("a.example")),
        ("x-forwarded-for", Some("127.0.0.1")),
        ("te", Some("trailers")),
        ("x-real-ip", None),
    ] {
        assert_eq!(seen.one(name), value, "{name}");
    }
    let line = gateway.logged("/in/h2").await;
    assert_eq!((&line["protocol"], &line["host"], &line["tls"]), (&"HTTP/2".into(), &"a.example".into(), &true.into()));
}

#[tokio::test]
async fn answers_of_the_gateway_have_the_same_entity() {
    let backend = Backend::echo("echo").await;
    let (gateway, authority) = start(backend.address(), &["--max-body-bytes", "4"]).await;
    for mut client in both(&gateway, &authority).await {
        for (path, fields, body, status, code) in [
            ("/out", vec![], "", 404, "NotFound"),
            ("/in/../out", vec![], "", 400, "AmbiguousPath"),
            ("/in", vec![], "12345", 413, "BodyTooLarge"),
            ("/in", vec![("host", "b.example")], "", 400, "BadRequest"),
        ] {
            let answer = client.ask(request(path, &fields, body)).await;
            let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!((answer.status, &json["error"]["code"]), (status, &code.into()), "{path}");
            assert_eq!(answer.headers["content-type"], "application/json");
            assert!(!answer.headers.contains_key("connection"), "{path}");
        }
    }
    assert!(backend.seen().is_empty());
}

#[tokio::test]
async fn too_many_fields_are_431() {
    let backend = Backend::echo("echo").await;
    let (gateway, authority) = start(backend.address(), &[]).await;
    for mut client in both(&gateway, &authority).await {
        let names: Vec<_> = (0..150).map(|number| format!("x-{number}")).collect();
        let fields: Vec<_> = names.iter().map(|name| (name.as_str(), "v")).collect();
        assert_eq!(client.ask(request("/in", &fields, "")).await.status, 431);
        let large = "v".repeat(18_000);
        assert_eq!(client.ask(request("/in", &[("x-large", &large)], "")).await.status, 431);
        assert_eq!(client.ask(request("/in", &[], "x")).await.status, 200, "the connection goes on");
    }
}

#[tokio::test]
async fn a_client_may_begin_with_http_2_in_plain_text() {
    let backend = Backend::echo("echo").await;
    let (gateway, _) = start(backend.address(), &[]).await;
    let mut client = Http2::over(gateway.open().await.into_parts().0).await;
    let plain = Request::post("http://a.example/in/plain").header("x-forwarded-proto", "https");
    let answer = client.ask(plain.body(Full::from("body")).unwrap()).await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b"body"[..]));
    assert_eq!(backend.last().one("x-forwarded-proto"), Some("http"));
    let line = gateway.logged("/in/plain").await;
    assert_eq!((&line["protocol"], &line["tls"]), (&"HTTP/2".into(), &false.into()));
}

const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A frame of SETTINGS without any.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

#[tokio::test]
async fn the_beginning_of_http_2_may_come_in_pieces() {
    let backend = Backend::echo("echo").await;
    let (gateway, _) = start(backend.address(), &[]).await;
    let mut wire = gateway.open().await;
    for byte in PREFACE.bytes().chain(SETTINGS) {
        wire.send([byte]).await;
        tokio::task::yield_now().await;
    }
    let head = wire.take(9).await.unwrap();
    assert_eq!(head[3], 4, "SETTINGS come first: {head:?}");
}

#[tokio::test]
async fn what_begins_like_http_2_may_be_http_1() {
    let backend = Backend::echo("echo").await;
    let (gateway, _) = start(backend.address(), &["--head-timeout", "300ms"]).await;
    for method in ["P", "POST", "PUT", "PR", "PRI", "PRINT"] {
        let mut wire = gateway.open().await;
        for byte in format!("{method} /in HTTP/1.1\r\nHost: a.example\r\nConte").bytes() {
            wire.send([byte]).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(wire.ask("nt-Length: 4\r\n\r\nbody").await.status, 200, "{method}");
        assert_eq!(backend.last().method, method);
    }
    let mut stalled = gateway.open().await;
    stalled.send(&PREFACE[..10]).await;
    stalled.closed().await;
    gateway.protected("head_timeout").await;
    let mut ended = gateway.open().await;
    ended.send(&PREFACE[..10]).await;
    ended.finish().await;
    ended.rest().await;
}

#[tokio::test]
async fn http_2_begins_a_connection_or_is_agreed() {
    let backend = Backend::echo("echo").await;
    let (gateway, authority) = start(backend.address(), &[]).await;
    let mut later = gateway.open().await;
    assert_eq!(later.ask("GET /in HTTP/1.1\r\nHost: a.example\r\n\r\n").await.status, 200);
    later.send([PREFACE.as_bytes(), &SETTINGS].concat()).await;
    later.closed().await;
    for protocols in [&[][..], &["http/1.1"]] {
        let stream = TlsClient::new(&authority, protocols).open(gateway.address("https"), "a.example").await;
        let mut secure = Wire::over(stream);
        secure.send([PREFACE.as_bytes(), &SETTINGS].concat()).await;
        secure.closed().await;
    }
    gateway.protected("malformed").await;
}

#[tokio::test]
async fn fields_of_the_backends_connection_do_not_reach_the_client() {
    let backend = Script::start(|mut wire: Wire, _| async move {
        wire.request().await;
        wire.send(
            "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\n\
             Transfer-Encoding: chunked\r\nContent-Length: 9\r\nX-End: 1\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        )
        .await;
        wire.rest().await;
    })
    .await;
    let (gateway, authority) = start(backend.address(), &[]).await;
    let answer = connect(&gateway, &authority).await.ask(request("/in", &[], "")).await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b"ok"[..]));
    for name in ["connection", "keep-alive", "x-hop", "transfer-encoding", "content-length"] {
        assert!(!answer.headers.contains_key(name), "{name}");
    }
    assert_eq!(answer.headers["x-end"], "1");
}

#[tokio::test]
async fn many_streams_share_a_connection() {
    let backend = Backend::echo("echo").await;
    let (gateway, authority) = start(backend.address(), &[]).await;
    let clients = both(&gateway, &authority).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200 {
        let mut client = clients[number % 2].clone();
        tasks.spawn(async move {
            let body = format!("{number}").repeat(2000);
            let answer = client.ask(request("/in", &[], &body)).await;
            assert_eq!((answer.status, &answer.body[..]), (200, body.as_bytes()));
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn head_gets_no_body_whoever_answers() {
    let backend = Backend::echo("echo").await;
    let (gateway, authority) = start(backend.address(), &[]).await;
    let mut client = connect(&gateway, &authority).await;
    for (path, status) in [("/nowhere", 404), ("/in", 200)] {
        let head = Request::head(format!("https://a.example{path}")).body(Full::default()).unwrap();
        let answer = client.try_ask(head).await.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        assert_eq!((answer.status, answer.body.len()), (status, 0), "{path}");
        let length = answer.headers.get("content-length").map(|length| length.to_str().unwrap().to_owned());
        let asked = format!("HEAD {path} HTTP/1.1\r\nHost: a.example\r\n\r\n");
        let stream = TlsClient::new(&authority, &[]).open(gateway.address("https"), "a.example").await;
        let mut wire = Wire::over(stream);
        wire.send(asked).await;
        assert_eq!(wire.reply_to_head().await.field("content-length"), length.as_deref(), "{path}");
    }
}
