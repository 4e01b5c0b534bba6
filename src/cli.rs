//! The command line: flags and environment as they are written, before anything is checked.

pub mod args;
pub mod check;
pub mod demo;
pub mod environment;
pub mod explain;
mod files;
pub mod output;
#[cfg(feature = "kubernetes")]
pub mod preflight;
pub mod welcome;

use args::{CheckArgs, DemoArgs, ExplainArgs, StandaloneArgs};
use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
use std::io::Write;

/// A Kubernetes-native ingress controller and API gateway, in one process.
#[derive(Debug, Parser)]
#[command(name = "paifang", version, propagate_version = true, args_override_self = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the routes of a Kubernetes cluster.
    #[cfg(feature = "kubernetes")]
    #[command(args_override_self = true)]
    Serve(Box<args::ServeArgs>),
    /// Serve the routes of a Kubernetes cluster: not in this build.
    #[cfg(not(feature = "kubernetes"))]
    #[command(hide = true, disable_help_flag = true)]
    Serve {
        /// Whatever is given.
        #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<std::ffi::OsString>,
    },
    /// Serve the routes in a folder of YAML files, without a cluster.
    #[command(args_override_self = true)]
    Standalone(Box<StandaloneArgs>),
    /// Serve the quickstart, with its endpoints built in: three that echo, and one that is called by mucp and gRPC.
    #[command(args_override_self = true)]
    Demo(Box<DemoArgs>),
    #[cfg_attr(
        feature = "kubernetes",
        doc = "Say what is wrong with files, or with the cluster's set-up, without serving."
    )]
    #[cfg_attr(not(feature = "kubernetes"), doc = "Say what is wrong with files, without serving.")]
    Check(CheckArgs),
    /// Say which rule takes a request, and why the others do not.
    Explain(ExplainArgs),
    /// Print the CRDs of this version.
    Crds,
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the version.
    Version {
        /// The form of the output.
        #[arg(short, long, value_enum, default_value_t)]
        output: OutputForm,
    },
}

/// The form of output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputForm {
    /// For people.
    #[default]
    Text,
    /// For programs; documented, and only ever gains fields.
    Json,
}

/// Writes completions for a shell.
///
/// # Errors
/// When `out` cannot be written.
pub fn completions(shell: clap_complete::Shell, out: &mut dyn Write) -> std::io::Result<()> {
    // The generator panics where it cannot write.
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "paifang", &mut text);
    out.write_all(&text)
}

/// Writes the version.
///
/// # Errors
/// When `out` cannot be written.
pub fn version(output: OutputForm, out: &mut dyn Write) -> std::io::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    match output {
        OutputForm::Text => writeln!(out, "paifang {version}"),
        OutputForm::Json => {
            let features: &[&str] = if cfg!(feature = "kubernetes") { &["kubernetes"] } else { &[] };
            let crd = crate::resource::crd::API_VERSION;
            writeln!(out, "{}", serde_json::json!({ "version": version, "crd": crd, "features": features }))
        }
    }
}
