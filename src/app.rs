//! The composition root: builds every part, owns the runtimes, and stops them in order. No logic.

mod serving;
mod source;

use crate::{
    cli::{self, Cli, Command, check, explain},
    telemetry,
};
use serving::{Serving, serve};
use std::{fmt::Display, io::Write as _, process::ExitCode};

/// Findings of `check`, or no rule in `explain`.
const FINDINGS: u8 = 1;
/// The process cannot start as it was told to.
const USAGE: u8 = 2;

/// Runs a command and says how it ended.
#[must_use]
pub fn main(cli: Cli) -> ExitCode {
    match cli.command {
        #[cfg(feature = "kubernetes")]
        Command::Serve(args) => start(Serving::cluster(*args)),
        Command::Standalone(args) => start(Serving::folder(*args)),
        Command::Demo(args) => start(Serving::demo(*args)),
        Command::Check(args) => tool(|out| check::run(&args, out)),
        Command::Explain(args) => tool(|out| explain::run(&args, out)),
        Command::Crds => tool(|out| crds(out).map(|()| 0)),
        Command::Completions { shell } => tool(|out| {
            cli::completions(shell, out);
            Ok::<_, std::io::Error>(0)
        }),
        Command::Version { output } => tool(|out| cli::version(output, out).map(|()| 0)),
    }
}

fn crds(out: &mut dyn std::io::Write) -> std::io::Result<()> {
    for crd in crate::resource::crd::all() {
        write!(out, "---\n{}", crate::resource::crd::to_yaml(&crd))?;
    }
    Ok(())
}

/// Runs a command that writes to standard output and ends.
fn tool<E: Display>(run: impl FnOnce(&mut dyn std::io::Write) -> Result<u8, E>) -> ExitCode {
    match run(&mut std::io::stdout().lock()) {
        Ok(code) => code.into(),
        Err(error) => fail(&error),
    }
}

fn start(serving: Serving) -> ExitCode {
    let logging = telemetry::start(serving.process.log_format, &serving.process.log_level);
    match logging.map_err(|error| error.to_string()).and_then(|()| serve(serving)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Says in plain text why the process cannot go on.
fn fail(error: &dyn Display) -> ExitCode {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "paifang: {error}");
    USAGE.into()
}

/// The exit code for findings.
#[must_use]
pub const fn findings(any: bool) -> u8 {
    if any { FINDINGS } else { 0 }
}
