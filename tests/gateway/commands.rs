//! The commands that write and end: their exit codes and what they say.

use std::{
    fs::File,
    process::{Command, Stdio},
};

use crate::harness::Folder;

const SPEC: &str = "{rules: [{matches: [{path: {value: /a}}], backends: [{service: echo}]}]}";

fn paifang(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paifang"));
    // What a developer has set must not reach it.
    command.env_clear().args(args);
    command
}

/// The exit code, and what it said on standard error.
fn run(command: &mut Command) -> (Option<i32>, String) {
    let output = command.stderr(Stdio::piped()).output().expect("the binary must start");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.service("echo", &[]).route("web", SPEC);
    folder
}

/// Each command that writes to standard output, and the exit code of it.
fn commands(folder: &str) -> [(Vec<&str>, i32); 8] {
    [
        (vec!["completions", "bash"], 0),
        (vec!["completions", "zsh"], 0),
        (vec!["completions", "fish"], 0),
        (vec!["crds"], 0),
        (vec!["version"], 0),
        (vec!["check", folder], 0),
        (vec!["explain", "--files", folder, "http://a.example/a"], 0),
        (vec!["explain", "--files", folder, "http://a.example/b"], 1),
    ]
}

#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    let folder = folder();
    for (args, code) in commands(folder.path().to_str().unwrap()) {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(run(paifang(&args).stdout(writer)), (Some(code), String::new()), "{args:?}");
    }
}

#[test]
fn a_broken_url_of_the_store_is_told_without_its_password() {
    let folder = folder();
    let serve = ["standalone", folder.path().to_str().unwrap(), "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    for url in ["redis://gateway:hush@redis:port", "http://gateway:hush@redis"] {
        let mut by_flag = paifang(&[&serve[..], &["--redis", url]].concat());
        let mut by_variable = paifang(&serve);
        by_variable.env("PAIFANG_REDIS", url);
        for command in [&mut by_flag, &mut by_variable] {
            let (code, said) = run(command);
            assert!(code.is_some_and(|code| code != 0) && said.contains("write redis://HOST:PORT"), "{code:?} {said}");
            assert!(!said.contains("hush"), "{said}");
        }
    }
}

#[test]
fn a_full_disk_is_told_without_a_panic() {
    let folder = folder();
    for (args, _) in commands(folder.path().to_str().unwrap()) {
        let full = File::options().write(true).open("/dev/full").expect("/dev/full must be there");
        let (code, said) = run(paifang(&args).stdout(full));
        assert_eq!(code, Some(2), "{args:?}: {said}");
        assert!(said.starts_with("paifang: standard output cannot be written: "), "{args:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
    }
}

#[test]
fn files_that_cannot_be_read_end_check_and_explain_with_2() {
    for args in [&["check", "/nonexist"][..], &["explain", "--files", "/nonexist", "http://a.example/"]] {
        let said = "paifang: /nonexist: cannot be read: No such file or directory (os error 2)\n".to_owned();
        assert_eq!(run(paifang(args).stdout(Stdio::null())), (Some(2), said), "{args:?}");
    }
}

#[test]
fn an_error_in_the_environment_names_the_variable() {
    let with = |variable: &str, value: &str, args: &[&str]| {
        let mut command = paifang(&["standalone", "/nonexist"]);
        run(command.args(args).env(variable, value).stdout(Stdio::null()))
    };
    let (code, said) = with("PAIFANG_MAX_HEADERS", "abc", &[]);
    assert_eq!(code, Some(2));
    assert!(said.contains("`abc` is no whole number: write a number from 8 to 100"), "{said}");
    assert!(said.contains("the value is from the environment variable PAIFANG_MAX_HEADERS"), "{said}");
    let (_, said) = with("PAIFANG_TRUSTED_PROXIES", "10.0.0.0/8,x", &[]);
    assert!(said.contains("variable PAIFANG_TRUSTED_PROXIES"), "{said}");
    let (_, said) = with("PAIFANG_MAX_HEADERS", "abc", &["--max-headers=xyz"]);
    assert!(said.contains("`xyz` is no whole number") && !said.contains("variable"), "{said}");
}

#[test]
fn an_empty_variable_counts_as_unset() {
    for variable in ["PAIFANG_HTTP", "PAIFANG_HTTPS", "PAIFANG_MAX_HEADERS", "PAIFANG_LOG_FORMAT", "PAIFANG_CLASS_NAME"]
    {
        let (_, said) = run(paifang(&["standalone", "/nonexist"]).env(variable, "").stdout(Stdio::null()));
        assert!(said.starts_with("paifang: /nonexist: cannot be read: "), "{variable}: {said}");
    }
}

#[cfg(not(feature = "kubernetes"))]
#[test]
fn a_build_without_kubernetes_says_so() {
    for args in [&["serve"][..], &["serve", "--pod-name", "a", "--help"], &["check", "--in-cluster"]] {
        let (code, said) = run(paifang(args).stdout(Stdio::null()));
        assert_eq!(code, Some(2), "{args:?}: {said}");
        assert!(said.starts_with("paifang: this build has no Kubernetes support: "), "{args:?}: {said}");
    }
    let output = paifang(&["check", "--help"]).output().expect("the binary must start");
    let help = String::from_utf8_lossy(&output.stdout);
    assert!(!help.contains("cluster"), "{help}");
}
