//! Which header fields carry identity and which belong to one connection.

/// Fields that say who the client is or where it came in: believed from trusted proxies alone.
pub(crate) fn is_identity(name: &str) -> bool {
    const PREFIXES: [&str; 3] = ["x-forwarded-", "x-envoy-", "x-original-"];
    matches!(name, "forwarded" | "x-forwarded" | "x-real-ip" | "x-client-ip" | "x-cluster-client-ip")
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Fields that belong to one connection (RFC 9110 section 7.6.1), and Expect, which the gateway
/// answers itself.
pub(crate) fn is_per_hop(name: &str) -> bool {
    matches!(
        name,
        "expect"
            | "http2-settings"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
    )
}
