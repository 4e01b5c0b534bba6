//! The reference of flags, from the command line itself.

use clap::{Arg, Command, CommandFactory as _};
use paifang::cli::Cli;
use std::fmt::Write as _;

const HEAD: &str = "\
# Settings

Every flag of every command. Generated from the command line itself; do not edit.

A flag wins over its environment variable, which wins over the default. A variable that is empty counts as unset. An
empty default means that nothing is set.
Durations are written as `300ms`, `10s` or `1m30s`. Lists are separated by commas, or the flag is repeated.

Three defaults depend on the command: `--drain-delay` is `10s` for serve and `0s` for standalone and demo,
`--drain-timeout` is `30s`, and `--access-log` is `json`, but `off` for demo.
";

/// The page.
pub(crate) fn page() -> String {
    let cli = Cli::command();
    let mut page = HEAD.to_owned();
    for command in cli.get_subcommands().filter(|command| command.get_name() != "help") {
        section(&mut page, command);
    }
    page
}

fn section(page: &mut String, command: &Command) {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = write!(page, "\n## paifang {}\n\n{}.\n", command.get_name(), about.trim_end_matches('.'));
    let shown = |arg: &&Arg| !matches!(arg.get_id().as_str(), "help" | "version");
    let (positional, flags): (Vec<_>, Vec<_>) =
        command.get_arguments().filter(shown).partition(|arg| arg.is_positional());
    if !positional.is_empty() {
        page.push_str("\n| argument | default | meaning |\n| --- | --- | --- |\n");
        for arg in positional {
            let _ = writeln!(page, "| `{}` | {} | {} |", arg.get_id(), default(arg), meaning(arg));
        }
    }
    if !flags.is_empty() {
        page.push_str("\n| flag | environment | default | meaning |\n| --- | --- | --- | --- |\n");
        for arg in flags {
            let env = arg.get_env().map(|env| format!("`{}`", env.to_string_lossy())).unwrap_or_default();
            let _ = writeln!(page, "| `{}` | {env} | {} | {} |", flag(arg), default(arg), meaning(arg));
        }
    }
}

fn flag(arg: &Arg) -> String {
    let short = arg.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
    let long = arg.get_long().unwrap_or_default();
    let takes_value = arg.get_action().takes_values();
    let values = arg.get_value_names().filter(|_| takes_value).unwrap_or_default();
    let value = values.iter().map(|value| format!(" {value}")).collect::<String>();
    // Choices stand with the meaning.
    let value = if takes_value && !arg.get_possible_values().is_empty() { String::new() } else { value };
    format!("{short}--{long}{value}")
}

fn default(arg: &Arg) -> String {
    let values: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if values.is_empty() || !arg.get_action().takes_values() {
        String::new()
    } else {
        format!("`{}`", values.join(","))
    }
}

fn meaning(arg: &Arg) -> String {
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default().replace('|', "\\|");
    if !text.ends_with('.') {
        text.push('.');
    }
    if arg.get_action().takes_values() {
        let choices: Vec<_> = arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
        if !choices.is_empty() {
            let _ = write!(text, " One of {}.", choices.join(", "));
        }
    }
    text
}
