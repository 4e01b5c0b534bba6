//! The demo: what it tells a newcomer to try works.

use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{DEADLINE, Reply, Wire, eventually, process::Process};

const QUICKSTART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart");

/// A running demo, and the lines that it told to try.
struct Demo {
    _process: Process,
    _log: TempDir,
    lines: Vec<String>,
}

impl Demo {
    async fn start() -> Self {
        let log = TempDir::new().expect("a folder must be made");
        let mut command = Command::new(env!("CARGO_BIN_EXE_paifang"));
        command.env_clear().args(["demo", QUICKSTART, "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        let mut process = Process::start(&mut command, &log.path().join("demo.log"));
        let told = eventually(DEADLINE, "the demo tells what to try", || {
            process.assert_running();
            let log = process.log();
            std::future::ready(if log.contains("Ctrl-C stops") { Ok(log) } else { Err(log) })
        })
        .await;
        let lines = told.lines().filter_map(|line| line.split_once("curl ")).map(|(_, rest)| rest.to_owned());
        Self { _process: process, _log: log, lines: lines.collect() }
    }

    /// The line of the route whose path has this in it.
    fn line(&self, path: &str) -> &str {
        self.lines.iter().find(|line| line.contains(path)).expect("a line to try")
    }
}

/// Does what a line says: `-X METHOD`, `-H 'Host: name'` and the URL are all that is in them.
async fn try_it(line: &str, body: &str) -> Reply {
    let after = |word: &str| line.split_once(word).map(|(_, rest)| rest.split([' ', '\'']).next().expect("a word"));
    let url = after("http://").expect("a URL");
    let (address, target) = url.split_once('/').expect("a path");
    let (method, host) = (after("-X ").unwrap_or("GET"), after("Host: ").unwrap_or(address));
    let length = body.len();
    let request = format!("{method} /{target} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n{body}");
    Wire::open(address.parse().expect("an address")).await.ask(request).await
}

#[tokio::test]
async fn every_line_that_it_tells_to_try_works() {
    let demo = Demo::start().await;
    assert_eq!(demo.lines.len(), 8, "{:?}", demo.lines);
    for line in &demo.lines {
        let reply = try_it(line, "").await;
        assert_eq!(reply.status, 200, "{line}: {}", reply.text());
    }
}

#[tokio::test]
async fn it_greets_by_mucp_and_by_grpc() {
    let demo = Demo::start().await;
    let greeting = |name: &str| json!({"msg": format!("Hello {name}")});
    let greeted: Value = try_it(demo.line("/greet/"), "").await.json();
    assert_eq!(greeted, greeting("42"));
    let said = try_it(demo.line("/go.micro.api.greeter.Say/Hello"), r#"{"name": "bob"}"#).await;
    assert_eq!(said.json(), greeting("bob"));
    let wrong = try_it(demo.line("/go.micro.api.greeter.Say/Hello"), r#"{"nmae": "bob"}"#).await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.text().contains("nmae"), "{}", wrong.text());
    let other = try_it(&demo.line("/greet/").replace("/greet/42", "/greet/a%20b?name=c"), "").await;
    assert_eq!(other.json(), greeting("a b"), "the path wins");
}
