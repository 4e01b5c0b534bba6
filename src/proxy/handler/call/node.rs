//! Where a call goes: to an upstream, or to a node that a client named itself, past all discovery, which is an
//! upstream of its own for one call.

use crate::{
    live::{
        cell::{EndpointCell, EndpointSet},
        endpoint::Endpoint,
    },
    model::{
        endpoint::{Conditions, EndpointFacts, ZoneHint},
        target::{ServicePort, UpstreamId},
        transport::{Protocol, Transport},
        upstream::{Upstream, UpstreamPolicy},
    },
    proxy::{error::Failure, handler::Routed, request_body::RequestBody, retry::Plan},
    rpc::registry::Dialect,
};
use http::Request;
use std::{net::SocketAddr, sync::Arc};

/// Where a service runs.
#[derive(Debug)]
pub(super) enum Place {
    /// It is an upstream.
    Known(UpstreamId),
    /// A node that the client named.
    Named(Box<Node>),
}

impl Place {
    /// How a request gets there.
    pub(super) fn plan<'r>(
        &'r self,
        routed: &'r Routed<'_>,
        request: &Request<RequestBody>,
    ) -> Result<Plan<'r>, Failure> {
        match self {
            Self::Known(upstream) => routed.plan(*upstream, request),
            Self::Named(node) => Ok(node.plan(routed)),
        }
    }
}

/// A node, until its call is over: its connection is not kept.
#[derive(Debug)]
pub(super) struct Node {
    endpoint: Arc<Endpoint>,
    upstream: Upstream,
    transport: Transport,
    cell: EndpointCell,
}

impl Node {
    pub(super) fn new(address: SocketAddr, service: &Arc<str>, dialect: Dialect) -> Self {
        let endpoint = Arc::new(Endpoint::new(EndpointFacts {
            address,
            identity: "".into(),
            weight: 1,
            zone: "".into(),
            hint: ZoneHint::None,
            conditions: Conditions { ready: true, serving: true, terminating: false },
            metadata: Arc::default(),
        }));
        let (cell, policy) = (EndpointCell::default(), UpstreamPolicy::default());
        cell.store(EndpointSet::new([Arc::clone(&endpoint)].into(), &policy.balancing.strategy));
        let protocol = if dialect == Dialect::Grpc { Protocol::Http2 } else { Protocol::Http1 };
        let transport = Transport { protocol, tls: None };
        let port = ServicePort { namespace: "".into(), service: Arc::clone(service), port: ServicePort::REGISTERED };
        let upstream = Upstream { port, policy, transport: Some(transport.clone()), dialect };
        Self { endpoint, upstream, transport, cell }
    }

    fn plan<'r>(&'r self, routed: &'r Routed<'_>) -> Plan<'r> {
        Plan {
            core: routed.core,
            upstream: &self.upstream,
            transport: &self.transport,
            cell: &self.cell,
            overrides: &routed.rule.options.overrides,
            hash: 0,
            deadline: routed.context.deadline,
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.endpoint.mark_removed();
    }
}
