//! What the gateway speaks to endpoints: HTTP/2 where the port of their Service says so, and the
//! form of heads in it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hyper::{
    HeaderMap, Response, Version,
    body::{Bytes, Frame},
};
use tokio::sync::{Barrier, Semaphore};

use crate::harness::{Folder, Gateway, Peer, Reply, Wire, frames, get, request, whole, within};

const ANY: &str = "{rules: [{backends: [{service: echo}]}]}";

async fn start(protocol: &str, address: SocketAddr, flags: &[&str]) -> Gateway {
    let folder = Folder::new();
    folder.service_speaking("echo", protocol, &[address]).route("web", ANY);
    // One core, so that its connections are all that there are.
    Gateway::start_with(folder, &[flags, &["--threads", "1"]].concat()).await
}

async fn ask_at_once(gateway: &Gateway, count: usize) -> Vec<Reply> {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..count {
        let mut wire = gateway.open().await;
        tasks.spawn(async move { wire.ask(get("a.example", &format!("/{number}"))).await });
    }
    tasks.join_all().await
}

#[tokio::test]
async fn endpoints_are_spoken_to_as_the_port_of_their_service_says() {
    for (protocol, version) in [
        ("grpc", Version::HTTP_2),
        ("h2c", Version::HTTP_2),
        ("kubernetes.io/h2c", Version::HTTP_2),
        ("http", Version::HTTP_11),
        ("kubernetes.io/ws", Version::HTTP_11),
        ("example.com/unheard-of", Version::HTTP_11),
    ] {
        let peer = Peer::echo().await;
        let gateway = start(protocol, peer.address(), &[]).await;
        assert_eq!(gateway.get("/").await.status, 200, "{protocol}");
        assert_eq!(peer.last().version, version, "{protocol}");
    }
}

#[tokio::test]
async fn a_head_has_the_form_of_http_2() {
    let peer = Peer::echo().await;
    let gateway = start("h2c", peer.address(), &[]).await;
    let fields = ["Host: a.example:81", "Connection: x-hop, te", "X-Hop: 1", "TE: trailers", "Upgrade: websocket"];
    let reply = gateway.ask(request("POST /a?b=c", &fields, "body")).await;
    assert_eq!((reply.status, reply.text()), (200, "body".to_owned()));
    let call = peer.last();
    assert_eq!(call.target.to_string(), "http://a.example:81/a?b=c");
    for (name, value) in [
        ("host", None),
        ("connection", None),
        ("x-hop", None),
        ("upgrade", None),
        ("te", Some("trailers")),
        ("content-length", Some("4")),
        ("x-forwarded-for", Some("127.0.0.1")),
        ("x-forwarded-host", Some("a.example:81")),
    ] {
        assert_eq!(call.headers.get(name).map(|value| value.to_str().unwrap()), value, "{name}");
    }
}

#[tokio::test]
async fn requests_share_a_connection() {
    let all_are_there = Arc::new(Barrier::new(60));
    let peer = Peer::start(100, move |_| {
        let all_are_there = Arc::clone(&all_are_there);
        async move {
            all_are_there.wait().await;
            Response::new(whole("ok"))
        }
    })
    .await;
    let gateway = start("h2c", peer.address(), &[]).await;
    for reply in ask_at_once(&gateway, 60).await {
        assert_eq!((reply.status, reply.text()), (200, "ok".to_owned()));
    }
    assert_eq!(peer.connections(), 1);
    let connects = gateway.metric("paifang_upstream_connects_total{result=\"ok\"}").await;
    assert_eq!(format!("{connects}"), "1");
}

#[tokio::test]
async fn another_connection_is_made_before_the_streams_of_one_run_out() {
    let held = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&held);
    let all_are_there = Arc::new(Barrier::new(21));
    let met = Arc::clone(&all_are_there);
    let peer = Peer::start(10, move |request| {
        let (gate, met) = (Arc::clone(&gate), Arc::clone(&met));
        async move {
            if request.uri().path() != "/first" {
                met.wait().await;
                drop(gate.acquire().await);
            }
            Response::new(whole("ok"))
        }
    })
    .await;
    let gateway = start("h2c", peer.address(), &[]).await;
    // From then on the gateway knows how many streams the endpoint allows.
    assert_eq!(gateway.get("/first").await.status, 200);
    let asking = ask_at_once(&gateway, 20);
    let (replies, _) = tokio::join!(asking, async {
        within("all requests arrive", all_are_there.wait()).await;
        held.add_permits(20);
    });
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
    let calls = peer.calls();
    let of = |connection| calls.iter().filter(|call| call.connection == connection).count();
    assert_eq!((peer.connections(), of(0)), (3, 1 + 8), "eight of ten streams are used before another is made");
}

#[tokio::test]
async fn a_change_of_protocol_uses_no_connection_of_the_other() {
    let peer = Peer::echo().await;
    let gateway = start("http", peer.address(), &[]).await;
    let mut wire = gateway.open().await;
    for (protocol, version) in [("h2c", Version::HTTP_2), ("http", Version::HTTP_11), ("h2c", Version::HTTP_2)] {
        gateway.folder.service_speaking("echo", protocol, &[peer.address()]);
        gateway.until("a.example", "/", |_| peer.last().version == version).await;
        assert_eq!(wire.ask(get("a.example", "/")).await.status, 200);
        assert_eq!(peer.last().version, version);
    }
}

#[tokio::test]
async fn a_stream_that_takes_too_long_ends_alone() {
    let arrived = Arc::new(Barrier::new(2));
    let met = Arc::clone(&arrived);
    let released = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&released);
    let peer = Peer::start(100, move |request| {
        let (met, gate) = (Arc::clone(&met), Arc::clone(&gate));
        async move {
            match request.uri().path() {
                "/never" => std::future::pending().await,
                "/held" => {
                    met.wait().await;
                    drop(gate.acquire().await);
                    Response::new(whole("held"))
                }
                _ => Response::new(whole("ok")),
            }
        }
    })
    .await;
    let folder = Folder::new();
    folder.service_speaking("echo", "h2c", &[peer.address()]);
    let never =
        "{proxy: {requestTimeout: 300ms}, rules: [{matches: [{path: {value: /never}}], backends: [{service: echo}]}]}";
    folder.route("web", ANY).route("never", never);
    let gateway = Gateway::start_with(folder, &["--threads", "1"]).await;
    let mut held = gateway.open().await;
    held.send(get("a.example", "/held")).await;
    within("the request arrives", arrived.wait()).await;
    let late = gateway.get("/never").await;
    assert_eq!((late.status, gateway.logged("/never").await["reason"].as_str()), (504, Some("upstream_timeout")));
    assert_eq!(gateway.get("/").await.status, 200);
    released.add_permits(1);
    assert_eq!(held.reply().await.text(), "held");
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn an_endpoint_that_does_not_speak_http_2_is_502() {
    let backend = crate::harness::Backend::echo("echo").await;
    let gateway = start("h2c", backend.address(), &[]).await;
    for path in ["/1", "/2"] {
        assert_eq!(gateway.get(path).await.status, 502);
        assert_eq!(gateway.logged(path).await["reason"], "upstream_broken");
    }
}

#[tokio::test]
async fn nobody_waits_longer_for_a_shared_dial_than_for_one_of_their_own() {
    // Nobody listens where a listener was a moment ago.
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gateway = start("h2c", gone, &[]).await;
    let began = std::time::Instant::now();
    for reply in ask_at_once(&gateway, 40).await {
        assert_eq!(reply.status, 502);
    }
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn trailers_of_an_endpoint_reach_clients_of_http_1_that_want_them() {
    let peer = Peer::start(100, |_| async {
        let trailers = HeaderMap::from_iter([("x-end".parse().unwrap(), "1".parse().unwrap())]);
        let body = frames(vec![Frame::data(Bytes::from("ok")), Frame::trailers(trailers)]);
        Response::builder().header("trailer", "x-end").body(body).unwrap()
    })
    .await;
    let gateway = start("h2c", peer.address(), &[]).await;
    let mut wire: Wire = gateway.open().await;
    let reply = wire.ask(request("GET /", &["Host: a.example", "TE: trailers", "Connection: te"], "")).await;
    assert_eq!((reply.text(), &reply.trailers[..]), ("ok".to_owned(), &[("x-end".to_owned(), "1".to_owned())][..]));
}
