//! Start and end of the process.

use std::{net::TcpListener, sync::Arc, time::Duration};

use tokio::sync::Notify;

use crate::harness::{
    Authority, Backend, DEADLINE, Folder, Gateway, Http2, Script, TlsClient, Wire, eventually, get, run_to_end,
};

const ANY: &str = "{rules: [{backends: [{service: echo}]}]}";

/// A backend that answers when it is told to.
async fn on_notice(go_on: &Arc<Notify>) -> Script {
    let go_on = Arc::clone(go_on);
    Script::start(move |mut wire: Wire, _| {
        let go_on = Arc::clone(&go_on);
        async move {
            wire.request().await;
            go_on.notified().await;
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").await;
            wire.rest().await;
        }
    })
    .await
}

async fn unready(gateway: &Gateway) {
    eventually(DEADLINE, "readiness says no", || async {
        let status = gateway.admin("/readyz").await.status;
        if status == 503 { Ok(()) } else { Err(status) }
    })
    .await;
}

#[tokio::test]
async fn draining_answers_and_asks_clients_to_connect_elsewhere() {
    let backend = Backend::echo("echo").await;
    let mut gateway = Gateway::start_with(Folder::with(backend.address(), ANY), &["--drain-delay", "1s"]).await;
    let mut open = gateway.open().await;
    assert_eq!(open.ask(get("a.example", "/")).await.field("connection"), None);
    gateway.signal("TERM");
    unready(&gateway).await;
    let reply = open.ask(get("a.example", "/")).await;
    assert_eq!((reply.status, reply.field("connection")), (200, Some("close")));
    open.closed().await;
    let reply = gateway.get("/new").await;
    assert_eq!((reply.status, reply.field("connection")), (200, Some("close")), "new connections are still taken");
    assert_eq!(gateway.admin("/livez").await.status, 200);
    assert_eq!(gateway.end(DEADLINE).await.code(), Some(0));
}

#[tokio::test]
async fn draining_closes_idle_connections_and_waits_for_requests() {
    let go_on = Arc::<Notify>::default();
    let backend = on_notice(&go_on).await;
    let mut gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    let (mut busy, mut idle) = (gateway.open().await, gateway.open().await);
    busy.send(get("a.example", "/")).await;
    eventually(DEADLINE, "the request is with the backend", || {
        std::future::ready(if backend.connections() == 1 { Ok(()) } else { Err("not yet") })
    })
    .await;
    gateway.signal("TERM");
    idle.closed().await;
    go_on.notify_one();
    assert_eq!(busy.reply().await.text(), "done");
    busy.closed().await;
    assert_eq!(gateway.end(DEADLINE).await.code(), Some(0));
}

#[tokio::test]
async fn a_connection_that_came_just_before_the_end_is_answered() {
    let backend = Backend::echo("echo").await;
    let mut gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    let (mut idle, mut new) = (gateway.open().await, gateway.open().await);
    assert_eq!(idle.ask(get("a.example", "/")).await.status, 200);
    gateway.signal("TERM");
    idle.closed().await;
    let reply = new.ask(get("a.example", "/")).await;
    assert_eq!((reply.status, reply.field("connection")), (200, Some("close")));
    assert_eq!(gateway.end(DEADLINE).await.code(), Some(0));
}

#[tokio::test]
async fn a_connection_that_brings_nothing_does_not_hold_the_drain() {
    let backend = Backend::echo("echo").await;
    let mut gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    let mut silent = gateway.open().await;
    gateway.signal("TERM");
    silent.closed().await;
    assert_eq!(gateway.end(Duration::from_secs(5)).await.code(), Some(0));
}

/// While the process is stopped, the kernel takes connections for it.
#[tokio::test]
async fn connections_that_the_kernel_has_taken_are_answered_before_the_end() {
    let backend = Backend::echo("echo").await;
    let mut gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    gateway.signal("STOP");
    let mut waiting = Vec::new();
    for _ in 0..100 {
        let mut wire = gateway.open().await;
        wire.send(get("a.example", "/")).await;
        waiting.push(wire);
    }
    gateway.signal("TERM");
    gateway.signal("CONT");
    for mut wire in waiting {
        assert_eq!(wire.reply().await.status, 200);
    }
    assert_eq!(gateway.end(DEADLINE).await.code(), Some(0));
}

#[tokio::test]
async fn the_drain_timeout_ends_requests_that_take_too_long() {
    let go_on = Arc::<Notify>::default();
    let backend = on_notice(&go_on).await;
    let folder = Folder::with(backend.address(), ANY);
    let mut gateway = Gateway::start_with(folder, &["--drain-timeout", "200ms"]).await;
    let mut busy = gateway.open().await;
    busy.send(get("a.example", "/")).await;
    eventually(DEADLINE, "the request is with the backend", || {
        std::future::ready(if backend.connections() == 1 { Ok(()) } else { Err("not yet") })
    })
    .await;
    gateway.signal("TERM");
    assert_eq!(gateway.end(DEADLINE).await.code(), Some(0));
    busy.try_reply().await.expect_err("the request must be cut off");
}

#[tokio::test]
async fn draining_sends_http_2_clients_away() {
    let (authority, backend) = (Authority::new("test"), Backend::echo("echo").await);
    let folder = Folder::with(
        backend.address(),
        "{hostnames: [a.example], tls: {secretName: a}, rules: [{backends: [{service: echo}]}]}",
    );
    folder.secret("a", &authority.issue(&["a.example"]));
    let mut gateway = Gateway::start(folder).await;
    let stream = TlsClient::new(&authority, &["h2"]).open(gateway.address("https"), "a.example").await;
    let mut client = Http2::over(stream).await;
    let request = hyper::Request::get("https://a.example/").body(http_body_util::Full::default()).unwrap();
    assert_eq!(client.ask(request).await.status, 200);
    gateway.signal("TERM");
    client.closed().await;
    assert_eq!(gateway.end(DEADLINE).await.code(), Some(0));
}

#[tokio::test]
async fn an_interrupt_leaves_the_drain_delay_out() {
    let backend = Backend::echo("echo").await;
    let mut gateway = Gateway::start_with(Folder::with(backend.address(), ANY), &["--drain-delay", "60s"]).await;
    let mut idle = gateway.open().await;
    assert_eq!(idle.ask(get("a.example", "/")).await.status, 200);
    gateway.signal("INT");
    assert_eq!(gateway.end(Duration::from_secs(5)).await.code(), Some(0));
}

#[tokio::test]
async fn the_access_log_is_complete_at_the_end() {
    let backend = Backend::echo("echo").await;
    let mut gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    gateway.get("/last").await;
    gateway.signal("TERM");
    gateway.end(DEADLINE).await;
    assert!(gateway.log().contains("\"/last\""), "{}", gateway.log());
}

/// The one line that says why the process did not start.
fn complaint(log: &str) -> &str {
    let lines: Vec<_> = log.lines().filter(|line| line.starts_with("paifang: ")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    lines[0]
}

#[tokio::test]
async fn a_port_in_use_names_the_listener_and_the_mend() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for listener in ["http", "https", "admin"] {
        let mut flags = Vec::new();
        for (name, flag) in [("http", "--http"), ("https", "--https"), ("admin", "--admin")] {
            flags.extend([flag, if name == listener { address.as_str() } else { "127.0.0.1:0" }]);
        }
        let (code, log) = run_to_end(&Folder::new(), &flags).await;
        let line = complaint(&log);
        assert_eq!(code, Some(2), "{log}");
        for word in [&format!("the {listener} listener"), &address, &format!("--{listener} ADDR:PORT")] {
            assert!(line.contains(word.as_str()), "{word}: {line}");
        }
    }
}

#[tokio::test]
async fn a_port_is_shared_by_those_who_both_say_so() {
    let backend = Backend::echo("echo").await;
    let start = async |flags: &[&str]| Gateway::start_with(Folder::with(backend.address(), ANY), flags).await;
    let first = start(&["--reuse-port"]).await;
    let http = first.address("http").to_string();
    let second = start(&["--reuse-port", "--http", &http]).await;
    drop(first);
    assert_eq!(second.get("/").await.status, 200);
    let admin = second.address("admin").to_string();
    for (flags, taken) in [
        (["--http", &http, "--admin", "127.0.0.1:0", "--max-headers=100"], "the http listener"),
        (["--http", "127.0.0.1:0", "--admin", &admin, "--reuse-port"], "the admin listener"),
    ] {
        let (code, log) = run_to_end(&Folder::new(), &flags).await;
        assert_eq!(code, Some(2), "{flags:?}: {log}");
        assert!(complaint(&log).contains(taken), "{log}");
    }
}

const FREE: [&str; 6] = ["--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--admin", "127.0.0.1:0"];

#[tokio::test]
async fn a_missing_folder_is_named() {
    let folder = Folder::new();
    let path = folder.path().to_owned();
    std::fs::remove_dir(&path).unwrap();
    let (code, log) = run_to_end(&folder, &FREE).await;
    assert_eq!(code, Some(2), "{log}");
    assert!(complaint(&log).contains(path.to_str().unwrap()), "{log}");
}

#[tokio::test]
async fn a_broken_file_is_named_with_its_line_and_field() {
    let folder = Folder::new();
    folder.write("bad.yaml", "apiVersion: [");
    let (code, log) = run_to_end(&folder, &FREE).await;
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("bad.yaml:1"), "{log}");
    folder.remove("bad.yaml");
    folder.route("web", "{rules: [{backends: [{service: Echo}]}]}");
    let (code, log) = run_to_end(&folder, &FREE).await;
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("web.route.yaml:4") && log.contains("spec.rules[0].backends[0].service"), "{log}");
}

#[tokio::test]
async fn a_flag_that_does_not_exist_is_a_usage_error() {
    let (code, log) = run_to_end(&Folder::new(), &["--htpp", "127.0.0.1:0"]).await;
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("--htpp"), "{log}");
}

#[tokio::test]
async fn a_hangup_is_told_of_and_ends_nothing() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start(Folder::with(backend.address(), "{rules: [{backends: [{service: echo}]}]}")).await;
    gateway.signal("HUP");
    eventually(DEADLINE, "the hangup is in the log", || {
        let log = gateway.log();
        std::future::ready(if log.contains("SIGHUP is ignored") { Ok(()) } else { Err(log) })
    })
    .await;
    assert_eq!(gateway.get("/").await.status, 200);
}

#[tokio::test]
async fn a_folder_that_goes_away_is_told_of_in_our_words() {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start(Folder::with(backend.address(), "{rules: [{backends: [{service: echo}]}]}")).await;
    std::fs::remove_dir_all(gateway.folder.path()).unwrap();
    eventually(DEADLINE, "the loss is in the log", || {
        let log = gateway.log();
        std::future::ready(if log.contains("the folder cannot be read") { Ok(()) } else { Err(log) })
    })
    .await;
    let log = gateway.log();
    assert!(!log.contains("inotify") && !log.contains(".cargo"), "{log}");
}

#[tokio::test]
async fn an_empty_folder_is_warned_of() {
    let gateway = Gateway::start(Folder::new()).await;
    assert_eq!(gateway.get("/").await.status, 404);
    assert!(gateway.log().contains("every request is answered by 404"), "{}", gateway.log());
}
