//! The composition root: builds every part, owns the runtimes, and stops them in order. No logic.

mod descriptors;
mod failure;
mod serving;
mod source;
mod stopping;

use crate::{
    cli::{self, Cli, Command, check, explain, output::Output},
    telemetry,
};
use failure::Failure;
use serving::{Serving, serve};
use std::{fmt::Display, io::Write as _, process::ExitCode};

/// The process cannot start as it was told to.
const USAGE: u8 = 2;

#[cfg(not(feature = "kubernetes"))]
const NO_KUBERNETES: &str = "this build has no Kubernetes support: take one with the feature `kubernetes`, as the image \
     has, or serve a folder with `paifang standalone DIR`";

/// Runs a command and says how it ended.
#[must_use]
pub fn main(cli: Cli) -> ExitCode {
    match cli.command {
        #[cfg(feature = "kubernetes")]
        Command::Serve(args) => start(Serving::cluster(*args)),
        #[cfg(not(feature = "kubernetes"))]
        Command::Serve { .. } => fail(&NO_KUBERNETES),
        Command::Standalone(args) => start(Serving::folder(*args)),
        Command::Demo(args) => start(Serving::demo(*args)),
        #[cfg(feature = "kubernetes")]
        Command::Check(args) if args.in_cluster => tool(|out| preflight(&args, out)),
        #[cfg(not(feature = "kubernetes"))]
        Command::Check(args) if args.in_cluster => fail(&NO_KUBERNETES),
        Command::Check(args) => tool(|out| check::run(&args, out)),
        Command::Explain(args) => tool(|out| explain::run(&args, out)),
        Command::Crds => tool(|out| crds(out).map(|()| 0)),
        Command::Completions { shell } => tool(|out| cli::completions(shell, out).map(|()| 0)),
        Command::Version { output } => tool(|out| cli::version(output, out).map(|()| 0)),
    }
}

#[cfg(feature = "kubernetes")]
fn preflight(args: &cli::args::CheckArgs, out: &mut dyn std::io::Write) -> Result<u8, String> {
    let cluster = &args.cluster;
    let options = cli::preflight::PreflightOptions {
        kubeconfig: cluster.kubeconfig.clone(),
        context: cluster.context.clone(),
        watch: source::watch_settings(cluster),
        pod_namespace: cluster.pod_namespace.clone(),
        lease_name: cluster.lease_name.clone(),
        publish_service: cluster.publish_service.clone(),
        admin_url: args.admin_url.clone(),
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let outcome = runtime.block_on(cli::preflight::preflight(&options, out)).map_err(|error| error.to_string())?;
    Ok(outcome.exit_code())
}

fn crds(out: &mut dyn std::io::Write) -> std::io::Result<()> {
    for crd in crate::resource::crd::all() {
        write!(out, "---\n{}", crate::resource::crd::to_yaml(&crd))?;
    }
    Ok(())
}

/// Runs a command that writes to standard output and ends.
fn tool<E: Display>(run: impl FnOnce(&mut dyn std::io::Write) -> Result<u8, E>) -> ExitCode {
    let mut out = Output::new(std::io::stdout().lock());
    let ended = run(&mut out).map_err(|error| error.to_string());
    match ended.and_then(|code| out.flush().map(|()| code).map_err(|error| error.to_string())) {
        Ok(code) => code.into(),
        Err(error) => fail(&error),
    }
}

fn start(serving: Serving) -> ExitCode {
    let logging = telemetry::start(serving.process.log_format, &serving.process.log_level);
    match logging.map_err(|error| Failure::Start(error.to_string())).and_then(|()| serve(serving)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            fail(&failure);
            failure.exit_code().into()
        }
    }
}

/// Says in plain text why the process cannot go on.
fn fail(error: &dyn Display) -> ExitCode {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "paifang: {error}");
    USAGE.into()
}
