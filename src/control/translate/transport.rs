//! Transports of upstreams: what the port of a Service says that its endpoints speak.

use crate::{
    control::{cache::Cache, ports::tcp_ports},
    model::{
        target::ServicePort,
        transport::{Protocol, Transport},
    },
};

/// How the endpoints of a port are connected to.
pub(super) fn of(cache: &Cache, port: &ServicePort) -> Transport {
    let protocol = app_protocol(cache, port).and_then(understand).unwrap_or_default();
    Transport { protocol }
}

/// The words that the port's `appProtocol` may have.
fn understand(word: &str) -> Option<Protocol> {
    match word {
        "http" | "kubernetes.io/ws" => Some(Protocol::Http1),
        "grpc" | "h2c" | "kubernetes.io/h2c" => Some(Protocol::Http2),
        _ => None,
    }
}

/// What is to be said where a port's `appProtocol` is none of these words.
pub(super) fn warning(cache: &Cache, port: &ServicePort) -> Option<String> {
    let word = app_protocol(cache, port).filter(|word| understand(word).is_none())?;
    Some(format!(
        "port {} of Service `{}` has appProtocol `{word}`, which is not known here, so HTTP/1.1 is spoken: use {}",
        port.port, port.service, "http, kubernetes.io/ws, kubernetes.io/h2c or grpc"
    ))
}

fn app_protocol<'a>(cache: &'a Cache, port: &ServicePort) -> Option<&'a str> {
    let service = cache.services.get(&port.namespace, &port.service)?;
    tcp_ports(service).find(|known| known.port == i32::from(port.port))?.app_protocol.as_deref()
}
