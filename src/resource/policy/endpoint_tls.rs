//! TLS from the gateway to endpoints.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is spoken to endpoints below HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Scheme {
    /// Nothing: HTTP in plain text.
    Http,
    /// TLS.
    Https,
}

/// How the gateway speaks TLS to endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.caSecret) || !has(self.insecureSkipVerify) || !self.insecureSkipVerify").message("proxy.tls.caSecret has no effect together with insecureSkipVerify").field_path(".caSecret")
)]
pub struct EndpointTls {
    /// The name that the certificates of endpoints must be made for, and that is asked for (SNI).
    /// Default: SERVICE.NAMESPACE.svc or SERVICE.NAMESPACE.svc.cluster.local.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub server_name: Option<String>,
    /// A Secret of type kubernetes.io/tls whose ca.crt has the authorities that certificates of
    /// endpoints must lead to, as cert-manager writes it. Default: the authorities of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret: Option<SecretRef>,
    /// A Secret of type kubernetes.io/tls with the certificate that the gateway shows to endpoints
    /// that ask for one. Default: none is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<SecretRef>,
    /// Take any certificate: whoever answers at the address is taken for the endpoint. For tests
    /// alone. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insecure_skip_verify: Option<bool>,
}

/// A Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// Its namespace. Default: the route's own. Another namespace needs a ReferenceGrant there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: Option<String>,
}
