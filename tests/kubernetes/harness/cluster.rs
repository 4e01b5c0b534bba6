//! A control plane in a folder: etcd, kube-apiserver and the controller manager, with RBAC and
//! real `ServiceAccount` tokens, and no kubelet.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    process::Command,
    sync::Mutex,
    time::Duration,
};

use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::{Namespace, ServiceAccount},
};
use kube::{
    Api, Client, Config,
    api::PostParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::{
    Objects,
    address::{API_SERVER, server_port},
    authority::Authority,
    certs, eventually, kubeconfig,
    process::Process,
    tools,
};

const ADMIN_TOKEN: &str = "admin-token";
/// A server that is not up after this long will not be; on two busy cores it takes a few seconds.
const START: Duration = Duration::from_secs(60);
/// What the tests need of the controller manager; the rest would only take the cores' time.
const CONTROLLERS: &str = "serviceaccount-controller,root-ca-certificate-publisher-controller,\
                           endpointslice-controller,namespace-controller,\
                           garbage-collector-controller,deployment-controller,\
                           replicaset-controller";

/// A running cluster. Its files go with it.
#[derive(Debug)]
pub(crate) struct Cluster {
    folder: TempDir,
    etcd_port: u16,
    api_port: u16,
    etcd: Mutex<Option<Process>>,
    api_server: Mutex<Option<Process>>,
    controllers: Mutex<Option<Process>>,
}

impl Cluster {
    /// The cluster that all tests share. Tests keep apart by namespace; one that harms the cluster
    /// takes its own by [`Cluster::start`].
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceCell<Cluster> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// A cluster of one's own, ready to be used.
    pub(crate) async fn start() -> Self {
        let cluster = Self {
            folder: TempDir::new().expect("a folder must be made"),
            etcd_port: server_port(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            api_port: server_port(IpAddr::V4(API_SERVER)),
            etcd: Mutex::default(),
            api_server: Mutex::default(),
            controllers: Mutex::default(),
        };
        cluster.write_files();
        *must_lock(&cluster.etcd) = Some(cluster.spawn_etcd());
        cluster.start_api_server().await;
        *must_lock(&cluster.controllers) = Some(cluster.spawn_controllers());
        cluster
    }

    /// The kubeconfig of an administrator.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.file("admin.kubeconfig")
    }

    /// An administrator's client. A client belongs to the runtime of one test.
    pub(crate) async fn client(&self) -> Client {
        let file = Kubeconfig::read_from(self.kubeconfig()).expect("the kubeconfig must be valid");
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
            .await
            .expect("the kubeconfig must be valid");
        Client::try_from(config).expect("the configuration must be usable")
    }

    /// A fresh namespace for one test, called after its `purpose` and labelled with it.
    pub(crate) async fn namespace(&self, purpose: &str) -> String {
        let mut namespace = Namespace::default();
        namespace.metadata.generate_name = Some(format!("{purpose}-"));
        namespace.metadata.labels = Some([("paifang.dev/test".to_owned(), purpose.to_owned())].into());
        let namespaces: Api<Namespace> = Api::all(self.client().await);
        let created =
            namespaces.create(&PostParams::default(), &namespace).await.expect("a namespace must be accepted");
        created.metadata.name.expect("a created object has a name")
    }

    /// The objects of `namespace`, as administrator.
    pub(crate) async fn objects(&self, namespace: &str) -> Objects {
        Objects::new(self.client().await, namespace)
    }

    /// The objects of a fresh namespace: see [`Cluster::namespace`].
    pub(crate) async fn scratch(&self, purpose: &str) -> Objects {
        let namespace = self.namespace(purpose).await;
        self.objects(&namespace).await
    }

    /// A kubeconfig with a fresh token of a `ServiceAccount`, valid for an hour.
    pub(crate) async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> PathBuf {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await, namespace);
        let request = TokenRequest {
            spec: TokenRequestSpec { expiration_seconds: Some(3600), ..TokenRequestSpec::default() },
            ..TokenRequest::default()
        };
        let answer =
            accounts.create_token_request(name, &PostParams::default(), &request).await.expect("a token must be given");
        let token = answer.status.expect("the answer holds a token").token;
        let path = self.file(&format!("{namespace}.{name}.kubeconfig"));
        kubeconfig::write(&path, &self.server(), &self.file("ca.crt"), &token, namespace);
        path
    }

    /// Runs kubectl as administrator and returns what it printed; panics when it fails.
    pub(crate) async fn kubectl(&self, args: &[&str]) -> String {
        tools::run(&mut self.command("PAIFANG_KUBECTL", args)).await
    }

    /// Runs kubectl as administrator and returns its complaint; panics when it succeeds.
    pub(crate) async fn kubectl_refused(&self, args: &[&str]) -> String {
        tools::run_refused(&mut self.command("PAIFANG_KUBECTL", args)).await
    }

    /// A file with `content` that goes with the cluster.
    pub(crate) fn scratch_file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, content).expect("the folder must be writable");
        path
    }

    /// Runs Helm as administrator and returns what it printed; panics when it fails.
    pub(crate) async fn helm(&self, args: &[&str]) -> String {
        tools::run(&mut self.command("PAIFANG_HELM", args)).await
    }

    /// Ends the API server at once, as `kill -9` does. Its data stays in etcd.
    pub(crate) fn kill_api_server(&self) {
        must_lock(&self.api_server).take();
    }

    /// Starts the API server, again on the same port and data, and waits until it is ready.
    pub(crate) async fn start_api_server(&self) {
        *must_lock(&self.api_server) = Some(self.spawn_api_server());
        let client = self.client().await;
        eventually(START, "kube-apiserver is ready", || {
            if let Some(server) = must_lock(&self.api_server).as_mut() {
                server.assert_running();
            }
            let request = http::Request::get("/readyz").body(Vec::new());
            client.request_text(request.expect("the path must be valid"))
        })
        .await;
    }

    fn command(&self, tool: &str, args: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(tools::path(tool));
        // Helm and kubectl keep caches in the home folder, which is not the tests' to write to.
        command.env("KUBECONFIG", self.kubeconfig()).env("HOME", self.folder.path()).args(args);
        command
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn server(&self) -> String {
        format!("https://{API_SERVER}:{}", self.api_port)
    }

    fn write_files(&self) {
        let folder = self.folder.path();
        let authority = Authority::new("test cluster");
        certs::write_server_files(folder, &authority, &API_SERVER.to_string());
        let tokens = format!("{ADMIN_TOKEN},admin,admin,system:masters\n");
        fs::write(self.file("tokens.csv"), tokens).expect("the folder must be writable");
        kubeconfig::write(&self.kubeconfig(), &self.server(), &self.file("ca.crt"), ADMIN_TOKEN, "default");
    }

    fn spawn_etcd(&self) -> Process {
        let client = format!("http://127.0.0.1:{}", self.etcd_port);
        let peer_port = server_port(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let peer = format!("http://127.0.0.1:{peer_port}");
        let mut command = Command::new(tools::path("PAIFANG_ETCD"));
        command
            // The data need not outlive a power cut. As a flag, old versions would refuse it.
            .env("ETCD_UNSAFE_NO_FSYNC", "true")
            .arg("--data-dir")
            .arg(self.file("etcd"))
            .args(["--listen-client-urls", &client])
            .args(["--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer])
            .args(["--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("default={peer}")]);
        Process::start(&mut command, &self.file("etcd.log"))
    }

    fn spawn_api_server(&self) -> Process {
        let mut command = Command::new(tools::path("PAIFANG_KUBE_APISERVER"));
        command
            .arg(format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port))
            .arg(format!("--bind-address={API_SERVER}"))
            // The namespace has no default route to find an address by.
            .arg(format!("--advertise-address={API_SERVER}"))
            .arg(format!("--secure-port={}", self.api_port))
            .arg(self.flag("--cert-dir", "."))
            .arg(self.flag("--tls-cert-file", "server.crt"))
            .arg(self.flag("--tls-private-key-file", "server.key"))
            .arg(self.flag("--token-auth-file", "tokens.csv"))
            .arg(self.flag("--service-account-key-file", "accounts.pub"))
            .arg(self.flag("--service-account-signing-key-file", "accounts.key"))
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .arg("--service-cluster-ip-range=10.96.0.0/16")
            .arg("--authorization-mode=RBAC");
        Process::start(&mut command, &self.file("kube-apiserver.log"))
    }

    fn spawn_controllers(&self) -> Process {
        let mut command = Command::new(tools::path("PAIFANG_KUBE_CONTROLLER_MANAGER"));
        command
            .arg(self.flag("--kubeconfig", "admin.kubeconfig"))
            .arg(self.flag("--service-account-private-key-file", "accounts.key"))
            .arg(self.flag("--root-ca-file", "ca.crt"))
            .arg(format!("--controllers={CONTROLLERS}"))
            .arg("--use-service-account-credentials=true")
            .arg("--leader-elect=false")
            .arg("--secure-port=0");
        Process::start(&mut command, &self.file("kube-controller-manager.log"))
    }

    fn flag(&self, flag: &str, file: &str) -> String {
        format!("{flag}={}", self.file(file).display())
    }
}

fn must_lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A test that panicked under the lock has left a process, which is still one.
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
