//! The process' own log, on standard error. The access log has standard output for itself.

use crate::settings::LogFormat;
use std::io::IsTerminal as _;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// The log filter cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error(
    "--log-level `{filter}`: {source}. Write a level such as info, or a filter such as info,paifang::control=debug"
)]
pub struct FilterError {
    filter: String,
    source: tracing_subscriber::filter::ParseError,
}

/// Parts of the client library repeat each failed try, and the watcher of folders tells of its own
/// bookkeeping; our watches tell every failure once.
fn quieted(filter: &str) -> String {
    format!("kube_client=off,kube_runtime=off,notify=off,{filter}")
}

/// Starts logging. A second call changes nothing.
///
/// # Errors
/// [`FilterError`] when the filter cannot be understood.
pub fn start(format: LogFormat, filter: &str) -> Result<(), FilterError> {
    let filter =
        EnvFilter::try_new(quieted(filter)).map_err(|source| FilterError { filter: filter.to_owned(), source })?;
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let registry = tracing_subscriber::registry().with(filter);
    let started = if json {
        registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init()
    } else {
        let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        registry.with(fmt::layer().with_target(false).with_ansi(colours).with_writer(std::io::stderr)).try_init()
    };
    // Only tests start twice; the first logger goes on.
    let _ = started;
    Ok(())
}
