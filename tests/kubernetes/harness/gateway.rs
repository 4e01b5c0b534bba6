//! The binary as a process: started with arguments, found through what it says it listens on.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::{Command, ExitStatus},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use super::{eventually, http, process::Process};

/// A gateway that is not up after this long will not be; the two cores may be busy.
const START: Duration = Duration::from_secs(30);

/// A running gateway; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Gateway {
    process: Process,
    listeners: BTreeMap<String, SocketAddr>,
    _folder: TempDir,
}

impl Gateway {
    /// The binary with exactly these arguments and variables. Returns once its listeners are open,
    /// which says nothing about readiness: see [`Gateway::ready`].
    pub(crate) async fn start(args: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().expect("a folder must be made");
        let mut command = Command::new(env!("CARGO_BIN_EXE_paifang"));
        // What a developer has set for a gateway of their own must not reach this one.
        command.env_clear().envs(variables.iter().copied()).args(args);
        let mut process = Process::start(&mut command, &folder.path().join("gateway.log"));
        let listeners = eventually(START, "the gateway opens its listeners", || {
            process.assert_running();
            std::future::ready(all_listeners(&process.log()))
        })
        .await;
        Self { process, listeners, _folder: folder }
    }

    /// Where the listener `name` (`http`, `https`, `admin`) is reached.
    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        let address = self.listeners[name];
        match address.ip() {
            ip if ip.is_unspecified() => (IpAddr::V4(Ipv4Addr::LOCALHOST), address.port()).into(),
            _ => address,
        }
    }

    /// Waits until `/readyz` says 200.
    pub(crate) async fn ready(&mut self) {
        let admin = self.address("admin");
        let process = &mut self.process;
        eventually(START, "the gateway is ready", || {
            process.assert_running();
            async move {
                let reply = http::try_get(admin, "localhost", "/readyz?verbose").await?;
                match reply.status.as_u16() {
                    200 => Ok(()),
                    code => Err(format!("{code} {}", String::from_utf8_lossy(&reply.body))),
                }
            }
        })
        .await;
    }

    /// All that it has logged.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// Ends it at once, as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.process.kill();
    }

    /// Sends SIGTERM and waits for the end, at most `deadline`: the exit status and the log.
    pub(crate) async fn terminate(mut self, deadline: Duration) -> (ExitStatus, String) {
        let status = self.process.terminate(deadline).await;
        (status, self.process.log())
    }
}

/// The listeners that the log names, once the one for probes is among them: it opens last.
fn all_listeners(log: &str) -> Result<BTreeMap<String, SocketAddr>, String> {
    let found: BTreeMap<_, _> = log.lines().filter_map(listener).collect();
    if found.contains_key("admin") { Ok(found) } else { Err(format!("no admin listener in the log:\n{log}")) }
}

/// The name and address in a log line `{"message": "listening", "listener": ..., "address": ...}`.
fn listener(line: &str) -> Option<(String, SocketAddr)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields").unwrap_or(&line);
    if fields.get("message")? != "listening" {
        return None;
    }
    let name = fields.get("listener")?.as_str()?.to_owned();
    Some((name, fields.get("address")?.as_str()?.parse().ok()?))
}
