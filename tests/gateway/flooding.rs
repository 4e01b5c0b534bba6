//! Floods of HTTP/2 frames that cost more to take than to send: each ends the connection that it
//! comes over, and nobody else notices.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use crate::harness::{
    Authority, Backend, CONTINUATION, DATA, DEADLINE, END_HEADERS, END_STREAM, Folder, Frames, Gateway, HEADERS, PING,
    PREFACE, PRIORITY, RST_STREAM, SETTINGS, Script, TlsClient, WINDOW_UPDATE, Wire, eventually, fields_of_get, frame,
};

const SPEC: &str = "{hostnames: [a.example], tls: {secretName: a}, rules: [{backends: [{service: echo}]}]}";
/// Frames, or pairs of them, of one flood.
const FRAMES: u32 = 100_000;
/// Frames of one write.
const AT_ONCE: u32 = 100;
/// What one flood may cost, with a debug build and others at work.
const WORK: Duration = Duration::from_secs(5);
/// A field section that begins with `:status: 431`, as HPACK writes it here.
const STATUS_431: [u8; 5] = [0x48, 0x83, 0x69, 0x90, 0xff];
const MEMORY: usize = 16 * 1024 * 1024;

struct Range {
    gateway: Gateway,
    client: TlsClient,
    _backend: Backend,
}

impl Range {
    async fn start() -> Self {
        let (authority, backend) = (Authority::new("test"), Backend::echo("echo").await);
        let folder = Folder::with(backend.address(), SPEC);
        folder.secret("a", &authority.issue(&["a.example"]));
        let gateway = Gateway::start(folder).await;
        Self { gateway, client: TlsClient::new(&authority, &["h2"]), _backend: backend }
    }

    /// Sends `opening` and then what `each` makes of the numbers from 0, up to `FRAMES` times, and
    /// returns how many were sent when the gateway closed the connection.
    async fn flood(&self, opening: &[u8], each: impl Fn(u32) -> Vec<u8>) -> u32 {
        let stream = self.client.open(self.gateway.address("https"), "a.example").await;
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut closing = tokio::spawn(async move {
            let mut waste = vec![0; 64 * 1024];
            while reader.read(&mut waste).await.is_ok_and(|bytes| bytes > 0) {}
        });
        let _ = writer.write_all(&[PREFACE.as_bytes(), &frame(SETTINGS, 0, 0, &[]), opening].concat()).await;
        let mut sent = 0;
        while sent < FRAMES && !closing.is_finished() {
            let frames: Vec<u8> = (sent..sent + AT_ONCE).flat_map(&each).collect();
            match timeout(DEADLINE, writer.write_all(&frames)).await {
                Ok(Ok(())) => sent += AT_ONCE,
                Ok(Err(_)) => break,
                Err(_) => panic!("the gateway takes nothing and does not close"),
            }
        }
        assert!(timeout(DEADLINE, &mut closing).await.is_ok(), "the connection must be closed after {sent} frames");
        sent
    }

    /// Floods, and checks that the gateway ends it early and nobody else suffers.
    async fn survives(&self, name: &str, opening: &[u8], each: impl Fn(u32) -> Vec<u8>) {
        let (work, memory, counted) = (self.gateway.work(), self.gateway.resident(), self.counted().await);
        let others = async {
            loop {
                let asked = Instant::now();
                assert_eq!(self.gateway.get("/").await.status, 200, "{name}");
                assert!(asked.elapsed() < Duration::from_secs(2), "{name}: others wait {:?}", asked.elapsed());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let sent = tokio::select! {
            sent = self.flood(opening, each) => sent,
            () = others => unreachable!("others ask for ever"),
        };
        let (work, memory) = (self.gateway.work() - work, self.gateway.resident().saturating_sub(memory));
        assert!(work < WORK, "{name}: {work:?} of work for {sent} frames");
        assert!(memory < MEMORY, "{name}: {memory} bytes more than before");
        eventually(DEADLINE, &format!("{name} is counted"), || async {
            let now = self.counted().await;
            if now > counted { Ok(()) } else { Err(now) }
        })
        .await;
    }

    /// Connections that ended for what their clients did.
    async fn counted(&self) -> f64 {
        let count = async |rule| self.gateway.metric(&format!("paifang_protection_total{{rule=\"{rule}\"}}")).await;
        count("http2_flood").await + count("malformed").await
    }
}

/// A gateway with a silent backend.
async fn unanswered() -> (Gateway, Script, TlsClient) {
    let backend = Script::start(|mut wire: Wire, _| async move { drop(wire.rest().await) }).await;
    let (gateway, client) = over(&backend).await;
    (gateway, backend, client)
}

async fn over(backend: &Script) -> (Gateway, TlsClient) {
    let authority = Authority::new("test");
    let folder = Folder::with(backend.address(), SPEC);
    folder.secret("a", &authority.issue(&["a.example"]));
    (Gateway::start(folder).await, TlsClient::new(&authority, &["h2"]))
}

/// The number of the stream that a client opens after so many others.
fn nth(number: u32) -> u32 {
    2 * number + 1
}

fn headers(stream: u32, flags: u8) -> Vec<u8> {
    frame(HEADERS, flags, stream, &fields_of_get("/"))
}

#[tokio::test]
async fn streams_that_are_opened_only_to_be_reset_end_the_connection() {
    let range = Range::start().await;
    let opened = |number| headers(nth(number), END_HEADERS | END_STREAM);
    range
        .survives("rapid reset", &[], |number| {
            [opened(number), frame(RST_STREAM, 0, nth(number), &8_u32.to_be_bytes())].concat()
        })
        .await;
    // The gateway is made to reset them, by an increment of 0 (CVE-2025-8671).
    range
        .survives("MadeYouReset", &[], |number| {
            [opened(number), frame(WINDOW_UPDATE, 0, nth(number), &[0; 4])].concat()
        })
        .await;
}

#[tokio::test]
async fn requests_that_never_end_end_the_connection() {
    let range = Range::start().await;
    let open = headers(1, 0);
    range.survives("CONTINUATION", &open, |_| frame(CONTINUATION, 0, 1, &[])).await;
    let field = [&[0, 3][..], b"x-a", &[1], b"b"].concat();
    range.survives("CONTINUATION with fields", &open, |_| frame(CONTINUATION, 0, 1, &field)).await;
    range.survives("empty DATA", &headers(1, END_HEADERS), |_| frame(DATA, 0, 1, &[])).await;
}

#[tokio::test]
async fn frames_that_bring_nothing_end_the_connection() {
    let range = Range::start().await;
    range.survives("PING", &[], |number| frame(PING, 0, 0, &u64::from(number).to_be_bytes())).await;
    range.survives("SETTINGS", &[], |_| frame(SETTINGS, 0, 0, &[])).await;
    range.survives("WINDOW_UPDATE", &[], |_| frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes())).await;
    range.survives("PRIORITY", &[], |number| frame(PRIORITY, 0, nth(number), &[0, 0, 0, 0, 1])).await;
    range.survives("a type that nobody knows", &[], |_| frame(0xee, 0, 0, &[])).await;
    let closed = [headers(1, END_HEADERS | END_STREAM), frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])].concat();
    range.survives("RST_STREAM of one stream", &closed, |_| frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])).await;
}

#[tokio::test]
async fn a_connection_has_so_many_streams_and_no_more() {
    let (gateway, backend, client) = unanswered().await;
    let stream = client.open(gateway.address("https"), "a.example").await;
    let mut client = Frames::over(stream, true).await;
    for number in 0..120 {
        client.ask(nth(number), "/").await;
    }
    for number in 100..120 {
        let reset = client.until(|frame| frame.kind == RST_STREAM).await;
        assert_eq!((reset.stream, &reset.payload[..]), (nth(number), &[0, 0, 0, 7][..]), "REFUSED_STREAM");
    }
    eventually(DEADLINE, "100 of them are with the backend", || {
        std::future::ready(if backend.connections() == 100 { Ok(()) } else { Err(backend.connections()) })
    })
    .await;
}

/// A field of the dynamic table, and one byte for each time that it is told again.
#[tokio::test]
async fn a_head_that_grows_by_decoding_takes_bounded_memory() {
    let (gateway, backend, client) = unanswered().await;
    let again = |value: &str, times: usize| {
        let entry = [&[0x40, 3][..], b"x-a", &[u8::try_from(value.len()).unwrap()], value.as_bytes()].concat();
        [fields_of_get("/"), entry, vec![0xbe; times]].concat()
    };
    let before = gateway.resident();
    let mut clients = Vec::new();
    // The most that passes: 100 fields, 16 KiB.
    for _ in 0..4 {
        let stream = client.open(gateway.address("https"), "a.example").await;
        let mut client = Frames::over(stream, true).await;
        for number in 0..100 {
            client.send(HEADERS, END_HEADERS | END_STREAM, nth(number), &again(&"v".repeat(120), 90)).await;
        }
        clients.push(client);
    }
    eventually(DEADLINE, "the heads are with the backend", || {
        std::future::ready(if backend.connections() == 400 { Ok(()) } else { Err(backend.connections()) })
    })
    .await;
    let grown = gateway.resident().saturating_sub(before);
    assert!(grown < 400 * 96 * 1024, "{grown} bytes for 400 heads and connections to the backend");
    let connect = async || Frames::over(client.open(gateway.address("https"), "a.example").await, true).await;
    for (length, times) in [(1, 150), (1, 450), (120, 150), (120, 400)] {
        let mut client = connect().await;
        client.send(HEADERS, END_HEADERS | END_STREAM, 1, &again(&"v".repeat(length), times)).await;
        let answer = client.until(|frame| frame.kind == HEADERS).await;
        assert!(answer.payload.starts_with(&STATUS_431), "{length} bytes {times} times: {answer:?}");
        client.send(HEADERS, END_HEADERS | END_STREAM, 3, &fields_of_get("/..")).await;
        client.until(|frame| frame.kind == HEADERS && frame.stream == 3).await;
    }
    let mut client = connect().await;
    client.send(HEADERS, END_HEADERS | END_STREAM, 1, &again(&"v".repeat(120), 10_000)).await;
    client.end().await;
}

#[tokio::test]
async fn a_client_that_opens_all_windows_and_reads_nothing_takes_bounded_memory() {
    const LARGE: usize = 4_000_000;
    let backend = Script::start(|mut wire: Wire, _| async move {
        wire.head().await;
        wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n")).await;
        // It is cut off when the test ends.
        let _ = wire.send_slowly(&vec![b'x'; LARGE]).await;
    })
    .await;
    let (gateway, client) = over(&backend).await;
    let before = gateway.resident();
    let mut wire = Wire::over(client.open(gateway.address("https"), "a.example").await);
    let window = 0x7000_0000_u32.to_be_bytes();
    let settings = frame(SETTINGS, 0, 0, &[&[0, 4], &window[..]].concat());
    wire.send([PREFACE.as_bytes(), &settings, &frame(WINDOW_UPDATE, 0, 0, &window)].concat()).await;
    wire.send((0..100).flat_map(|number| headers(nth(number), END_HEADERS | END_STREAM)).collect::<Vec<_>>()).await;
    let mut last = 0;
    let grown = eventually(DEADLINE, "all streams stand still", || {
        let (connections, now) = (backend.connections(), gateway.resident().saturating_sub(before));
        let still = connections == 100 && now.abs_diff(std::mem::replace(&mut last, now)) < 64 * 1024;
        async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            if still { Ok(now) } else { Err(format!("{connections} streams, {now} bytes")) }
        }
    })
    .await;
    assert!(grown < 60 * 1024 * 1024, "{grown} bytes for 100 streams");
}
