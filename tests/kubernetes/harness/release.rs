//! The chart, installed by Helm as users do. No kubelet runs its pods: the tests start the binary
//! with the arguments of the installed Deployment and the token of its `ServiceAccount`, so that
//! every right that it uses was granted by the chart.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{EnvVar, Pod, PodSpec},
};
use kube::Api;
use tokio::{process::Command, sync::OnceCell};

use super::{Cluster, Gateway, Objects, tools};

/// The chart.
pub(crate) const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/paifang");
/// The name that the tests give a release, and so the chart to its objects.
const NAME: &str = "paifang";

/// An installed chart.
pub(crate) struct Release {
    cluster: &'static Cluster,
    namespace: String,
}

impl Release {
    /// The release with default values that the tests of the shared cluster share, with a gateway
    /// of its own that runs until the tests end.
    pub(crate) async fn shared() -> &'static (Self, Gateway) {
        static SHARED: OnceCell<(Release, Gateway)> = OnceCell::const_new();
        SHARED
            .get_or_init(|| async {
                let release = Self::install(Cluster::shared().await, "paifang-system", &[]).await;
                let mut gateway = release.start("paifang-0", &[]).await;
                gateway.ready().await;
                (release, gateway)
            })
            .await
    }

    /// A release in the shared cluster that serves a class of its own, which is also the name of
    /// its namespace. The shared release has brought the CRD.
    pub(crate) async fn of_own_class(purpose: &str, values: &[&str]) -> Self {
        let (shared, _) = Self::shared().await;
        let namespace = shared.cluster.namespace(purpose).await;
        let class = format!("className={namespace}");
        let fixed = ["crds.install=false", class.as_str()];
        Self::install(shared.cluster, &namespace, &[&fixed[..], values].concat()).await
    }

    /// `helm install` with these values into a namespace that Helm makes if there is none.
    pub(crate) async fn install(cluster: &'static Cluster, namespace: &str, values: &[&str]) -> Self {
        let release = Self { cluster, namespace: namespace.to_owned() };
        release.helm("install", &["--create-namespace"], values).await;
        release
    }

    /// `helm upgrade` with these values changed.
    pub(crate) async fn upgrade(&self, values: &[&str]) {
        self.helm("upgrade", &["--reuse-values"], values).await;
    }

    async fn helm(&self, verb: &str, flags: &[&str], values: &[&str]) {
        let mut args = vec![verb, NAME, CHART, "--namespace", &self.namespace, "--wait=hookOnly"];
        args.extend(flags);
        args.extend(values.iter().flat_map(|value| ["--set", value]));
        self.cluster.helm(&args).await;
    }

    /// Its namespace, which is also the class that [`Release::of_own_class`] gives it.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What lies in its namespace.
    pub(crate) async fn objects(&self) -> Objects {
        self.cluster.objects(&self.namespace).await
    }

    /// Starts the binary as the pod `pod` of the installed Deployment; `more` follows its
    /// arguments. Only the listeners are moved to free ports.
    pub(crate) async fn start(&self, pod: &str, more: &[&str]) -> Gateway {
        self.prepare(pod, more).await.start().await
    }

    /// The same without starting it, for when the API server is to be dead by then.
    pub(crate) async fn prepare(&self, pod: &str, more: &[&str]) -> Prepared {
        let deployments: Api<Deployment> = Api::namespaced(self.cluster.client().await, &self.namespace);
        let deployment = deployments.get(NAME).await.expect("the chart must have made a Deployment");
        let template = deployment.spec.expect("a Deployment has a spec").template;
        let mut prepared = self.prepared(template.spec.expect("a pod has a spec"), pod, free_port).await;
        prepared.args.extend(more.iter().map(|&arg| arg.to_owned()));
        prepared
    }

    /// What `helm test` would run: the command line of the chart's test pod under the same
    /// `ServiceAccount`, with `gateway` in the place of its Service.
    pub(crate) async fn prepare_test(&self, gateway: &Gateway) -> Prepared {
        let hooks = self.cluster.helm(&["get", "hooks", NAME, "--namespace", &self.namespace]).await;
        let pod: Pod = serde_saphyr::from_str(&hooks).expect("the chart must have one hook, its test pod");
        let admin = gateway.address("admin");
        let move_service = |arg: &str| match arg.split_once('=') {
            Some(("--admin-url", _)) => format!("--admin-url=http://{admin}"),
            _ => arg.to_owned(),
        };
        self.prepared(pod.spec.expect("a pod has a spec"), "paifang-test", move_service).await
    }

    async fn prepared(&self, spec: PodSpec, pod: &str, change: impl Fn(&str) -> String) -> Prepared {
        let account = spec.service_account_name.as_deref().expect("the chart must name its ServiceAccount");
        let container = spec.containers.first().expect("the chart must have a container");
        let kubeconfig = self.cluster.service_account_kubeconfig(&self.namespace, account).await;
        let mut args: Vec<_> = container.args.iter().flatten().map(|arg| change(arg)).collect();
        args.push(format!("--kubeconfig={}", kubeconfig.display()));
        let variables = container.env.iter().flatten();
        let variables = variables.map(|variable| (variable.name.clone(), self.value(variable, pod, account)));
        Prepared { args, variables: variables.collect() }
    }

    /// What the kubelet would set, for a pod of this name and account.
    fn value(&self, variable: &EnvVar, pod: &str, account: &str) -> String {
        let source = variable.value_from.as_ref().and_then(|source| source.field_ref.as_ref());
        let value = match source.map(|source| source.field_path.as_str()) {
            None => variable.value.as_deref().unwrap_or_default(),
            Some("metadata.name") => pod,
            Some("metadata.namespace") => &self.namespace,
            Some("spec.serviceAccountName") => account,
            Some(other) => panic!("the tests do not know the field {other}"),
        };
        value.to_owned()
    }
}

/// A command line of the chart's, ready to be run.
pub(crate) struct Prepared {
    args: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Prepared {
    /// Runs it to its end and returns what it printed; panics when it fails.
    pub(crate) async fn run(&self) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paifang"));
        command.env_clear().args(&self.args).envs(self.variables.iter().map(|(name, value)| (name, value)));
        tools::run(&mut command).await
    }

    /// Starts it as a gateway.
    pub(crate) async fn start(&self) -> Gateway {
        let args: Vec<_> = self.args.iter().map(String::as_str).collect();
        let variables: Vec<_> = self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Gateway::start(&args, &variables).await
    }
}

/// An argument with its listener, if it names one, on a free port.
fn free_port(arg: &str) -> String {
    match arg.split_once('=') {
        Some((flag @ ("--http" | "--https" | "--admin"), _)) => format!("{flag}=[::]:0"),
        _ => arg.to_owned(),
    }
}
