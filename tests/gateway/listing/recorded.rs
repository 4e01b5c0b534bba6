//! The handler Registry against recordings of go-micro's: what its registry held when it answered is in the annotations of
//! Pods, in a namespace and a host for each row, and the same requests come.
//!
//! What differs by design, on every row: nothing is written, and whoever tries gets 405.

use std::io::Write as _;

use serde_json::{Value, json};

use super::pod;
use crate::harness::{Folder, Gateway, Recorded, Reply};

const FILE: &str = "registryhandler-v1.18.jsonl";

/// Rows whose answers to reading differ, and why.
const OTHERWISE: [(&str, &str); 7] = [
    ("get-all-empty", "no service is an empty list"),
    ("get-unknown", UNKNOWN),
    ("post-form", UNKNOWN),
    ("delete-last", UNKNOWN),
    ("post-old-port", "a node without a port is nowhere, and is left out"),
    ("post-no-name", "a service without a name is left out"),
    ("verb-options", "OPTIONS says what is allowed"),
];
const UNKNOWN: &str = "a service that is unknown is 404";

/// A row: requests, each with what go-micro answered, if it did.
struct Row {
    name: String,
    exchanges: Vec<(Recorded, Option<Recorded>)>,
}

impl Row {
    fn of(row: &Value) -> Self {
        let connections = row["http_connections"].as_array();
        let connections = connections.map_or_else(|| vec![&row["http"]], |connections| connections.iter().collect());
        let exchanges = connections.into_iter().flat_map(|exchange| {
            let (requests, responses) = (messages(exchange, "request"), messages(exchange, "response"));
            let answered = responses.into_iter().map(Some).chain(std::iter::repeat(None));
            requests.into_iter().zip(answered).collect::<Vec<_>>()
        });
        let name = row["name"].as_str().expect("a recording has a name");
        Self { name: name.to_owned(), exchanges: exchanges.collect() }
    }

    fn host(&self) -> String {
        format!("{}.example", self.name)
    }

    /// Puts what go-micro told last in the namespace of the row.
    fn register(&self, folder: &Folder) {
        let metadata = json!({"name": "list", "namespace": self.name});
        let spec = json!({"hostnames": [self.host()], "rules": [{"handler": {"type": "Registry"}}]});
        let kind = ("paifang.dev/v1alpha1", "GatewayRoute");
        let route = json!({"apiVersion": kind.0, "kind": kind.1, "metadata": metadata, "spec": spec});
        folder.write(&format!("{}.route.json", self.name), &route.to_string());
        let told = self.exchanges.iter().rev().find_map(|(_, answer)| list(answer.as_ref()?.body.as_deref()?));
        for (index, service) in told.into_iter().flatten().enumerate() {
            pod(folder, &self.name, &format!("{}-{index}", self.name), &service);
        }
    }

    async fn differences(&self, gateway: &Gateway) -> Vec<String> {
        let mut differences = Vec::new();
        for (sent, answer) in &self.exchanges {
            let mut wire = gateway.open().await;
            wire.send(String::from_utf8_lossy(&sent.bytes).replace("api.example.com", &self.host())).await;
            let is_head = sent.start.starts_with("HEAD ");
            let reply = if is_head { wire.reply_to_head().await } else { wire.reply().await };
            let recorded = answer.as_ref().map_or(0, status);
            let is_read = ["GET ", "HEAD ", "OPTIONS "].iter().any(|method| sent.start.starts_with(method));
            if !is_read {
                assert_eq!((reply.status, reply.field("allow")), (405, Some("GET, HEAD")), "{}", self.name);
            } else if reply.status != recorded {
                differences.push(format!("{}: {}, recorded {recorded}", sent.start, reply.status));
            } else {
                differences.extend(difference(&reply, answer.as_ref()));
            }
        }
        let options = self.exchanges.iter().any(|(sent, _)| sent.start.starts_with("OPTIONS "));
        differences.extend(options.then(|| "Allow".to_owned()));
        differences
    }
}

fn messages(exchange: &Value, one: &str) -> Vec<Recorded> {
    let many = exchange[format!("{one}s")].as_array();
    many.map_or_else(|| vec![&exchange[one]], |many| many.iter().collect())
        .into_iter()
        .filter_map(Recorded::of)
        .collect()
}

fn status(answer: &Recorded) -> u16 {
    answer.start.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
}

fn list(body: &[u8]) -> Option<Vec<Value>> {
    serde_json::from_slice::<Value>(body).ok()?.as_array().cloned()
}

fn difference(reply: &Reply, answer: Option<&Recorded>) -> Option<String> {
    let theirs = list(answer?.body.as_deref()?)?;
    let ours = list(&reply.body).unwrap_or_default();
    let (ours, theirs) = (ours.into_iter().map(plain), theirs.into_iter().map(plain));
    let (ours, theirs): (Vec<_>, Vec<_>) = (ours.collect(), theirs.collect());
    (ours != theirs).then(|| format!("{ours:?}, recorded {theirs:?}"))
}

/// A service without an order of nodes. A type without fields has no list of them in Go.
fn plain(mut service: Value) -> Value {
    fn fill(value: &mut Value) {
        match value {
            Value::Array(list) => list.iter_mut().for_each(fill),
            Value::Object(map) => {
                for (name, value) in map {
                    if name == "values" && value.is_null() {
                        *value = json!([]);
                    }
                    fill(value);
                }
            }
            _ => {}
        }
    }
    fill(&mut service);
    if let Some(nodes) = service["nodes"].as_array_mut() {
        nodes.sort_by_key(|node| node["id"].to_string());
    }
    service
}

fn rows() -> Vec<Row> {
    let path = format!("{}/tests/data/go-micro/{FILE}", env!("CARGO_MANIFEST_DIR"));
    let lines = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let rows = lines.lines().map(|line| Row::of(&serde_json::from_str(line).expect("a recording must be JSON")));
    rows.collect()
}

#[tokio::test]
async fn the_registry_handler_of_go_micro_1_is_matched() {
    let (watches, rows): (Vec<_>, Vec<_>) = rows().into_iter().partition(|row| row.name.starts_with("watch-"));
    let folder = Folder::new();
    rows.iter().for_each(|row| row.register(&folder));
    let gateway = Gateway::start(folder).await;
    let (mut otherwise, mut wrong) = (Vec::new(), Vec::new());
    for row in &rows {
        let differences = row.differences(&gateway).await;
        match OTHERWISE.iter().find(|(name, _)| *name == row.name) {
            Some((name, why)) if !differences.is_empty() => otherwise.push(format!("{name} ({why})")),
            Some((name, _)) => wrong.push(format!("{name} does not differ: it is in the list for nothing")),
            None => wrong.extend(differences.into_iter().map(|difference| format!("{}: {difference}", row.name))),
        }
    }
    let not_run: Vec<_> = watches.iter().map(|row| row.name.as_str()).collect();
    let (ran, differ, left) = (rows.len(), otherwise.join(", "), not_run.len());
    let not_run = not_run.join(", ");
    let told = format!(
        "recorded {FILE}: {ran} ran, writes are refused, {} more differ by design: {differ}; {left} not: {not_run} (nobody can watch)\n",
        otherwise.len()
    );
    // Past the capture of the test runner: everybody should see what ran.
    let _ = std::io::stdout().lock().write_all(told.as_bytes());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
