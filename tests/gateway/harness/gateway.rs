//! The binary as a process over a folder, found through what it says it listens on.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    process::{Command, ExitStatus},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use super::{DEADLINE, Folder, Reply, Wire, eventually, get, process::Process};

/// The program.
const BINARY: &str = env!("CARGO_BIN_EXE_paifang");
/// The address that listeners bind to, and a port of the system's choice.
const ANY_PORT: &str = "127.0.0.1:0";

/// A running gateway; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Gateway {
    process: Process,
    listeners: BTreeMap<String, SocketAddr>,
    /// What it serves.
    pub(crate) folder: Folder,
    _log: TempDir,
}

impl Gateway {
    /// Serves the folder, and is ready.
    pub(crate) async fn start(folder: Folder) -> Self {
        Self::start_with(folder, &[]).await
    }

    /// Serves the folder with more flags, and is ready.
    pub(crate) async fn start_with(folder: Folder, flags: &[&str]) -> Self {
        Self::start_by(folder, flags, Command::new(BINARY), &[]).await
    }

    /// The same, with variables of the environment.
    pub(crate) async fn start_in(variables: &[(&str, &str)], folder: Folder, flags: &[&str]) -> Self {
        Self::start_by(folder, flags, Command::new(BINARY), variables).await
    }

    /// The same, as a process that may have no more than so many files open.
    pub(crate) async fn start_with_files(folder: Folder, flags: &[&str], files: u32) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("ulimit -n {files} && exec \"$@\""), "sh", BINARY]);
        Self::start_by(folder, flags, shell, &[]).await
    }

    async fn start_by(folder: Folder, flags: &[&str], command: Command, variables: &[(&str, &str)]) -> Self {
        let mut given = Vec::new();
        for flag in ["--http", "--https", "--admin"] {
            if !flags.contains(&flag) {
                given.extend([flag, ANY_PORT]);
            }
        }
        given.extend(flags);
        let log = TempDir::new().expect("a folder must be made");
        let mut command = standalone(command, &folder, &given);
        command.envs(variables.iter().copied());
        let mut process = Process::start(&mut command, &log.path().join("gateway.log"));
        let listeners = eventually(DEADLINE, "the gateway opens its listeners", || {
            process.assert_running();
            std::future::ready(all_listeners(&process.log()))
        })
        .await;
        let gateway = Self { process, listeners, folder, _log: log };
        gateway.ready().await;
        gateway
    }

    async fn ready(&self) {
        let admin = self.address("admin");
        eventually(DEADLINE, "the gateway is ready", || async move {
            let reply = ask(admin, "localhost", "/readyz?verbose").await;
            if reply.status == 200 { Ok(()) } else { Err(reply.text()) }
        })
        .await;
    }

    /// Where the listener `http`, `https` or `admin` is.
    pub(crate) fn address(&self, listener: &str) -> SocketAddr {
        self.listeners[listener]
    }

    /// A new connection to the plain listener.
    pub(crate) async fn open(&self) -> Wire {
        Wire::open(self.address("http")).await
    }

    /// Sends one request over a connection of its own.
    pub(crate) async fn ask(&self, request: impl AsRef<[u8]>) -> Reply {
        self.open().await.ask(request).await
    }

    /// `GET target` for the host `a.example` over a connection of its own.
    pub(crate) async fn get(&self, target: &str) -> Reply {
        self.ask(get("a.example", target)).await
    }

    /// `GET path` from the admin listener.
    pub(crate) async fn admin(&self, path: &str) -> Reply {
        ask(self.address("admin"), "localhost", path).await
    }

    /// The value of a series such as `name` or `name{label="value"}`; 0 where there is none.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let text = self.admin("/metrics").await.text();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().expect("a value must be a number"))
    }

    /// Waits until `GET target` for `host` satisfies `wanted`, for instance after an edit.
    pub(crate) async fn until(&self, host: &str, target: &str, wanted: impl Fn(&Reply) -> bool) {
        let http = self.address("http");
        eventually(DEADLINE, &format!("{host}{target} changes"), || async {
            let reply = ask(http, host, target).await;
            if wanted(&reply) { Ok(()) } else { Err(format!("{reply:?}")) }
        })
        .await;
    }

    /// The line of the access log for this path.
    pub(crate) async fn logged(&self, path: &str) -> Value {
        eventually(DEADLINE, &format!("{path} is in the access log"), || {
            let log = self.process.log();
            let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("a log line must be JSON"));
            let mut found = lines.filter(|line| line.get("duration_ms").is_some() && line["path"] == path);
            std::future::ready(found.next_back().ok_or(log.clone()))
        })
        .await
    }

    /// Waits until a limit is counted that took effect.
    pub(crate) async fn protected(&self, rule: &str) {
        let series = format!("paifang_protection_total{{rule=\"{rule}\"}}");
        eventually(DEADLINE, &format!("{series} is counted"), || async {
            let value = self.metric(&series).await;
            if value >= 1.0 { Ok(()) } else { Err(value) }
        })
        .await;
    }

    /// All that it has logged.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits for its end.
    pub(crate) async fn end(&mut self, deadline: Duration) -> ExitStatus {
        self.process.end(deadline).await
    }

    /// Its resident memory in bytes.
    pub(crate) fn resident(&self) -> usize {
        let kibibytes: usize = self.status("VmRSS").trim_end_matches(" kB").parse().expect("VmRSS must be a number");
        kibibytes * 1024
    }

    /// The time that its threads have worked so far.
    pub(crate) fn work(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()));
        let stat = stat.expect("a running process has counters");
        // The 14th and 15th value, in hundredths of a second (proc_pid_stat(5)); the 2nd may have spaces.
        let (_, values) = stat.rsplit_once(") ").expect("the name must be in parentheses");
        let ticks = values.split(' ').skip(11).take(2).map(|value| value.parse::<u64>().expect("a number"));
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }

    /// Whether it runs, as `ps` has it: `T` while it is stopped.
    pub(crate) fn state(&self) -> String {
        self.status("State")
    }

    fn status(&self, name: &str) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.expect("a running process has a status");
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("{name} must be there")).trim().to_owned()
    }
}

async fn ask(address: SocketAddr, host: &str, target: &str) -> Reply {
    Wire::open(address).await.ask(get(host, target)).await
}

fn standalone(mut command: Command, folder: &Folder, flags: &[&str]) -> Command {
    // What a developer has set for a gateway of their own must not reach this one.
    command.env_clear().arg("standalone").arg(folder.path());
    command.args(["--threads", "2", "--log-format", "json", "--access-log", "json"]).args(flags);
    command
}

/// Starts a gateway that is expected to end by itself: its exit code and what it printed.
pub(crate) async fn run_to_end(folder: &Folder, flags: &[&str]) -> (Option<i32>, String) {
    let log = TempDir::new().expect("a folder must be made");
    let mut process =
        Process::start(&mut standalone(Command::new(BINARY), folder, flags), &log.path().join("gateway.log"));
    let status = process.end(DEADLINE).await;
    (status.code(), process.log())
}

/// The listeners that the log names, once the one for probes is among them: it comes last.
fn all_listeners(log: &str) -> Result<BTreeMap<String, SocketAddr>, String> {
    let found: BTreeMap<_, _> = log.lines().filter_map(listener).collect();
    if found.contains_key("admin") { Ok(found) } else { Err(format!("no admin listener in the log:\n{log}")) }
}

fn listener(line: &str) -> Option<(String, SocketAddr)> {
    let line: Value = serde_json::from_str(line).ok()?;
    if line.get("message")? != "listening" {
        return None;
    }
    Some((line.get("listener")?.as_str()?.to_owned(), line.get("address")?.as_str()?.parse().ok()?))
}
