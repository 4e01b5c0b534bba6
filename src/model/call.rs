//! Calls of RPC methods: what a rule fixes of them, and where it finds the service of a request.

use super::target::UpstreamId;
use crate::rpc::resolver::Resolver;
use std::{collections::HashMap, sync::Arc};

/// What a rule fixes of the calls that its requests become.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// The name of the service, `go.micro.api.greeter`. `None`: the one that the resolver found, or the
    /// name of the backend's Service.
    pub service: Option<Arc<str>>,
    /// The method, `Say.Hello`. `None`: the one that the path names.
    pub method: Option<Arc<str>>,
    /// Whether the method takes and gives streams of messages.
    pub stream: bool,
}

/// How a rule finds the service of each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Finds the name.
    pub resolver: Resolver,
    /// The services that may be found.
    pub services: Arc<Directory>,
}

/// Services by the names that resolvers find.
pub type Directory = HashMap<Arc<str>, UpstreamId>;
