//! The end of a serving process: what it waits for, and the drain.

#[cfg(test)]
mod tests;

use super::{failure::Failure, source::Running};
use crate::{
    lifecycle::{
        Readiness,
        vital::{Losses, Lost},
    },
    proxy::engine::Engine,
};
use tokio::signal::unix::{SignalKind, signal};

/// Why the process stops.
enum Stop {
    /// It was told to; a quick stop leaves the drain delay out.
    Told { fast: bool },
    /// A part is lost.
    Lost(Lost),
}

/// Waits until a signal comes or a part is lost, then drains. What still works goes on serving
/// meanwhile, in either case.
pub(super) async fn run(engine: Engine, source: Running, readiness: &Readiness, losses: Losses) -> Result<(), Failure> {
    let stop = wait(losses).await.map_err(|error| error.to_string())?;
    readiness.drain();
    match stop {
        Stop::Told { fast } => {
            tracing::info!("draining");
            drain(engine, source, fast).await;
            Ok(())
        }
        Stop::Lost(lost) => {
            tracing::error!("{lost}: draining, then the process ends");
            drain(engine, source, false).await;
            Err(lost.into())
        }
    }
}

async fn wait(mut losses: Losses) -> std::io::Result<Stop> {
    tokio::select! {
        fast = signalled() => Ok(Stop::Told { fast: fast? }),
        lost = losses.next() => Ok(Stop::Lost(lost)),
    }
}

/// Waits for the signal to stop; true when it is to be quick.
async fn signalled() -> std::io::Result<bool> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => Ok(false),
        _ = interrupt.recv() => Ok(true),
    }
}

/// Drains; a second Ctrl-C ends it at once.
async fn drain(engine: Engine, mut source: Running, fast: bool) {
    let interrupted = async {
        match signal(SignalKind::interrupt()) {
            Ok(mut interrupt) => interrupt.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    let drained = async {
        tokio::join!(engine.drain(fast), source.leave());
        source.stop().await;
    };
    tokio::select! {
        () = drained => {}
        _ = interrupted => tracing::warn!("interrupted again: stopping at once"),
    }
}

/// Whoever sends SIGHUP to have the configuration read again must not end the gateway by it.
pub(super) fn ignore_hangups() -> std::io::Result<()> {
    let mut hangups = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            tracing::info!("SIGHUP is ignored: routes and certificates are followed as they change");
        }
    });
    Ok(())
}
