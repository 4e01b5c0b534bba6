//! A program that runs beside the tests: its log, its signals and its end.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use super::eventually;

/// How many lines of a log a failure shows.
const TAIL: usize = 20;

/// A running program; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with both outputs appended to the file `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).expect("the log must be writable");
        let errors = file.try_clone().expect("a file must be clonable");
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} must start: {error}"));
        Self { child, log: log.to_owned() }
    }

    /// All that the program has printed.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("the log must be readable")
    }

    /// How the program ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child must be waitable")
    }

    /// Panics with the end of the log if the program is gone: waiting for it would be in vain.
    pub(crate) fn assert_running(&mut self) {
        if let Some(status) = self.ended() {
            panic!("{} ended with {status}:\n{}", self.log.display(), self.tail());
        }
    }

    /// Ends the program at once, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        // An error says that it has ended already.
        let _ = self.child.kill();
        self.child.wait().expect("a child must be waitable");
    }

    /// Asks the program to end and waits for it, at most `deadline`.
    pub(crate) async fn terminate(&mut self, deadline: Duration) -> ExitStatus {
        self.signal("TERM");
        self.end(deadline).await
    }

    /// Sends the signal of this name (`TERM`, `INT`).
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "signal {name} to {id}");
    }

    /// Waits for the program to end by itself, at most `deadline`.
    pub(crate) async fn end(&mut self, deadline: Duration) -> ExitStatus {
        eventually(deadline, "the program ends", || std::future::ready(self.ended().ok_or("still running"))).await
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
