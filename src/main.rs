//! The `paifang` binary: flags, then the library.

use paifang::{app, cli::environment};
use std::process::ExitCode;

fn main() -> ExitCode {
    app::main(environment::parse())
}
