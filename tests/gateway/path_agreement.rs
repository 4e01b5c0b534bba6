//! Mutated paths: what the gateway decides by is what the backend receives. Whoever decides once
//! more by the path that was received comes to the same rule, and under the strict modes so does a
//! reader that decodes and resolves it in its own way.

use fastrand::Rng;
use http_body_util::Full;
use hyper::{HeaderMap, Method, Response};
use paifang::{
    model::rule::PathSafety,
    table::{
        Conditions, Entry, HostPattern, Outcome, PathPattern, RequestView, Table, canonical_pattern, forwarded,
        normalise,
    },
};
use tokio::task::JoinSet;

use crate::harness::{Backend, Folder, Gateway, get};

const SAFETIES: [PathSafety; 3] = [PathSafety::Strict, PathSafety::AllowEncodedSlash, PathSafety::Raw];
/// The rules: a prefix and whom it leads to. Anything else is open.
const RULES: [(&str, &str); 4] = [("/", "open"), ("/admin", "closed"), ("/api/v1", "api"), ("/caf\u{e9}", "cafe")];
const PATHS: [&str; 8] = [
    "/admin/users",
    "/api/v1/items/7",
    "/api/v1",
    "/open/x",
    "/caf%C3%A9/menu",
    "/a/b/c",
    "/adm%69n/x.y",
    "/api/v2/..v1",
];
/// What readers of paths trip over.
const PIECES: [&str; 34] = [
    "/",
    "//",
    "/./",
    "/../",
    "/..",
    "/.",
    "..",
    ".",
    "%2e",
    "%2E%2e",
    "/%2e%2e/",
    "%2F",
    "%2f",
    "..%2f",
    "%2f..",
    "%5c",
    "\\",
    "..\\",
    ";",
    ";x=1",
    "%3b",
    "%00",
    "%0d%0a",
    "%7f",
    "%",
    "%2",
    "%zz",
    "%c0%af",
    "%e0%80%af",
    "%ff",
    "%25",
    "%252e",
    "%252f",
    "admin",
];
/// Paths that are checked in this process, for each mode.
const PATHS_HERE: usize = 100_000;
/// Paths that are sent, for each mode, over so many connections.
const PATHS_SENT: usize = 4_000;
const CONNECTIONS: usize = 8;
/// Requests that are sent before their answers are read.
const AT_ONCE: usize = 40;

/// A path with some mistakes in it, in printable ASCII.
fn mutated(random: &mut Rng) -> String {
    let mut path = PATHS[random.usize(..PATHS.len())].to_owned();
    for _ in 0..random.usize(1..5) {
        let at = random.usize(1..=path.len());
        match random.u8(..5) {
            0 | 1 => path.insert_str(at, PIECES[random.usize(..PIECES.len())]),
            2 => encode(&mut path, at - 1, random.bool()),
            3 if path.len() > 2 && at < path.len() => drop(path.remove(at)),
            _ => path = path.replacen('/', &PATHS[random.usize(..PATHS.len())][..2], 1),
        }
    }
    path
}

/// Writes one character by its number.
fn encode(path: &mut String, at: usize, upper: bool) {
    let byte = path.as_bytes()[at];
    if at > 0 {
        path.replace_range(at..=at, &if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") });
    }
}

/// A reader of its own: it decodes once, takes every kind of slash for one, cuts parameters off and
/// resolves dot segments. Encoded slashes are text to it where the mode says so.
fn read(path: &str, safety: PathSafety) -> Vec<String> {
    let bytes = path.as_bytes();
    let (mut text, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let encoded = path.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match encoded.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(b'/') if safety == PathSafety::AllowEncodedSlash => text.extend(b"%2F"),
            Some(byte) => text.push(byte),
            None => text.push(bytes[at]),
        }
        at += if encoded.is_some_and(|hex| u8::from_str_radix(hex, 16).is_ok()) { 3 } else { 1 };
    }
    let mut segments: Vec<String> = Vec::new();
    for segment in String::from_utf8_lossy(&text).split(['/', '\\']) {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment.to_owned()),
        }
    }
    segments
}

/// Whom the path leads to, as that reader has it.
fn reading(path: &str, safety: PathSafety) -> &'static str {
    let segments = read(path, safety);
    let takes = |prefix: &str| segments.starts_with(&read(prefix, PathSafety::Strict));
    RULES.iter().rev().find(|(prefix, _)| takes(prefix)).map_or("nobody", |(_, name)| *name)
}

/// The decision of the gateway's own parts: whom a path leads to, and which path is passed on.
struct Decision(Table<&'static str>);

impl Decision {
    fn new() -> Self {
        let entry = |(number, (prefix, name)): (u32, &(&'static str, &'static str))| Entry {
            host: HostPattern::Any,
            path: PathPattern::prefix(prefix),
            conditions: Conditions::default(),
            created: 0,
            order: ("a/a".into(), number),
            payload: *name,
        };
        Self(Table::build((0..).zip(&RULES).map(entry).collect()))
    }

    /// `None` for 400. `cut` leaves the prefix out.
    fn of(&self, path: &str, safety: PathSafety, cut: bool) -> Option<(&'static str, String)> {
        let normal = normalise(path);
        if normal.ambiguity.is_some_and(|ambiguity| !safety.permits(ambiguity)) {
            return None;
        }
        let (method, headers) = (Method::GET, HeaderMap::new());
        let view = RequestView { host: "", path: &normal.path, method: &method, headers: &headers, query: None };
        let Outcome::Found(found) = self.0.find(&view) else { panic!("{path}: every path is taken") };
        let normal = Some(&*normal.path).filter(|normal| *normal != path);
        let passed = forwarded(path, normal, if cut { found.prefix_len } else { 0 }, safety == PathSafety::Raw);
        Some((*found.payload, passed.map_or_else(|| path.to_owned(), Into::into)))
    }
}

/// Checks what was received of a path that was taken.
fn assert_agreement(sent: &str, received: &str, taken_by: &str, safety: PathSafety) {
    if safety == PathSafety::Raw {
        assert_eq!(received, sent, "raw paths pass as they came");
        return;
    }
    assert_eq!(canonical_pattern(received), received, "{sent} was passed on in another form: {safety:?}");
    assert_eq!(reading(received, safety), taken_by, "{sent} was passed on as {received}: {safety:?}");
    assert_eq!(reading(sent, safety), taken_by, "{sent} is read in another way: {safety:?}");
}

#[test]
fn a_hundred_thousand_mutated_paths_are_read_in_one_way() {
    let (decision, mut random) = (Decision::new(), Rng::with_seed(20_260));
    let mut taken = [0; 3];
    for _ in 0..PATHS_HERE {
        let path = mutated(&mut random);
        for (safety, taken) in SAFETIES.into_iter().zip(&mut taken) {
            let Some((name, received)) = decision.of(&path, safety, false) else { continue };
            *taken += 1;
            assert_eq!(decision.of(&received, safety, false), Some((name, received.clone())), "{path}: {safety:?}");
            assert_agreement(&path, &received, name, safety);
            let (_, rest) = decision.of(&path, safety, true).expect("a path that is taken is taken");
            if safety != PathSafety::Raw {
                let again = normalise(&rest);
                assert!(again.ambiguity.is_none_or(|found| safety.permits(found)), "{path} leaves {rest}: {safety:?}");
                assert_eq!(again.path, rest, "{path}: {safety:?}");
            }
        }
    }
    let [strict, slashes, raw] = taken;
    assert!(PATHS_HERE / 10 < strict && strict < slashes && slashes < raw, "{taken:?}");
    assert_eq!(raw, PATHS_HERE);
}

/// A backend that answers with its name and the target that it was asked for.
async fn telling(name: &'static str) -> Backend {
    Backend::answering(move |seen| Response::new(Full::from(format!("{name} {}", seen.target)))).await
}

async fn start() -> (Gateway, Vec<Backend>) {
    let (folder, mut backends) = (Folder::new(), Vec::new());
    for (_, name) in RULES {
        let backend = telling(name).await;
        folder.service(name, &[backend.address()]);
        backends.push(backend);
    }
    for safety in SAFETIES {
        let rule = |(prefix, name): &(&str, &str)| {
            format!(
                "{{pathSafety: {safety:?}, matches: [{{path: {{value: {prefix}}}}}], backends: [{{service: {name}}}]}}"
            )
        };
        let rules: Vec<_> = RULES.iter().map(rule).collect();
        let spec = format!("{{hostnames: [{}], rules: [{}]}}", host(safety), rules.join(", "));
        folder.route(&host(safety).replace('.', "-"), &spec);
    }
    (Gateway::start(folder).await, backends)
}

fn host(safety: PathSafety) -> String {
    format!("{safety:?}.example").to_lowercase()
}

/// Sends paths over one connection; the answer to each, `None` for 400.
async fn answers(gateway: &Gateway, safety: PathSafety, paths: &[String]) -> Vec<Option<(String, String)>> {
    let (mut wire, mut answers) = (gateway.open().await, Vec::new());
    for paths in paths.chunks(AT_ONCE) {
        let requests: String = paths.iter().map(|path| get(&host(safety), path)).collect();
        wire.send(requests).await;
        for path in paths {
            let reply = wire.reply().await;
            assert!(matches!(reply.status, 200 | 400), "{path}: {reply:?}");
            let text = reply.text();
            let told = text.split_once(' ').map(|(name, target)| (name.to_owned(), target.to_owned()));
            answers.push(told.filter(|_| reply.status == 200));
        }
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backends_receive_the_paths_that_were_decided_by() {
    let (gateway, _backends) = start().await;
    let (gateway, mut sending) = (std::sync::Arc::new(gateway), JoinSet::new());
    for (safety, number) in SAFETIES.into_iter().flat_map(|safety| (0..CONNECTIONS).map(move |number| (safety, number)))
    {
        let gateway = std::sync::Arc::clone(&gateway);
        sending.spawn(async move {
            let mut random = Rng::with_seed(number as u64);
            let sent: Vec<_> = (0..PATHS_SENT / CONNECTIONS).map(|_| mutated(&mut random)).collect();
            let first = answers(&gateway, safety, &sent).await;
            let taken: Vec<_> = sent.iter().zip(first).filter_map(|(sent, answer)| Some((sent, answer?))).collect();
            for (sent, (name, received)) in &taken {
                assert_agreement(sent, received, name, safety);
            }
            // Who receives what was received, and so on.
            let received: Vec<_> = taken.into_iter().map(|(_, answer)| answer).collect();
            let targets: Vec<_> = received.iter().map(|(_, target)| target.clone()).collect();
            let again = answers(&gateway, safety, &targets).await;
            assert_eq!(again, received.into_iter().map(Some).collect::<Vec<_>>(), "{safety:?}");
            targets.len()
        });
    }
    let taken: usize = sending.join_all().await.into_iter().sum();
    assert!(taken > PATHS_SENT, "{taken} paths were taken");
}
