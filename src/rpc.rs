//! The words of RPC behind HTTP: what go-micro and gRPC say on the wire, as pure functions.
//!
//! Nothing here does I/O, waits, or knows Kubernetes and HTTP libraries. The control path reads registrations and
//! endpoint metadata with it; handlers resolve a request, build the call, read the reply, and map an error with
//! it. Every input is bounded, and none makes it panic.

pub mod codec;
pub mod direct;
pub mod endpoint;
pub mod fault;
pub mod frame;
pub mod go_api;
pub mod grpc;
pub mod grpc_web;
pub mod json_rpc;
pub mod metadata;
pub mod mucp;
pub mod payload;
#[cfg(test)]
mod recordings;
pub mod registry;
pub mod resolver;
