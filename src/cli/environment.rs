//! Flags from the environment: a variable that is empty counts as unset, and an error in one names
//! the variable.

use super::Cli;
use clap::{
    Arg, Command, CommandFactory as _, Error, FromArgMatches as _,
    builder::{OsStr, Resettable, StyledStr},
    error::{ContextKind, ContextValue},
};
use std::{env, ffi::OsString};

/// Reads the command line and the environment. Ends the process where they are wrong, and where
/// help is asked for.
#[must_use]
pub fn parse() -> Cli {
    let arguments: Vec<OsString> = env::args_os().collect();
    let mut command = Cli::command().mut_subcommands(|command| command.mut_args(unset_if_empty));
    let parsed = command.try_get_matches_from_mut(&arguments).and_then(|found| Cli::from_arg_matches(&found));
    parsed.unwrap_or_else(|error| {
        // Only what was parsed is built, and flags that are not cannot be shown.
        command.build();
        name_variable(error, &command, &arguments).exit()
    })
}

/// Templates of pods and services often set a variable to nothing to leave it out.
fn unset_if_empty(arg: Arg) -> Arg {
    let is_empty = arg.get_env().and_then(env::var_os).is_some_and(|value| value.is_empty());
    if is_empty { arg.env(Resettable::<OsStr>::Reset) } else { arg }
}

/// An error speaks of the flag. Where the flag is not on the command line, its value is from the
/// environment, and nobody would look there.
fn name_variable(mut error: Error, command: &Command, arguments: &[OsString]) -> Error {
    let Some(ContextValue::String(named)) = error.get(ContextKind::InvalidArg) else { return error };
    let mut args = command.get_subcommands().flat_map(Command::get_arguments);
    let found = args.find(|arg| arg.get_env().is_some() && arg.to_string() == *named);
    let Some((variable, long)) = found.and_then(|arg| Some((arg.get_env()?, arg.get_long()?))) else { return error };
    let flag = format!("--{long}");
    let is_given = arguments.iter().any(|argument| {
        let argument = argument.to_string_lossy();
        argument.strip_prefix(&flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    });
    if !is_given {
        let tip = format!("the value is from the environment variable {}", variable.to_string_lossy());
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
    }
    error
}
