//! The folder of files that a gateway serves, written as `kubectl apply` would take it.

use std::{fs, net::SocketAddr, path::Path};

use serde_json::json;
use tempfile::TempDir;

/// A folder that goes with the test.
#[derive(Debug)]
pub(crate) struct Folder(TempDir);

impl Folder {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self(TempDir::new().expect("a folder must be made"))
    }

    /// One route, `web`, that sends what it takes to the Service `echo` with this endpoint.
    pub(crate) fn with(address: SocketAddr, spec: &str) -> Self {
        let folder = Self::new();
        folder.service("echo", &[address]).route("web", spec);
        folder
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Puts a file in place at once; nobody sees half of it.
    pub(crate) fn write(&self, name: &str, text: &str) -> &Self {
        let next = self.path().join(".next");
        fs::write(&next, text).expect("the folder must be writable");
        fs::rename(next, self.path().join(name)).expect("the folder must be writable");
        self
    }

    /// Removes a file.
    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path().join(name)).expect("the file must be there");
    }

    /// `<name>.route.yaml`: a route in the namespace `default`.
    pub(crate) fn route(&self, name: &str, spec: &str) -> &Self {
        let text =
            format!("apiVersion: paifang.dev/v1alpha1\nkind: GatewayRoute\nmetadata: {{name: {name}}}\nspec: {spec}\n");
        self.write(&format!("{name}.route.yaml"), &text)
    }

    /// `<name>.service.json`: a Service and a slice for each endpoint.
    pub(crate) fn service(&self, name: &str, endpoints: &[SocketAddr]) -> &Self {
        self.service_with(name, &json!({"port": 80}), endpoints)
    }

    /// The same, with an `appProtocol`.
    pub(crate) fn service_speaking(&self, name: &str, protocol: &str, endpoints: &[SocketAddr]) -> &Self {
        self.service_with(name, &json!({"port": 80, "appProtocol": protocol}), endpoints)
    }

    fn service_with(&self, name: &str, port: &serde_json::Value, endpoints: &[SocketAddr]) -> &Self {
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"ports": [port]},
        });
        let slices = endpoints.iter().enumerate().map(|(index, address)| {
            json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {"name": format!("{name}-{index}"), "labels": {"kubernetes.io/service-name": name}},
                "addressType": if address.is_ipv6() { "IPv6" } else { "IPv4" },
                "ports": [{"name": "", "port": address.port(), "protocol": "TCP"}],
                "endpoints": [{"addresses": [address.ip()], "conditions": {"ready": true}}],
            })
        });
        let items: Vec<_> = std::iter::once(service).chain(slices).collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        self.write(&format!("{name}.service.json"), &list.to_string())
    }

    /// `<name>.secret.json`: authorities, PEM, as cert-manager writes them.
    pub(crate) fn authorities(&self, name: &str, certificates: &str) -> &Self {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "kubernetes.io/tls",
            "stringData": {"ca.crt": certificates, "tls.crt": "", "tls.key": ""},
        });
        self.write(&format!("{name}.secret.json"), &secret.to_string())
    }

    /// `<name>.secret.json`: a certificate with its key, both PEM.
    pub(crate) fn secret(&self, name: &str, (certificate, key): &(String, String)) -> &Self {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": certificate, "tls.key": key},
        });
        self.write(&format!("{name}.secret.json"), &secret.to_string())
    }
}
