//! Health checks: each endpoint of a Service port that asks for them is checked once per process,
//! on a thread of its own, so that neither the cores nor the control path wait for it.
//!
//! An endpoint counts as healthy until checks say otherwise, so that a start waits for none. What
//! is found is a flag on the endpoint that every core reads.

pub mod census;
mod fault;
mod grpc;
mod probe;
mod record;
mod supervisor;

use crate::{control::publish::Published, lifecycle::vital::Vitals, metrics::ControlMetrics};
use std::{io, thread::JoinHandle};
use supervisor::Supervisor;
use tokio::sync::{oneshot, watch};

/// Tells endpoints who asks.
const AGENT: &str = concat!("paifang-health/", env!("CARGO_PKG_VERSION"));

/// The thread that checks endpoints.
#[derive(Debug)]
pub struct Checks {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Checks {
    /// Checks the endpoints of what is published, from now on.
    ///
    /// # Errors
    /// When the operating system gives no more threads.
    pub fn start(
        published: watch::Receiver<Option<Published>>,
        endpoints: watch::Receiver<u64>,
        metrics: &ControlMetrics,
        vitals: &Vitals,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let (supervisor, vital) = (Supervisor::new(metrics), vitals.guard("the health checks"));
        let run = move || {
            let _vital = vital;
            runtime.block_on(async {
                tokio::select! {
                    () = supervisor.run(published, endpoints) => {}
                    // A sender that is gone stops it too.
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("health".to_owned()).spawn(run)?;
        Ok(Self { stop, thread })
    }

    /// Stops, and waits for the end of the thread.
    pub fn stop(self) {
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            tracing::error!("the thread of the health checks has panicked");
        }
    }
}
