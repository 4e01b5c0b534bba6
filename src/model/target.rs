//! Names of what a request can be sent to, shared by resolvers, `explain` and handlers.

use std::{fmt, sync::Arc};

/// A port of a Service, resolved to its number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServicePort {
    /// The namespace of the Service.
    pub namespace: Arc<str>,
    /// The name of the Service.
    pub service: Arc<str>,
    /// The number of the port on the Service.
    pub port: u16,
}

impl ServicePort {
    /// The port of a service that registered itself: its nodes have ports of their own, and no Service has port 0.
    pub const REGISTERED: u16 = 0;

    /// Whether it is known from a registration, not from a Service.
    #[must_use]
    pub const fn is_registered(&self) -> bool {
        self.port == Self::REGISTERED
    }
}

impl fmt::Display for ServicePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, service, port } = self;
        if self.is_registered() {
            write!(f, "{namespace}/{service}")
        } else {
            write!(f, "{namespace}/{service}:{port}")
        }
    }
}

/// An upstream by its place in the snapshot's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UpstreamId(pub u32);

impl UpstreamId {
    /// The place in the list.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
