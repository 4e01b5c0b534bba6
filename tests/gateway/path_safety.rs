//! Paths that two readers could take for different ones: refused, or passed on as the route says.

use crate::harness::{Backend, Folder, Gateway, get};

fn spec(safety: &str) -> String {
    format!("{{rules: [{{pathSafety: {safety}, backends: [{{service: echo}}]}}]}}")
}

/// What the backend sees of each path; `None` for 400.
async fn check(safety: &str, table: &[(&str, Option<&str>)]) {
    let backend = Backend::echo("echo").await;
    let gateway = Gateway::start(Folder::with(backend.address(), &spec(safety))).await;
    for (sent, expected) in table {
        let before = backend.seen().len();
        let status = gateway.ask(get("a.example", sent)).await.status;
        let seen: Vec<_> = backend.seen().into_iter().skip(before).map(|seen| seen.target).collect();
        match expected {
            Some(path) => assert_eq!((status, seen), (200, vec![(*path).to_owned()]), "{sent} under {safety}"),
            None => assert_eq!((status, seen), (400, vec![]), "{sent} under {safety}"),
        }
    }
}

#[tokio::test]
async fn strict_refuses_what_can_be_read_in_two_ways() {
    check(
        "Strict",
        &[
            ("/a%2Fb", None),
            ("/a%2fb", None),
            ("/a/../b", None),
            ("/a/./b", None),
            ("/..", None),
            ("/a/%2e%2e/b", None),
            ("/a/.%2E/b", None),
            ("/a/..%2fb", None),
            ("/a;x=1", None),
            ("/a%3Bx=1", None),
            ("/a\\b", None),
            ("/a%5Cb", None),
            ("/a%00", None),
            ("/a%0d%0aX:1", None),
            ("/a%7F", None),
            ("/a%", None),
            ("/a%2", None),
            ("/a%zz", None),
            ("/%C0%AF", None),
            ("/%ff", None),
        ],
    )
    .await;
}

#[tokio::test]
async fn strict_passes_one_spelling_on() {
    check(
        "Strict",
        &[
            ("/a//b", Some("/a/b")),
            ("//a", Some("/a")),
            ("/%41%7e%2D", Some("/A~-")),
            ("/a%20b%c3%a9", Some("/a%20b%C3%A9")),
            ("/a%252Fb", Some("/a%252Fb")),
            ("/...", Some("/...")),
            ("/a..b/.c", Some("/a..b/.c")),
            ("/a//b?x=//..", Some("/a/b?x=//..")),
            ("/a?x=%2F%00", Some("/a?x=%2F%00")),
        ],
    )
    .await;
}

#[tokio::test]
async fn encoded_slashes_pass_where_the_rule_allows_them() {
    check(
        "AllowEncodedSlash",
        &[
            ("/a%2Fb", Some("/a%2Fb")),
            ("/a%2fb", Some("/a%2Fb")),
            ("/a%2F..%2Fb", None),
            ("/a%2F%2e%2e", None),
            ("/a;x", None),
            ("/a%5Cb", None),
            ("/a%00", None),
        ],
    )
    .await;
}

#[tokio::test]
async fn raw_passes_paths_as_they_came() {
    let paths =
        ["/a%2fb", "/a/../b", "/a/%2e%2E/b", "/a;x=1", "/a%5cb", "/a%00", "/a%zz", "/%C0%AF", "/a//b", "/%41", "/a%"];
    let table: Vec<_> = paths.iter().map(|path| (*path, Some(*path))).collect();
    check("Raw", &table).await;
}

#[tokio::test]
async fn raw_cuts_the_prefix_and_passes_the_rest_as_it_came() {
    let backend = Backend::echo("echo").await;
    let spec = "{proxy: {trimPrefix: true}, rules: [{pathSafety: Raw, \
                matches: [{path: {value: /a~b}}, {path: {value: /ä/c}}], backends: [{service: echo}]}]}";
    let gateway = Gateway::start(Folder::with(backend.address(), spec)).await;
    for (sent, forwarded) in [
        ("/a~b/x", "/x"),
        ("/a%7Eb/x", "/x"),
        ("/%61~%62//x%2fy/../z", "//x%2fy/../z"),
        ("//a~b/x?q=/a~b", "/x?q=/a~b"),
        ("/%c3%a4//c/%C3", "/%C3"),
        ("//a%7eb", "/"),
        ("/a~b?q", "/?q"),
    ] {
        assert_eq!(gateway.ask(get("a.example", sent)).await.status, 200, "{sent}");
        assert_eq!(backend.last().target, forwarded, "{sent}");
    }
}

#[tokio::test]
async fn the_route_and_the_backend_read_the_same_path() {
    let (open, closed) = (Backend::echo("open").await, Backend::echo("closed").await);
    let folder = Folder::new();
    folder.service("open", &[open.address()]).service("closed", &[closed.address()]);
    folder.route("open", "{rules: [{backends: [{service: open}]}]}");
    folder.route("closed", "{rules: [{matches: [{path: {value: /admin}}], backends: [{service: closed}]}]}");
    let gateway = Gateway::start(folder).await;
    for path in [
        "/admin",
        "/%61dmin",
        "//admin",
        "/x/../admin",
        "/x/%2e%2e/admin",
        "/.//admin",
        "/admin;x",
        "/x/..%2fadmin",
        "/./admin",
        "/x\\..\\admin",
        "/%2561dmin",
        "/Admin",
        "/admin%2f",
        "/admin/",
        "/adm%69n?x",
        "/admin%20",
    ] {
        gateway.ask(get("a.example", path)).await;
    }
    for seen in open.seen() {
        let path = seen.target.split('?').next().unwrap();
        let reading = path.replace("%61", "a").replace("%69", "i").replace("%2f", "/").replace("%2F", "/");
        let first = reading.split(['/', '\\', ';']).find(|segment| !segment.is_empty() && *segment != ".");
        assert_ne!(first, Some("admin"), "{} went to the open backend", seen.target);
        assert!(!path.contains("..") && !path.contains(';'), "{path}");
    }
    assert_eq!(closed.seen().len(), 5, "{:?}", closed.seen().iter().map(|seen| &seen.target).collect::<Vec<_>>());
}
