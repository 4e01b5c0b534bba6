//! Requests of HTTP/2 that would mean something else once they are written as HTTP/1, frame by frame:
//! no backend sees any of them.

use crate::harness::{
    Backend, DATA, END_HEADERS, END_STREAM, Folder, Frames, GOAWAY, Gateway, HEADERS, RST_STREAM, field,
};

const ANY: &str = "{rules: [{backends: [{service: echo}]}]}";
/// The first byte of a field section that begins with this status, from the static table.
const OK: u8 = 0x88;
const BAD_REQUEST: u8 = 0x8c;

type Field<'a> = (&'a str, &'a str);

const PSEUDO: [Field<'_>; 4] =
    [(":method", "POST"), (":scheme", "http"), (":authority", "a.example"), (":path", "/seen")];

async fn start() -> (Gateway, Backend) {
    let backend = Backend::echo("echo").await;
    (Gateway::start(Folder::with(backend.address(), ANY)).await, backend)
}

fn section(fields: &[Field<'_>]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| field(name.as_bytes(), value.as_bytes())).collect()
}

/// Sends a request with a body of five bytes over a connection of its own, and trailers if there are
/// any. Returns the first byte of the answer; `None` where the stream or the connection was ended.
async fn send(gateway: &Gateway, fields: &[Field<'_>], trailers: &[Field<'_>]) -> Option<u8> {
    let mut client = Frames::over(gateway.open().await.into_parts().0, true).await;
    client.send(HEADERS, END_HEADERS, 1, &section(fields)).await;
    client.send(DATA, if trailers.is_empty() { END_STREAM } else { 0 }, 1, b"hello").await;
    if !trailers.is_empty() {
        client.send(HEADERS, END_HEADERS | END_STREAM, 1, &section(trailers)).await;
    }
    let answer = client.try_until(|frame| matches!(frame.kind, HEADERS | RST_STREAM | GOAWAY)).await?;
    (answer.kind == HEADERS).then(|| answer.payload[0])
}

/// Checks that each of these is refused, and no backend sees anything.
async fn refused<'a>(cases: impl IntoIterator<Item = (&'a str, Vec<Field<'a>>)>) {
    let (gateway, backend) = start().await;
    for (name, fields) in cases {
        let answer = send(&gateway, &fields, &[]).await;
        assert!(matches!(answer, None | Some(BAD_REQUEST)), "{name}: {answer:x?}");
        assert!(backend.seen().is_empty(), "{name}: {:?}", backend.seen());
    }
}

fn with<'a>(more: &[Field<'a>]) -> Vec<Field<'a>> {
    [&PSEUDO[..], more].concat()
}

fn instead<'a>(name: &str, value: &'a str) -> Vec<Field<'a>> {
    PSEUDO.into_iter().map(|field| if field.0 == name { (field.0, value) } else { field }).collect()
}

#[tokio::test]
async fn values_cannot_end_their_line() {
    let values = ["a\r\nX-Smuggled: 1", "a\nX-Smuggled: 1", "a\rb", "a\0b", "\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"];
    refused(values.map(|value| (value, with(&[("x-value", value)])))).await;
    refused(values.map(|value| (value, instead(":path", value)))).await;
    refused(values.map(|value| (value, instead(":authority", value)))).await;
    refused(values.map(|value| (value, instead(":method", value)))).await;
    refused(values.map(|value| (value, instead(":scheme", value)))).await;
}

#[tokio::test]
async fn names_cannot_be_more_than_names() {
    let names =
        ["x\r\nsmuggled", "x: 1\r\ny", "x y", "x:", "", "X-Upper", "x\0", ":unknown", ":status", "transfer-encoding "];
    refused(names.map(|name| (name, with(&[(name, "1")])))).await;
}

#[tokio::test]
async fn pseudo_fields_stand_once_and_first() {
    let missing = |name| PSEUDO.into_iter().filter(|field| field.0 != name).collect::<Vec<_>>();
    refused([
        ("no method", missing(":method")),
        ("no path", missing(":path")),
        ("no scheme", missing(":scheme")),
        ("two paths", with(&[(":path", "/other")])),
        ("two methods", with(&[(":method", "GET")])),
        ("two authorities", with(&[(":authority", "b.example")])),
        ("after a field", [&[("x-first", "1")], &PSEUDO[..]].concat()),
    ])
    .await;
}

#[tokio::test]
async fn targets_are_paths() {
    let paths = ["", "seen", "/a b", "/ HTTP/1.1", "http://b.example/", "/caf\u{e9}", "/a\\..\\b", "/a/../b"];
    refused(paths.map(|path| (path, instead(":path", path)))).await;
}

#[tokio::test]
async fn a_request_names_one_host() {
    let hosts = ["user@a.example", "a.example/b", "a.example b", "a.example, b.example", "a.example:80x", ""];
    refused(hosts.map(|host| (host, instead(":authority", host)))).await;
    refused([
        ("another host", with(&[("host", "b.example")])),
        ("two hosts", with(&[("host", "a.example"), ("host", "b.example")])),
    ])
    .await;
}

#[tokio::test]
async fn fields_of_connections_and_lengths_that_do_not_fit_are_refused() {
    refused([
        ("connection", with(&[("connection", "close")])),
        ("connection that names a field", with(&[("connection", "x-forwarded-for")])),
        ("transfer-encoding", with(&[("transfer-encoding", "chunked")])),
        ("keep-alive", with(&[("keep-alive", "timeout=5")])),
        ("proxy-connection", with(&[("proxy-connection", "keep-alive")])),
        ("upgrade", with(&[("upgrade", "websocket")])),
        ("te", with(&[("te", "chunked")])),
        ("te with more than trailers", with(&[("te", "trailers, chunked")])),
        ("two lengths", with(&[("content-length", "5"), ("content-length", "6")])),
        ("a signed length", with(&[("content-length", "+5")])),
        ("a list of lengths", with(&[("content-length", "5, 5")])),
        ("a short length", with(&[("content-length", "3")])),
        ("a long length", with(&[("content-length", "50")])),
    ])
    .await;
}

#[tokio::test]
async fn what_is_taken_is_written_once() {
    let (gateway, backend) = start().await;
    let fields = with(&[("host", "a.example"), ("content-length", "5"), ("te", "trailers"), ("x-value", "caf\u{e9}")]);
    assert_eq!(send(&gateway, &fields, &[]).await, Some(OK));
    let seen = backend.last();
    assert_eq!((seen.target.as_str(), &seen.body[..]), ("/seen", &b"hello"[..]));
    for (name, value) in [
        ("host", Some("a.example")),
        ("content-length", Some("5")),
        ("transfer-encoding", None),
        ("x-value", Some("caf\u{e9}")),
    ] {
        assert_eq!(seen.one(name), value, "{name}");
    }
}

#[tokio::test]
async fn trailers_cannot_frame_or_route() {
    let (gateway, backend) = start().await;
    for (name, value) in [
        ("content-length", "50"),
        ("transfer-encoding", "chunked"),
        ("host", "b.example"),
        ("connection", "close"),
        ("x-forwarded-for", "192.0.2.1"),
        ("authorization", "Basic YTpi"),
        (":path", "/other"),
        ("x-value", "a\r\nX-Smuggled: 1"),
    ] {
        let before = backend.seen().len();
        // Whether the stream is ended or the trailer dropped: nobody behind the gateway sees it.
        send(&gateway, &with(&[("trailer", name)]), &[(name, value), ("x-end", "1")]).await;
        for seen in backend.seen().split_off(before) {
            assert!(!seen.trailers.contains_key(name), "{name}: {:?}", seen.trailers);
            assert!(seen.fields.iter().all(|(_, field)| field != value), "{name}: {:?}", seen.fields);
            assert!(&seen.body[..] == b"hello" || seen.body.starts_with(b"unreadable"), "{name}: {:?}", seen.body);
        }
    }
}
