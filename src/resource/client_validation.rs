//! Certificates of clients.

use super::policy::SecretRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which clients may speak to the host names of a route, by the certificates that they show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientValidation {
    /// A Secret of type kubernetes.io/tls whose ca.crt has the authorities that certificates of
    /// clients must lead to, as cert-manager writes it.
    pub ca_secret: SecretRef,
    /// Whether clients must show a certificate. Default: Require.
    #[serde(default)]
    pub mode: ClientValidationMode,
}

/// Whether clients must show a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ClientValidationMode {
    /// A handshake without a valid certificate fails, and requests in plain text are refused.
    #[default]
    Require,
    /// A client may show none. One that is shown must be valid.
    Optional,
}
