//! Calls of gRPC: trailers, streams and deadlines pass, and errors of the gateway are ones of gRPC.
//! Messages are opaque to a proxy, so these peers send any bytes.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::{
    HeaderMap, Request, Response,
    body::{Bytes, Frame, Incoming},
    http::request::Builder,
};

use crate::harness::{Authority, Folder, Gateway, Http2, Peer, Streamed, TlsClient, frames, piped, whole, within};

const ROUTES: &str = "{hostnames: [a.example], tls: {secretName: a}, rules: [
    {matches: [{path: {value: /echo.Say}}], backends: [{service: echo}]},
    {matches: [{path: {value: /none.Say}}], backends: [{service: none}]},
    {matches: [{path: {value: /gone.Say}}], backends: [{service: gone}]},
    {matches: [{path: {value: /broken.Say}}], backends: [{service: missing}]}]}";

async fn start(peer: &Peer) -> (Gateway, Http2) {
    let authority = Authority::new("test");
    let folder = Folder::new();
    // Nobody listens where a listener was a moment ago.
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.and_then(|listener| listener.local_addr());
    let gone = gone.expect("a loopback port must be free");
    folder.service_speaking("echo", "grpc", &[peer.address()]).service("none", &[]).service("gone", &[gone]);
    folder.route("web", ROUTES).secret("a", &authority.issue(&["a.example"]));
    let gateway = Gateway::start(folder).await;
    let stream = TlsClient::new(&authority, &["h2"]).open(gateway.address("https"), "a.example").await;
    (gateway, Http2::over(stream).await)
}

fn call(path: &str) -> Builder {
    let request = Request::post(format!("https://a.example{path}"));
    request.header("content-type", "application/grpc").header("te", "trailers")
}

fn trailers(fields: &[(&'static str, &str)]) -> Frame<Bytes> {
    let fields = fields.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")));
    Frame::trailers(HeaderMap::from_iter(fields))
}

fn data(bytes: &'static str) -> Frame<Bytes> {
    Frame::data(Bytes::from_static(bytes.as_bytes()))
}

async fn next(body: &mut Incoming) -> Frame<Bytes> {
    within("a frame", body.frame()).await.expect("a frame must come before the end").expect("a frame must come")
}

/// Sends each frame back as it comes, and at the end the request's trailers in its own.
async fn echo(request: Request<Incoming>) -> Response<Streamed> {
    let (sender, body) = piped();
    tokio::spawn(async move {
        let mut incoming = request.into_body();
        while let Some(Ok(frame)) = incoming.frame().await {
            if sender.send(frame).await.is_err() {
                return;
            }
        }
        let _ = sender.send(trailers(&[("grpc-status", "0")])).await;
    });
    Response::builder().header("content-type", "application/grpc").body(body).expect("the answer must be valid")
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let peer = Peer::start(100, |request: Request<Incoming>| async {
        let came = request.into_body().collect().await.unwrap().trailers().cloned().unwrap_or_default();
        let names: Vec<_> = came.keys().map(|name| name.as_str().to_owned()).collect();
        let end = trailers(&[("grpc-status", "0"), ("x-came", &names.join(",")), ("x-forwarded-for", "1.1.1.1")]);
        Response::new(frames(vec![data("answer"), end]))
    })
    .await;
    let (_gateway, mut client) = start(&peer).await;
    let body = frames(vec![data("ask"), trailers(&[("x-sum", "1"), ("x-real-ip", "1.1.1.1"), ("host", "b.example")])]);
    let mut answer = client.open(call("/echo.Say/Hello").body(body).unwrap()).await.unwrap().into_body();
    assert_eq!(next(&mut answer).await.into_data().unwrap(), "answer");
    let end = next(&mut answer).await.into_trailers().unwrap();
    assert_eq!((&end["grpc-status"], &end["x-came"]), (&"0".parse().unwrap(), &"x-sum".parse().unwrap()));
    assert!(!end.contains_key("x-forwarded-for"), "it may only stand in a head");
    assert_eq!(peer.last().headers["te"], "trailers");
}

#[tokio::test]
async fn an_answer_without_messages_stays_one_head() {
    let peer = Peer::start(100, |_| async {
        let head = Response::builder().header("content-type", "application/grpc").header("grpc-status", "5");
        head.header("grpc-message", "no%20such").body(whole("")).unwrap()
    })
    .await;
    let (_gateway, mut client) = start(&peer).await;
    let response = client.open(call("/echo.Say/Hello").body(whole("ask")).unwrap()).await.unwrap();
    assert!(hyper::body::Body::is_end_stream(response.body()), "the head must end the stream");
    assert_eq!(
        (&response.headers()["grpc-status"], &response.headers()["grpc-message"]),
        (&"5".parse().unwrap(), &"no%20such".parse().unwrap())
    );
}

#[tokio::test]
async fn both_sides_stream_at_the_same_time() {
    let peer = Peer::start(100, echo).await;
    let (_gateway, mut client) = start(&peer).await;
    let (sender, body) = piped();
    let mut answer = client.open(call("/echo.Say/Chat").body(body).unwrap()).await.unwrap().into_body();
    for message in ["one", "two", "three"] {
        sender.send(data(message)).await.unwrap();
        assert_eq!(next(&mut answer).await.into_data().unwrap(), message);
    }
    drop(sender);
    assert_eq!(next(&mut answer).await.into_trailers().unwrap()["grpc-status"], "0");
}

#[tokio::test]
async fn the_deadline_of_the_client_ends_the_wait_for_an_answer() {
    let peer = Peer::start(100, |_| std::future::pending()).await;
    let (gateway, mut client) = start(&peer).await;
    let (sender, body) = piped();
    let asking = client.open(call("/echo.Say/Never").header("grpc-timeout", "300m").body(body).unwrap());
    // A client that goes on sending gets no more time than it asked for.
    let sending = async {
        while sender.send(data("more")).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let response = tokio::select! {
        response = asking => response.unwrap(),
        () = sending => panic!("the request must be taken until there is an answer"),
    };
    assert_eq!((response.status().as_u16(), &response.headers()["grpc-status"]), (200, &"4".parse().unwrap()));
    assert_eq!(gateway.logged("/echo.Say/Never").await["reason"], "upstream_timeout");
}

#[tokio::test]
async fn errors_of_the_gateway_are_errors_of_grpc() {
    let peer = Peer::start(100, |_| async {
        let head = Response::builder().header("content-type", "application/grpc").header("grpc-status", "14");
        head.body(whole("")).unwrap()
    })
    .await;
    let (gateway, mut client) = start(&peer).await;
    for (path, status, reason) in [
        ("/nowhere.Say/Hello", "12", "no_route"),
        ("/none.Say/Hello", "14", "no_endpoint"),
        ("/gone.Say/Hello", "14", "connect_failed"),
        ("/broken.Say/Hello", "13", "misconfigured"),
        ("/echo.Say/x/../Hello", "13", "ambiguous_path"),
    ] {
        let response = client.open(call(path).body(whole("ask")).unwrap()).await.unwrap();
        assert!(hyper::body::Body::is_end_stream(response.body()), "{path}");
        let headers = response.headers();
        assert_eq!((response.status().as_u16(), &headers["content-type"]), (200, &"application/grpc".parse().unwrap()));
        assert_eq!(headers["grpc-status"], status, "{path}");
        assert!(headers.contains_key("grpc-message") && headers.contains_key("x-request-id"), "{path}");
        let line = gateway.logged(path).await;
        assert_eq!((&line["reason"], line["grpc_status"].to_string()), (&reason.into(), status.to_owned()), "{path}");
    }
    for (status, calls) in [("12", 1.0), ("13", 2.0), ("14", 2.0), ("4", 0.0)] {
        let series = format!("paifang_grpc_errors_total{{grpc_status=\"{status}\"}}");
        assert_eq!(gateway.metric(&series).await, calls, "{series}");
    }
    let web = Request::post("https://a.example/nowhere").header("content-type", "application/grpc-web");
    assert_eq!(
        client.open(web.body(whole("ask")).unwrap()).await.unwrap().status(),
        404,
        "gRPC-Web is another protocol"
    );
    let failed = client.open(call("/echo.Say/Fails").body(whole("ask")).unwrap()).await.unwrap();
    assert_eq!(failed.headers()["grpc-status"], "14");
    let line = gateway.logged("/echo.Say/Fails").await;
    assert!(line.get("grpc_status").is_none(), "what services answer is not read: {line}");
    assert_eq!(gateway.metric("paifang_grpc_errors_total{grpc_status=\"14\"}").await, 2.0);
}

#[tokio::test]
async fn a_client_that_reads_nothing_holds_its_peer_back_and_no_one_else() {
    const CHUNK: usize = 64 * 1024;
    let (report, mut stalled) = tokio::sync::mpsc::unbounded_channel();
    let peer = Peer::start(100, move |request: Request<Incoming>| {
        let report = report.clone();
        async move {
            if request.uri().path() == "/echo.Say/Short" {
                return Response::new(frames(vec![data("ok"), trailers(&[("grpc-status", "0")])]));
            }
            let (sender, body) = piped();
            tokio::spawn(async move {
                for sent in 0..256 {
                    let frame = || Frame::data(Bytes::from_static(&[0; CHUNK]));
                    if tokio::time::timeout(Duration::from_secs(1), sender.reserve()).await.is_err() {
                        let _ = report.send(sent);
                    }
                    if sender.send(frame()).await.is_err() {
                        return;
                    }
                }
            });
            Response::new(body)
        }
    })
    .await;
    let (_gateway, mut client) = start(&peer).await;
    let long = client.open(call("/echo.Say/Long").body(whole("")).unwrap()).await.unwrap();
    let sent = within("the peer is held back", stalled.recv()).await.unwrap() * CHUNK;
    assert!(sent < 8 * 1024 * 1024, "{sent} bytes lie somewhere between peer and client");
    let short = client.open(call("/echo.Say/Short").body(whole("")).unwrap()).await.unwrap();
    assert_eq!(short.into_body().collect().await.unwrap().to_bytes(), "ok");
    let all = within("the rest", long.into_body().collect()).await.unwrap().to_bytes();
    assert_eq!(all.len(), 256 * CHUNK);
}

#[tokio::test]
async fn errors_of_the_gateway_are_errors_of_grpc_web() {
    let folder = Folder::new();
    folder.service_speaking("none", "grpc", &[]);
    folder.route("web", "{rules: [{handler: {type: Rpc}, backends: [{service: none}]}]}");
    let gateway = Gateway::start(folder).await;
    for type_ in ["application/grpc-web+proto", "application/grpc-web-text+proto"] {
        let head =
            format!("POST /a.B/C HTTP/1.1\r\nhost: a.example\r\ncontent-type: {type_}\r\ncontent-length: 0\r\n\r\n");
        let reply = gateway.ask(head).await;
        assert_eq!((reply.status, reply.field("grpc-status")), (200, Some("14")), "{}", reply.text());
        assert_eq!(reply.field("content-type"), Some(type_));
    }
    assert_eq!(gateway.get("/v1/things").await.status, 502, "nobody says what it is");
}
