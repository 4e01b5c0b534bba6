//! Odd HTTP/1 requests: what is refused, and what a backend sees of the rest. The gateway writes
//! its own framing, so nothing that it accepts can be read in another way behind it.

use crate::harness::{Backend, Folder, Gateway, Reply, Script, Seen, Wire, request};

const ANY: &str = "{rules: [{backends: [{service: echo}]}]}";

/// A gateway and the backend behind it.
struct Range {
    gateway: Gateway,
    backend: Backend,
}

impl Range {
    async fn start() -> Self {
        let backend = Backend::echo("echo").await;
        let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
        Self { gateway, backend }
    }

    /// Sends bytes over a connection of its own, reads until the gateway has nothing more to say,
    /// and returns the status codes of its answers with what the backend saw.
    async fn outcome(&self, raw: impl AsRef<[u8]>) -> (Vec<u16>, Vec<Seen>) {
        let before = self.backend.seen().len();
        let mut wire = self.gateway.open().await;
        // A refused request may be answered, and the connection closed, before all of it is sent.
        let _ = wire.try_send(raw).await;
        let mut statuses = vec![wire.reply().await.status];
        wire.finish().await;
        while let Ok(reply) = wire.try_reply().await {
            statuses.push(reply.status);
        }
        (statuses, self.backend.seen().split_off(before))
    }
}

/// Checks that each request is refused with 400 and no backend sees anything.
async fn refused(table: &[(&str, &str)]) {
    let range = Range::start().await;
    for (name, raw) in table {
        let (statuses, seen) = range.outcome(raw).await;
        assert_eq!(statuses, [400], "{name}");
        assert!(seen.is_empty(), "{name}: {seen:?}");
    }
}

/// A POST of these field lines, and a body that one of them must frame.
fn post(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n\r\n{body}")
}

const CHUNKS: &str = "5\r\nhello\r\n0\r\n\r\n";

#[tokio::test]
async fn transfer_codings_other_than_chunked_are_refused() {
    let codings = [
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked",
        "X: y\r\n Transfer-Encoding: chunked",
        "Transfer-Encoding:\r\n chunked",
    ];
    let table: Vec<_> = codings.iter().map(|coding| (*coding, post(coding, CHUNKS))).collect();
    let table: Vec<_> = table.iter().map(|(name, raw)| (*name, raw.as_str())).collect();
    refused(&table).await;
    refused(&[(
        "Transfer-Encoding of HTTP/1.0",
        "POST / HTTP/1.0\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    )])
    .await;
}

#[tokio::test]
async fn lengths_that_are_not_one_number_are_refused() {
    let lengths = [
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 5, 5",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: ",
        "Content-Length: 99999999999999999999999",
        "Content-Length : 5",
        "Content-Length: five",
    ];
    let table: Vec<_> = lengths.iter().map(|length| (*length, post(length, "hello"))).collect();
    let table: Vec<_> = table.iter().map(|(name, raw)| (*name, raw.as_str())).collect();
    refused(&table).await;
}

#[tokio::test]
async fn heads_that_are_not_well_formed_are_refused() {
    refused(&[
        ("obsolete folding", "GET / HTTP/1.1\r\nHost: a.example\r\nX: a\r\n b\r\n\r\n"),
        ("a bare CR in a value", "GET / HTTP/1.1\r\nHost: a.example\r\nX: a\rb\r\n\r\n"),
        ("NUL in a value", "GET / HTTP/1.1\r\nHost: a.example\r\nX: a\0b\r\n\r\n"),
        ("a space in a name", "GET / HTTP/1.1\r\nHost: a.example\r\nX Y: a\r\n\r\n"),
        ("an empty name", "GET / HTTP/1.1\r\nHost: a.example\r\n: a\r\n\r\n"),
        ("a line without colon", "GET / HTTP/1.1\r\nHost: a.example\r\nabc\r\n\r\n"),
        ("a field before the request line", "Host: a.example\r\nGET / HTTP/1.1\r\n\r\n"),
        ("HTTP/1.2", "GET / HTTP/1.2\r\nHost: a.example\r\n\r\n"),
        ("HTTP/2.0 in text", "GET / HTTP/2.0\r\nHost: a.example\r\n\r\n"),
        ("HTTP/0.9", "GET /\r\n\r\n"),
        ("two spaces after the method", "GET  / HTTP/1.1\r\nHost: a.example\r\n\r\n"),
        ("two spaces before the version", "GET /  HTTP/1.1\r\nHost: a.example\r\n\r\n"),
        ("a tab in the request line", "GET\t/ HTTP/1.1\r\nHost: a.example\r\n\r\n"),
        ("a space in the target", "GET /a b HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ])
    .await;
}

#[tokio::test]
async fn a_request_must_name_one_host() {
    refused(&[
        ("none", "GET / HTTP/1.1\r\n\r\n"),
        ("two", "GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n"),
        ("the same twice", "GET / HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n\r\n"),
        ("two in one", "GET / HTTP/1.1\r\nHost: a.example, b.example\r\n\r\n"),
        ("userinfo", "GET / HTTP/1.1\r\nHost: user@a.example\r\n\r\n"),
        ("a path", "GET / HTTP/1.1\r\nHost: a.example/b\r\n\r\n"),
        ("a space", "GET / HTTP/1.1\r\nHost: a.example b\r\n\r\n"),
        ("an empty one", "GET / HTTP/1.1\r\nHost: \r\n\r\n"),
        ("a port that is no number", "GET / HTTP/1.1\r\nHost: a.example:80x\r\n\r\n"),
        ("another one in the target", "GET http://b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"),
        ("userinfo in the target", "GET http://user@a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"),
        ("only in the target", "GET http://a.example/ HTTP/1.1\r\n\r\n"),
    ])
    .await;
}

#[tokio::test]
async fn targets_outside_of_ascii_are_refused() {
    let range = Range::start().await;
    for target in [&b"/caf\xc3\xa9"[..], b"/\xff", b"/a?\xc3\xa9", b"/\x7f"] {
        let raw = [b"GET ", target, b" HTTP/1.1\r\nHost: a.example\r\n\r\n"].concat();
        let (statuses, seen) = range.outcome(raw).await;
        assert_eq!((statuses, seen.len()), (vec![400], 0), "{:?}", String::from_utf8_lossy(target));
    }
}

/// hyper cuts a fragment off while it parses, so nobody behind it can be misled by one.
#[tokio::test]
async fn a_fragment_reaches_neither_the_route_nor_the_backend() {
    let range = Range::start().await;
    let (statuses, seen) = range.outcome(b"GET /a#/../b HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
    assert_eq!((statuses, seen[0].target.as_str()), (vec![200], "/a"));
}

#[tokio::test]
async fn chunks_that_are_not_well_formed_end_the_request() {
    let range = Range::start().await;
    for (name, body) in [
        ("LF alone after the size", "5\nhello\r\n0\r\n\r\n"),
        ("0x", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("an overflowing size", "fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
        ("no CRLF after the data", "5\r\nhello0\r\n\r\n"),
        ("a negative size", "-5\r\nhello\r\n0\r\n\r\n"),
        ("no size", "\r\nhello\r\n0\r\n\r\n"),
    ] {
        let raw = post("Transfer-Encoding: chunked", body) + "GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n";
        let (statuses, seen) = range.outcome(raw).await;
        assert_eq!(statuses, [400], "{name}");
        assert!(seen.iter().all(|seen| seen.target != "/smuggled" && seen.body != "hello"), "{name}: {seen:?}");
    }
}

#[tokio::test]
async fn a_length_beside_chunked_is_dropped_and_the_connection_closed() {
    let range = Range::start().await;
    for fields in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
        "Content-Length: 3\r\nTransfer-Encoding: Chunked",
    ] {
        let smuggled = request("GET /smuggled", &["Host: a.example"], "");
        let (statuses, seen) = range.outcome(post(fields, CHUNKS) + &smuggled).await;
        assert_eq!(statuses, [200], "the connection ends with the answer: {fields}");
        assert_eq!(seen.len(), 1, "{fields}");
        assert_eq!((&seen[0].body[..], seen[0].one("transfer-encoding")), (&b"hello"[..], Some("chunked")), "{fields}");
        assert_eq!(seen[0].one("content-length"), None, "{fields}");
    }
}

#[tokio::test]
async fn what_is_accepted_is_framed_anew() {
    let range = Range::start().await;
    for (name, raw) in [
        ("two equal lengths", post("Content-Length: 5\r\nContent-Length: 5", "hello")),
        ("leading zeros", post("Content-Length: 0005", "hello")),
        ("chunked in another case", post("Transfer-Encoding: CHUNKED", CHUNKS)),
        ("chunk extensions", post("Transfer-Encoding: chunked", "5;a=b\r\nhello\r\n0;c\r\n\r\n")),
        ("LF between fields", "POST / HTTP/1.1\nHost: a.example\nContent-Length: 5\n\nhello".to_owned()),
        ("empty lines before", format!("\r\n\r\n{}", post("Content-Length: 5", "hello"))),
        (
            "an absolute target",
            "POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello".into(),
        ),
    ] {
        let (statuses, seen) = range.outcome(raw).await;
        assert_eq!((statuses, seen.len()), (vec![200], 1), "{name}");
        let seen = &seen[0];
        assert_eq!((seen.target.as_str(), &seen.body[..]), ("/", &b"hello"[..]), "{name}");
        assert_eq!(seen.one("host"), Some("a.example"), "{name}");
        let framing = (seen.one("content-length"), seen.one("transfer-encoding"));
        assert!(matches!(framing, (Some("5"), None) | (None, Some("chunked"))), "{name}: {framing:?}");
    }
}

/// The gateway over an endpoint that gives this answer, and what a client gets.
async fn passed_on(answer: &'static str) -> (Gateway, Reply) {
    let backend = Script::start(move |mut wire: Wire, _| async move {
        wire.request().await;
        wire.send(answer).await;
    })
    .await;
    let gateway = Gateway::start(Folder::with(backend.address(), ANY)).await;
    let reply = gateway.get("/answer").await;
    (gateway, reply)
}

#[tokio::test]
async fn a_length_beside_chunks_of_an_answer_is_dropped() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ] {
        let (_gateway, reply) = passed_on(answer).await;
        assert_eq!((reply.field("content-length"), reply.text().as_str()), (None, "hello"), "{answer}");
    }
}

#[tokio::test]
async fn an_answer_that_is_coded_by_more_than_chunks_is_502() {
    for codings in ["gzip, chunked", "chunked, chunked", "gzip", "identity"] {
        let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {codings}\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
        let (gateway, reply) = passed_on(answer.leak()).await;
        assert_eq!(reply.status, 502, "{codings}: {reply:?}");
        assert_eq!(gateway.logged("/answer").await["reason"], "upstream_broken", "{codings}");
    }
}

#[tokio::test]
async fn aliases_of_framing_fields_do_not_reach_the_backend() {
    let range = Range::start().await;
    let raw = post("Transfer_Encoding: chunked\r\nContent-Length: 5", "hello");
    let (statuses, seen) = range.outcome(raw).await;
    assert_eq!(statuses, [200]);
    assert!(seen[0].all("transfer_encoding").is_empty(), "{:?}", seen[0].fields);
}
