//! The handlers Http and Web against recordings of go-micro's: the same client, the same service,
//! and in between this gateway.
//!
//! What differs by design, on every row: go-micro asks for gzip where the client does not, tells no
//! scheme, and gives no request id; names of fields have no case and no order.

use std::{
    io::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

use crate::harness::{Folder, Gateway, Head, Recorded, Recording, Script, Wire, recordings};

/// Paths of the recordings are odd, and the clients' own words about themselves are believed.
const WEB: &str = "{rules: [{handler: {type: Web}, pathSafety: Raw, backends: [{service: echo}]}]}";

/// Rows that this gateway answers in another way, and why.
const OTHERWISE: [(&str, &str); 13] = [
    ("http-post-chunked-trailer", "trailers of requests end at an HTTP/1.1 endpoint, so they are not announced"),
    ("http-hop-reply", "what Connection names in a reply ends here (RFC 9110 section 7.6.1), and no type is guessed"),
    ("http-xff-empty", "an empty X-Forwarded-For is none"),
    ("http-xff-removed", "Connection cannot take away what the gateway tells of the client"),
    ("http-absolute-form", "a target and a Host that differ can be read in two ways"),
    ("http-no-host", "the node listens on another port than the recorded one"),
    ("http-gzip-none", "the service compresses unasked, and content passes as it is"),
    ("http-no-content-type", "no type is guessed"),
    ("http-backend-silent", ERRORS),
    ("http-backend-silent-post", ERRORS),
    ("http-backend-garbage", ERRORS),
    ("web-backend-silent", ERRORS),
    ("web-ws-backend-silent", "who upgrades gets an answer all the same"),
];
const ERRORS: &str = "errors of the gateway say what is wrong";

/// Rows that cannot be replayed by one exchange with one service, and where they are tested.
fn unfit(row: &Recording) -> Option<&'static str> {
    let (sent, _) = &row.client;
    let (asked, replied) = &row.service;
    if sent.is_none() {
        return Some("several messages in one direction: connections are tested by themselves");
    }
    if asked.is_none() {
        return Some("no service took part: routing and errors have tests of their own");
    }
    if replied.as_ref().is_some_and(|replied| replied.body.is_none()) || row.frames.is_none() {
        return Some("the bytes are not in the recording, only their hash");
    }
    None
}

/// The service of the recording at hand: what it is to do, and what it was asked.
#[derive(Clone, Debug, Default)]
struct Service {
    row: Shared<Recording>,
    asked: Shared<(Head, Vec<u8>)>,
}

type Shared<T> = Arc<Mutex<Option<T>>>;

impl Service {
    async fn play(self, mut wire: Wire) {
        while let Ok(head) = wire.try_head().await {
            let body = wire.body(&head).await;
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).replace((head, body));
            let row = self.row.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let Some(row) = row else { return };
            let Some(reply) = row.service.1 else { return };
            wire.send(&reply.bytes).await;
            let closes = reply.is_cut || reply.start.starts_with("HTTP/1.0") || !reply.start.starts_with("HTTP/");
            if closes {
                return;
            }
            if reply.start.contains(" 101 ") {
                for frame in row.frames.unwrap_or_default() {
                    if frame.from_client {
                        assert_eq!(wire.take(frame.bytes.len()).await.ok(), Some(frame.bytes), "{}", row.name);
                    } else {
                        wire.send(frame.bytes).await;
                    }
                }
                return;
            }
        }
    }
}

/// The fields that mean something, sorted: names in lower case.
fn meaning<'f>(fields: impl IntoIterator<Item = &'f (String, String)>, without: &[&str]) -> Vec<(String, String)> {
    let fields = fields.into_iter().map(|(name, value)| (name.to_lowercase(), value.clone()));
    let mut fields: Vec<_> = fields.filter(|(name, _)| !without.contains(&name.as_str())).collect();
    fields.sort();
    fields
}

const FRAMING: [&str; 3] = ["content-length", "transfer-encoding", "connection"];

fn differences_of_request(row: &Recording, asked: &(Head, Vec<u8>)) -> Vec<String> {
    let (Some(sent), Some(recorded)) = (&row.client.0, &row.service.0) else { return Vec::new() };
    let mut without = vec!["x-request-id", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"];
    without.extend(FRAMING);
    if sent.value("accept-encoding").is_none() {
        without.push("accept-encoding");
    }
    if sent.value("user-agent").is_none() {
        without.push("user-agent");
    }
    let mut differences = Vec::new();
    let mut compare = |what: &str, ours: String, theirs: String| {
        if ours != theirs {
            differences.push(format!("{what}: {ours}, recorded {theirs}"));
        }
    };
    compare("request line", asked.0.first_line().to_owned(), recorded.start.clone());
    let fields = |fields| format!("{:?}", meaning(fields, &without));
    compare("request fields", fields(&asked.0.fields), fields(&recorded.fields));
    compare("request body", lossy(&asked.1), lossy(recorded.body.as_deref().unwrap_or_default()));
    differences
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

async fn replay(row: &Recording, gateway: &Gateway, service: &Service) -> Vec<String> {
    service.row.lock().unwrap_or_else(PoisonError::into_inner).replace(row.clone());
    service.asked.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (Some(sent), expected) = &row.client else { return Vec::new() };
    let mut wire = gateway.open().await;
    wire.send(&sent.bytes).await;
    let reply = if sent.start.starts_with("HEAD ") { Ok(wire.reply_to_head().await) } else { wire.try_reply().await };
    let mut differences = match service.asked.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(asked) => differences_of_request(row, &asked),
        None => vec!["the service was not asked".to_owned()],
    };
    match (reply, expected) {
        (Ok(reply), Some(expected)) => {
            differences.extend(differences_of_reply(&reply.head, &reply.body, expected));
            if reply.status == 101 {
                differences.extend(exchange(row, &mut wire).await);
            }
        }
        (Err(_), None) => {}
        (Ok(reply), None) => differences.push(format!("answered {}, recorded nothing", reply.status)),
        (Err(error), Some(_)) => differences.push(format!("no answer: {error}")),
    }
    differences
}

async fn exchange(row: &Recording, wire: &mut Wire) -> Option<String> {
    for frame in row.frames.as_deref().unwrap_or_default() {
        if frame.from_client {
            if let Err(error) = wire.try_send(&frame.bytes).await {
                return Some(format!("a frame could not be sent: {error}"));
            }
        } else {
            let got = wire.take(frame.bytes.len()).await;
            if got.as_ref().ok() != Some(&frame.bytes) {
                return Some(format!("a frame: {got:?}, recorded {:?}", frame.bytes));
            }
        }
    }
    None
}

fn differences_of_reply(head: &Head, body: &[u8], expected: &Recorded) -> Vec<String> {
    let mut differences = Vec::new();
    let mut without = vec!["date", "x-request-id"];
    without.extend(FRAMING);
    let status = |line: &str| line.split(' ').nth(1).map(str::to_owned);
    if status(head.first_line()) != status(&expected.start) {
        differences.push(format!("status: {}, recorded {}", head.first_line(), expected.start));
    }
    let (ours, theirs) = (meaning(&head.fields, &without), meaning(&expected.fields, &without));
    if ours != theirs {
        differences.push(format!("fields: {ours:?}, recorded {theirs:?}"));
    }
    if expected.body.as_deref().is_some_and(|expected| expected != body) {
        differences.push(format!("body: {:?}", lossy(body)));
    }
    differences
}

async fn replay_all(file: &str) {
    let service = Service::default();
    let playing = service.clone();
    let backend = Script::start(move |wire, _| playing.clone().play(wire)).await;
    let flags = ["--trusted-proxies", "127.0.0.0/8"];
    let gateway = Gateway::start_with(Folder::with(backend.address(), WEB), &flags).await;
    let (mut run, mut unfit_rows, mut wrong) = (0, Vec::new(), Vec::new());
    let mut otherwise = Vec::new();
    for row in recordings(file) {
        if let Some(why) = unfit(&row) {
            unfit_rows.push(format!("{} ({why})", row.name));
            continue;
        }
        let differences = replay(&row, &gateway, &service).await;
        run += 1;
        match OTHERWISE.iter().find(|(name, _)| *name == row.name) {
            Some((name, why)) if !differences.is_empty() => otherwise.push(format!("{name} ({why})")),
            Some((name, _)) => wrong.push(format!("{name} does not differ: it is in the list for nothing")),
            None => wrong.extend(differences.into_iter().map(|difference| format!("{}: {difference}", row.name))),
        }
    }
    let (differ, not_run) = (otherwise.join(", "), unfit_rows.join(", "));
    let told =
        format!("recorded {file}: {run} ran, {} differ by design: {differ}; not run: {not_run}\n", otherwise.len());
    // Past the capture of the test runner: everybody should see what ran.
    let _ = std::io::stdout().lock().write_all(told.as_bytes());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_http_handler_of_go_micro_1_is_matched() {
    replay_all("httphandler-v1.18.jsonl").await;
}

#[tokio::test]
async fn the_http_handler_of_go_micro_2_is_matched() {
    replay_all("httphandler-v2.9.jsonl").await;
}

#[tokio::test]
async fn the_web_handler_of_go_micro_1_is_matched() {
    replay_all("webhandler-v1.18.jsonl").await;
}

#[tokio::test]
async fn the_web_handler_of_go_micro_2_is_matched() {
    replay_all("webhandler-v2.9.jsonl").await;
}
