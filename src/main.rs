//! The `paifang` binary: flags, then the library.

use clap::Parser as _;
use paifang::{app, cli::Cli};
use std::process::ExitCode;

fn main() -> ExitCode {
    app::main(Cli::parse())
}
