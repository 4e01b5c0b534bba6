//! The ports of Services that can be used: those that speak TCP.
//!
//! A port number may stand twice in a Service, once for each protocol, so that a port is never
//! looked for without its protocol.

use k8s_openapi::api::core::v1::{Service, ServicePort};

/// Whether a protocol, as ports of Services and EndpointSlices name it, is TCP. That is the default.
pub(crate) fn is_tcp(protocol: Option<&str>) -> bool {
    protocol.unwrap_or("TCP") == "TCP"
}

/// The TCP ports of a Service, in its order.
pub(crate) fn tcp_ports(service: &Service) -> impl Iterator<Item = &ServicePort> {
    all_ports(service).iter().filter(|port| is_tcp(port.protocol.as_deref()))
}

/// Every port of a Service, whatever its protocol.
pub(crate) fn all_ports(service: &Service) -> &[ServicePort] {
    service.spec.as_ref().and_then(|spec| spec.ports.as_deref()).unwrap_or_default()
}
