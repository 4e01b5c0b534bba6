//! Listeners: the addresses on which requests arrive. Values of the snapshot, so that they can
//! come from more than the process flags.

use std::{net::SocketAddr, sync::Arc};

/// What is spoken on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Plain HTTP/1.1.
    Http,
    /// HTTP/1.1 and HTTP/2 over TLS.
    Https,
}

/// An address on which requests arrive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listener {
    /// The name: a label in metrics and logs.
    pub name: Arc<str>,
    /// The address to bind. Port 0 means any free port.
    pub address: SocketAddr,
    /// What is spoken.
    pub protocol: Protocol,
}
