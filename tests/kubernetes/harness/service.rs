//! A Service without selector, its `EndpointSlice`, and the pods behind it as echo servers.

use serde_json::{Value, json};
use std::net::IpAddr;

use super::{Echo, Objects, pod_address, pod_address_v6};

/// The port on which the pods of a Service listen, as their addresses are their own.
pub(crate) const POD_PORT: u16 = 8080;

/// Pods behind one `EndpointSlice` of the same name as their Service.
pub(crate) struct Backend {
    objects: Objects,
    name: String,
    pods: Vec<Echo>,
}

impl Backend {
    /// A Service `name` with port 80 and `count` ready pods, called `name-0` and so on.
    pub(crate) async fn start(objects: &Objects, name: &str, count: usize) -> Self {
        Self::on(objects, name, (0..count).map(|_| pod_address().into())).await
    }

    /// The same with pods that have IPv6 addresses.
    pub(crate) async fn start_v6(objects: &Objects, name: &str, count: usize) -> Self {
        Self::on(objects, name, (0..count).map(|_| pod_address_v6().into())).await
    }

    async fn on(objects: &Objects, name: &str, addresses: impl Iterator<Item = IpAddr>) -> Self {
        let mut pods = Vec::new();
        for (index, address) in addresses.enumerate() {
            pods.push(Echo::start(&format!("{name}-{index}"), address, POD_PORT).await);
        }
        objects.apply(service(name)).await;
        let backend = Self { objects: objects.clone(), name: name.to_owned(), pods };
        let ready: Vec<_> = (0..backend.pods.len()).map(|pod| (pod, json!({"ready": true}))).collect();
        backend.publish(&ready).await;
        backend
    }

    /// Writes the slice: these pods with these conditions, and no others.
    pub(crate) async fn publish(&self, pods: &[(usize, Value)]) {
        let first = self.pods.first().map(|pod| pod.address().ip());
        let family = if first.is_some_and(|ip| ip.is_ipv6()) { "IPv6" } else { "IPv4" };
        let endpoint = |(pod, conditions): &(usize, Value)| json!({"addresses": [self.pods[*pod].address().ip().to_string()], "conditions": conditions});
        let endpoints: Vec<_> = pods.iter().map(endpoint).collect();
        self.objects
            .apply(json!({
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {"name": self.name, "labels": {"kubernetes.io/service-name": self.name}},
                "addressType": family,
                "endpoints": endpoints,
                "ports": [{"name": "http", "port": POD_PORT, "protocol": "TCP"}],
            }))
            .await;
    }

    /// Ends all pods but the first `count`, as if they were killed.
    pub(crate) async fn keep(&mut self, count: usize) {
        for pod in self.pods.split_off(count) {
            pod.kill().await;
        }
    }
}

/// A Service without selector and with port 80, called `http`.
pub(crate) fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"ports": [{"name": "http", "port": 80, "targetPort": POD_PORT, "protocol": "TCP"}]},
    })
}
