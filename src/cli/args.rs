//! The flags of each command. Every flag can be set by an environment variable of the same name.

mod limits;
mod store;

use super::OutputForm;
use crate::settings::LogFormat;
use clap::{Args, ValueEnum};
use ipnet::IpNet;
pub use limits::LimitArgs;
use std::{net::SocketAddr, path::PathBuf, time::Duration};
pub use store::{PASSWORD, StoreArgs};

/// Flags that every serving command has.
#[derive(Clone, Debug, Args)]
pub struct ProcessArgs {
    /// How many cores the data plane uses. Default: as many as the process may use.
    #[arg(long, env = "PAIFANG_THREADS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Whether other processes of the same user may listen on the same ports, if they say so too
    /// (`SO_REUSEPORT`). The admin listener has its port to itself.
    #[arg(long, env = "PAIFANG_REUSE_PORT")]
    pub reuse_port: bool,
    /// How long to go on accepting after SIGTERM, while readiness says no.
    #[arg(long, env = "PAIFANG_DRAIN_DELAY", value_name = "DURATION", value_parser = duration)]
    pub drain_delay: Option<Duration>,
    /// How long requests may take to end after that.
    #[arg(long, env = "PAIFANG_DRAIN_TIMEOUT", value_name = "DURATION", value_parser = duration)]
    pub drain_timeout: Option<Duration>,
    /// Networks whose X-Forwarded-* fields and PROXY headers are believed, such as 10.0.0.0/8.
    #[arg(long, env = "PAIFANG_TRUSTED_PROXIES", value_name = "CIDR,...", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,
    /// Whether connections begin with a header of the PROXY protocol (version 1 or 2), which names the client. With
    /// required, connections from others than trusted proxies are closed.
    #[arg(long, env = "PAIFANG_PROXY_PROTOCOL", value_enum, default_value_t)]
    pub proxy_protocol: ProxyProtocol,
    /// The zone that this replica runs in, as EndpointSlices name it in their hints. Empty: hints
    /// are not followed.
    #[arg(long, env = "PAIFANG_ZONE", value_name = "ZONE")]
    pub zone: Option<String>,
    /// Whether each request is logged, on standard output.
    #[arg(long, env = "PAIFANG_ACCESS_LOG", value_enum)]
    pub access_log: Option<AccessLog>,
    /// The form of the process' own log, on standard error. auto: text on a terminal, else JSON.
    #[arg(long, env = "PAIFANG_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// What the process logs: a level, or a filter such as `info,paifang::control=debug`.
    #[arg(long, env = "PAIFANG_LOG_LEVEL", value_name = "FILTER", default_value = "info")]
    pub log_level: String,
    /// The oldest TLS version that clients may speak.
    #[arg(long, env = "PAIFANG_TLS_MIN_VERSION", value_enum, default_value_t)]
    pub tls_min_version: TlsVersion,
    /// Whether a request over TLS must be for the host that the handshake was about (SNI), or for
    /// one with the same certificate (421).
    #[arg(long, env = "PAIFANG_STRICT_SNI", value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub strict_sni: bool,
    /// The certificate that is served where no name matches, as a Secret.
    #[arg(long, env = "PAIFANG_DEFAULT_CERTIFICATE", value_name = "NAMESPACE/NAME", value_parser = namespaced)]
    pub default_certificate: Option<(String, String)>,
    /// A Secret with session ticket keys, which replicas share.
    #[arg(long, env = "PAIFANG_TLS_TICKET_KEYS", value_name = "NAMESPACE/NAME", value_parser = namespaced)]
    pub tls_ticket_keys: Option<(String, String)>,
    /// The class of the GatewayRoutes to serve.
    #[arg(long, env = "PAIFANG_CLASS_NAME", value_name = "NAME", default_value = "paifang")]
    pub class_name: String,
    /// The controller of the IngressClasses to serve.
    #[arg(
        long,
        env = "PAIFANG_CONTROLLER_NAME",
        value_name = "NAME",
        default_value = "paifang.dev/ingress-controller"
    )]
    pub controller_name: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the flags have their own")]
    pub limits: LimitArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the flags have their own")]
    pub store: StoreArgs,
}

/// Flags of `serve`.
#[cfg(feature = "kubernetes")]
#[derive(Clone, Debug, Args)]
pub struct ServeArgs {
    /// The plain listener.
    #[arg(long, env = "PAIFANG_HTTP", value_name = "ADDR:PORT", default_value = "[::]:8080")]
    pub http: SocketAddr,
    /// The TLS listener.
    #[arg(long, env = "PAIFANG_HTTPS", value_name = "ADDR:PORT", default_value = "[::]:8443")]
    pub https: SocketAddr,
    /// The listener for probes and metrics.
    #[arg(long, env = "PAIFANG_ADMIN", value_name = "ADDR:PORT", default_value = "[::]:8081")]
    pub admin: SocketAddr,
    /// Addresses or host names that stand in the status of Ingresses.
    #[arg(long, env = "PAIFANG_PUBLISH_ADDRESS", value_name = "ADDRESS,...", value_delimiter = ',')]
    pub publish_address: Vec<String>,
    /// The name of this pod.
    #[arg(long, env = "PAIFANG_POD_NAME", value_name = "NAME")]
    pub pod_name: Option<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the flags have their own")]
    pub cluster: ClusterArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the flags have their own")]
    pub process: ProcessArgs,
}

/// The cluster, and what of it the gateway uses.
#[cfg(feature = "kubernetes")]
#[derive(Clone, Debug, Args)]
pub struct ClusterArgs {
    /// Namespaces to watch; all when empty. With any, no cluster-wide rights are needed.
    #[arg(long, env = "PAIFANG_WATCH_NAMESPACES", value_name = "NAME,...", value_delimiter = ',')]
    pub watch_namespaces: Vec<String>,
    /// Namespaces whose TLS Secrets are read; * for all. Default: the pod's own.
    #[arg(long, env = "PAIFANG_TLS_NAMESPACES", value_name = "NAME,...", value_delimiter = ',')]
    pub tls_namespaces: Vec<String>,
    /// Whether Pods with the label `paifang.dev/weight` are watched, whose endpoints then have that
    /// weight. Needs the right to list and watch Pods.
    #[arg(long, env = "PAIFANG_POD_WEIGHTS")]
    pub pod_weights: bool,
    /// Whether Pods with the label `micro.mu/type=service` are watched, whose annotations say which
    /// go-micro services they are. Needs the right to list and watch Pods.
    #[arg(long, env = "PAIFANG_POD_REGISTRATIONS")]
    pub pod_registrations: bool,
    /// The Service whose addresses stand in the status of Ingresses.
    #[arg(long, env = "PAIFANG_PUBLISH_SERVICE", value_name = "NAMESPACE/NAME", value_parser = namespaced)]
    pub publish_service: Option<(String, String)>,
    /// The namespace of this pod.
    #[arg(long, env = "PAIFANG_POD_NAMESPACE", value_name = "NAME", default_value = "default")]
    pub pod_namespace: String,
    /// The `ServiceAccount` of this pod, for the rights that messages propose to grant.
    #[arg(long, env = "PAIFANG_SERVICE_ACCOUNT", value_name = "NAME")]
    pub service_account: Option<String>,
    /// The Lease that elects the replica which writes status.
    #[arg(long, env = "PAIFANG_LEASE_NAME", value_name = "NAME", default_value = "paifang")]
    pub lease_name: String,
    /// A kubeconfig file. Default: the pod's own account, else KUBECONFIG.
    #[arg(long, env = "PAIFANG_KUBECONFIG", value_name = "PATH")]
    pub kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig.
    #[arg(long, env = "PAIFANG_CONTEXT", value_name = "NAME")]
    pub context: Option<String>,
}

/// Flags of `standalone`.
#[derive(Clone, Debug, Args)]
pub struct StandaloneArgs {
    /// The folder with YAML files, as `kubectl apply` takes them.
    pub folder: PathBuf,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the flags have their own")]
    pub local: LocalArgs,
}

/// Flags of `demo`.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// The folder of the quickstart.
    #[arg(default_value = "examples/quickstart")]
    pub folder: PathBuf,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the flags have their own")]
    pub local: LocalArgs,
}

/// Flags of the commands that serve a folder: as those of `serve`, but only this machine connects.
#[derive(Clone, Debug, Args)]
pub struct LocalArgs {
    /// The plain listener.
    #[arg(long, env = "PAIFANG_HTTP", value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    pub http: SocketAddr,
    /// The TLS listener. Default: none.
    #[arg(long, env = "PAIFANG_HTTPS", value_name = "ADDR:PORT")]
    pub https: Option<SocketAddr>,
    /// The listener for probes and metrics.
    #[arg(long, env = "PAIFANG_ADMIN", value_name = "ADDR:PORT", default_value = "127.0.0.1:8081")]
    pub admin: SocketAddr,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the flags have their own")]
    pub process: ProcessArgs,
}

/// Flags of `check`.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// Files and folders to check.
    #[arg(required_unless_present = "in_cluster")]
    pub paths: Vec<PathBuf>,
    /// The form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputForm,
    /// The class of the GatewayRoutes to check.
    #[arg(long, env = "PAIFANG_CLASS_NAME", value_name = "NAME", default_value = "paifang")]
    pub class_name: String,
    /// The controller of the IngressClasses to check.
    #[arg(
        long,
        env = "PAIFANG_CONTROLLER_NAME",
        value_name = "NAME",
        default_value = "paifang.dev/ingress-controller"
    )]
    pub controller_name: String,
    /// Check the cluster that this pod runs in: the API, the CRD and the rights.
    #[arg(long, conflicts_with = "paths", hide = !cfg!(feature = "kubernetes"))]
    pub in_cluster: bool,
    #[cfg(feature = "kubernetes")]
    #[command(flatten)]
    #[expect(missing_docs, reason = "the flags have their own")]
    pub cluster: ClusterArgs,
    /// Also ask a gateway whether it is ready, by its admin address.
    #[cfg(feature = "kubernetes")]
    #[arg(long, value_name = "URL", requires = "in_cluster")]
    pub admin_url: Option<String>,
}

/// Flags of `explain`.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// The folder or file with routes.
    #[arg(long, value_name = "PATH", required = true)]
    pub files: Vec<PathBuf>,
    /// The method of the request.
    #[arg(short = 'X', long, default_value = "GET")]
    pub method: String,
    /// A header field of the request.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,
    /// The form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputForm,
    /// The class of the GatewayRoutes to look at.
    #[arg(long, env = "PAIFANG_CLASS_NAME", value_name = "NAME", default_value = "paifang")]
    pub class_name: String,
    /// The controller of the IngressClasses to look at.
    #[arg(
        long,
        env = "PAIFANG_CONTROLLER_NAME",
        value_name = "NAME",
        default_value = "paifang.dev/ingress-controller"
    )]
    pub controller_name: String,
    /// The address that a client would use.
    pub url: String,
}

/// Whether requests are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AccessLog {
    /// Not at all.
    Off,
    /// As one JSON object for each request.
    Json,
}

/// Whether load balancers speak the PROXY protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProxyProtocol {
    /// Connections come from clients, or from proxies that speak HTTP or TLS.
    #[default]
    Off,
    /// Every connection has the header.
    Required,
}

/// A TLS version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    #[value(name = "1.2")]
    Tls12,
    /// TLS 1.3.
    #[value(name = "1.3")]
    Tls13,
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    text.parse::<crate::resource::duration::GatewayDuration>().map(|time| time.0).map_err(|error| error.to_string())
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<std::net::IpAddr>().map(IpNet::from);
    let network = text
        .parse::<IpNet>()
        .or_else(|_| address())
        .map_err(|_| format!("`{text}` is no network: write an address or a CIDR such as 10.0.0.0/8"))?;
    if network == network.trunc() {
        return Ok(network);
    }
    let (whole, address) = (network.trunc(), network.addr());
    Err(format!("`{text}` is an address within a network: write {whole} for the network, or {address} for the address"))
}

fn namespaced(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        _ => Err(format!("`{text}` names no object: write NAMESPACE/NAME")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_address_or_a_cidr_without_host_bits() {
        for (text, told) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ] {
            assert_eq!(network(text).map(|network| network.to_string()).as_deref(), Ok(told));
        }
        let refused = network("10.0.0.1/8").unwrap_err();
        assert!(refused.ends_with("write 10.0.0.0/8 for the network, or 10.0.0.1 for the address"), "{refused}");
        assert!(network("10.0.0.0/33").unwrap_err().contains("is no network"));
    }
}
