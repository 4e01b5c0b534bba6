//! The programs that the set-up found, and short-lived runs of them.

use std::{env, path::PathBuf};

use tokio::process::Command;

/// The path of a program that the set-up put in the environment under `key`.
pub(crate) fn path(key: &str) -> PathBuf {
    env::var_os(key)
        .map_or_else(|| panic!("{key} is not set: run this tier with `make test TIERS=kubernetes`"), PathBuf::from)
}

/// Runs `command` to its end and returns what it printed; panics with its complaint when it fails.
pub(crate) async fn run(command: &mut Command) -> String {
    let output = command.output().await.unwrap_or_else(|error| panic!("{command:?} must start: {error}"));
    let complaint = [&*output.stdout, &*output.stderr].map(String::from_utf8_lossy).concat();
    assert!(output.status.success(), "{command:?} failed: {complaint}");
    String::from_utf8(output.stdout).expect("the output must be UTF-8")
}

/// Runs `command` to its end and returns its complaint; panics when it succeeds.
pub(crate) async fn run_refused(command: &mut Command) -> String {
    let output = command.output().await.unwrap_or_else(|error| panic!("{command:?} must start: {error}"));
    assert!(!output.status.success(), "{command:?} must fail");
    String::from_utf8(output.stderr).expect("the complaint must be UTF-8")
}
