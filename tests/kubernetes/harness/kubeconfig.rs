//! Kubeconfig files: one server, one bearer token. Written as JSON, which is YAML too.

use std::{fs, path::Path};

use serde_json::json;

/// Writes a kubeconfig for `token` at the API server `server` (an https address) to `path`.
pub(crate) fn write(path: &Path, server: &str, authority: &Path, token: &str, namespace: &str) {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority": authority}}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": namespace}}],
    });
    fs::write(path, config.to_string()).expect("the folder must be writable");
}
