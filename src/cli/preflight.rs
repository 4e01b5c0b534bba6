//! `check --in-cluster`: whether the gateway can do its work in this cluster, one line per finding.
//!
//! It asks what the gateway itself would ask, under the same account: can the API server be
//! reached, is our CRD installed and the same as ours, may each watch and each write be done, and
//! is the gateway ready.

mod access;
mod admin;
mod crd;

use crate::control::watch::kubernetes::{WatchSettings, client, reason_text};
use kube::Client;
use std::{
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};
use tokio::time::timeout;

/// The longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to check: the settings of the gateway that matter to the cluster.
#[derive(Clone, Debug, Default)]
pub struct PreflightOptions {
    /// A kubeconfig file. Default: in-cluster, else `KUBECONFIG`.
    pub kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig. Default: its current one.
    pub context: Option<String>,
    /// What the gateway watches.
    pub watch: WatchSettings,
    /// The namespace of the gateway's pod, which has its Lease.
    pub pod_namespace: String,
    /// The name of the Lease.
    pub lease_name: String,
    /// Namespace and name of the Service whose addresses are published.
    pub publish_service: Option<(String, String)>,
    /// `http://HOST:PORT` of the gateway's admin listener, to ask whether it is ready.
    pub admin_url: Option<String>,
}

/// What the checks came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreflightOutcome {
    /// Everything is as it should be.
    Passed,
    /// Something is not.
    Findings,
    /// The API server cannot be reached.
    Unreachable,
}

impl PreflightOutcome {
    /// 0, 1 or 3.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Findings => 1,
            Self::Unreachable => 3,
        }
    }
}

/// One line: what holds, or what does not and how to mend it.
type Finding = Result<String, String>;

/// Runs every check and writes a line for each. It needs a runtime with timers and I/O.
///
/// # Errors
///
/// When `out` cannot be written to.
pub async fn preflight(options: &PreflightOptions, out: &mut dyn Write) -> io::Result<PreflightOutcome> {
    let mut report = Report { out, failures: 0 };
    let client = match reach(options).await {
        Ok((client, line)) => {
            report.line(Ok(line))?;
            client
        }
        Err(line) => {
            report.line(Err(line))?;
            return Ok(PreflightOutcome::Unreachable);
        }
    };
    for finding in crd::check(&client).await {
        report.line(finding)?;
    }
    for finding in access::check(&client, options).await {
        report.line(finding)?;
    }
    if let Some(url) = &options.admin_url {
        report.line(admin::check(url).await)?;
    }
    report.summary()
}

async fn reach(options: &PreflightOptions) -> Result<(Client, String), String> {
    let client = client(options.kubeconfig.as_deref(), options.context.as_deref());
    let client = client.await.map_err(|error| error.to_string())?;
    let version = answer(client.apiserver_version()).await.map_err(|error| {
        format!("the API server does not answer: {error}; check the network, and a NetworkPolicy if there is one")
    })?;
    Ok((client, format!("API server {} answers", version.git_version)))
}

/// The answer of the API server, or the words of its failure.
async fn answer<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, String> {
    match timeout(PATIENCE, request).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(kube::Error::Api(status))) => Err(format!("{} {}: {}", status.code, status.reason, status.message)),
        Ok(Err(error)) => Err(reason_text(&error)),
        Err(_) => Err(format!("no answer for {} s", PATIENCE.as_secs())),
    }
}

/// The lines written so far.
struct Report<'a> {
    out: &'a mut dyn Write,
    failures: usize,
}

impl Report<'_> {
    fn line(&mut self, finding: Finding) -> io::Result<()> {
        match finding {
            Ok(line) => writeln!(self.out, "ok    {line}"),
            Err(line) => {
                self.failures += 1;
                writeln!(self.out, "FAIL  {line}")
            }
        }
    }

    fn summary(self) -> io::Result<PreflightOutcome> {
        if self.failures == 0 {
            writeln!(self.out, "everything is as it should be")?;
            return Ok(PreflightOutcome::Passed);
        }
        let noun = if self.failures == 1 { "check" } else { "checks" };
        writeln!(self.out, "{} {noun} failed", self.failures)?;
        Ok(PreflightOutcome::Findings)
    }
}
