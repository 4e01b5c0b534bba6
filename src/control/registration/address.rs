//! Addresses of nodes: which of them are believed.

use super::Node;
use crate::rpc::registry;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// Which addresses a registration may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// Any: who writes the files of a standalone gateway may do all that it can.
    Any,
    /// Those that an EndpointSlice may have: who may annotate a Pod must not reach the gateway's own host by it, or
    /// what answers to a link alone, such as the metadata service of a cloud.
    OfPods,
}

/// The nodes that can be used. What is wrong with others is told.
pub(super) fn nodes(nodes: &[registry::Node], allowed: Addresses, mut tell: impl FnMut(String)) -> Arc<[Node]> {
    let mut usable = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        match address(&node.address, allowed) {
            Ok(address) => usable.push(Node {
                id: node.id.as_str().into(),
                address,
                dialect: node.dialect(),
                metadata: Arc::new(node.metadata.clone()),
            }),
            Err(problem) => tell(format!("nodes[{index}].address: `{}` {problem}: the node is left out", node.address)),
        }
    }
    usable.into()
}

fn address(text: &str, allowed: Addresses) -> Result<SocketAddr, &'static str> {
    let address: SocketAddr = text.parse().map_err(|_| "is not an IP address with a port, such as 10.1.2.3:8080")?;
    let canonical = SocketAddr::new(address.ip().to_canonical(), address.port());
    if canonical.port() == 0 || canonical.ip().is_unspecified() {
        return Err("is nowhere");
    }
    if allowed == Addresses::OfPods && is_special(canonical.ip()) {
        return Err("is not an address that a Pod may have");
    }
    Ok(canonical)
}

/// Those that the API server refuses in EndpointSlices.
fn is_special(ip: IpAddr) -> bool {
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    link_local || ip.is_loopback() || ip.is_multicast()
}
