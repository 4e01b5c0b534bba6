//! The client of the API server: where it is, who we are, and its deadlines.

use super::failure::reason_text;
use http::{HeaderValue, header::USER_AGENT};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use std::{path::Path, time::Duration};

/// Time to connect, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A connection on which nothing arrives for this long is dead. Longer than a watch is kept open,
/// so that a quiet watch ends in order.
const READ_TIMEOUT: Duration = Duration::from_secs(130);

/// Log targets of the client library that repeat each failed try; switch them off, the watches
/// tell every distinct failure once.
pub const QUIET_LOG_TARGETS: [&str; 2] = ["kube_client", "kube_runtime"];

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ClientError(String);

/// A client for the API server that `kubeconfig` and `context` name; without them the one of the
/// cluster that this process runs in, else that of `KUBECONFIG` or `~/.kube/config`. It needs a
/// runtime, never connects by itself, and reads a rotated token or CA anew.
///
/// # Errors
///
/// When a file cannot be read, or there is neither a cluster nor a kubeconfig.
pub async fn client(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Client, ClientError> {
    // An installed provider stays: it is the same one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let config = prepared(config(kubeconfig, context).await?);
    let url = config.cluster_url.clone();
    Client::try_from(config).map_err(|error| ClientError(format!("API server {url}: {}", reason_text(&error))))
}

/// Deadlines and our name. Retrying is the business of each user of the client: the library's own
/// retries wait for minutes.
pub(super) fn prepared(mut config: Config) -> Config {
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.default_retry = false;
    let agent = HeaderValue::from_static(concat!("paifang/", env!("CARGO_PKG_VERSION")));
    config.headers.push((USER_AGENT, agent));
    config
}

async fn config(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Config, ClientError> {
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    if let Some(path) = kubeconfig {
        let named = |error: &dyn std::fmt::Display| ClientError(format!("kubeconfig {}: {error}", path.display()));
        let file = Kubeconfig::read_from(path).map_err(|error| named(&reason_text(&error)))?;
        return Config::from_custom_kubeconfig(file, &options).await.map_err(|error| named(&reason_text(&error)));
    }
    if context.is_none() && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        return Config::incluster_env()
            .map_err(|error| ClientError(format!("in-cluster configuration: {}", reason_text(&error))));
    }
    Config::from_kubeconfig(&options).await.map_err(|error| {
        ClientError(format!(
            "this process does not run in a cluster, and no kubeconfig can be read: {}; set --kubeconfig or KUBECONFIG",
            reason_text(&error)
        ))
    })
}
