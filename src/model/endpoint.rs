//! Endpoints as their sources describe them: addresses, readiness, weight and metadata.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

/// What an EndpointSlice says of an endpoint's readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conditions {
    /// Takes new requests.
    pub ready: bool,
    /// Answers requests, though perhaps shutting down.
    pub serving: bool,
    /// Shutting down.
    pub terminating: bool,
}

/// Which zone an endpoint's requests should come from, as an EndpointSlice hints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ZoneHint {
    /// There is no hint, or the gateway does not know its own zone.
    #[default]
    None,
    /// From the gateway's zone.
    Here,
    /// From other zones only.
    Elsewhere,
}

/// The facts about an endpoint, as its source gave them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointFacts {
    /// Where it listens.
    pub address: SocketAddr,
    /// What stands behind the address (a Pod's UID, or a name): another identity at the same
    /// address is another endpoint. Empty where the source names none.
    pub identity: Arc<str>,
    /// Its share relative to its neighbours. Default 1.
    pub weight: u32,
    /// The zone it runs in, empty where unknown.
    pub zone: Arc<str>,
    /// The zone that its requests should come from.
    pub hint: ZoneHint,
    /// Its readiness.
    pub conditions: Conditions,
    /// Metadata for the handlers that use it.
    pub metadata: Arc<BTreeMap<String, String>>,
}
