//! The words of RPC behind HTTP: what go-micro and gRPC say on the wire, as pure functions.
//!
//! ```text
//! registry, endpoint          what services say of themselves, and the patterns made of it
//! resolver, direct            which service and method a request names
//! payload, go_api, json_rpc   the message of a call, made of a request of HTTP
//! metadata                    the headers that travel along
//! codec, mucp; frame, grpc    the call on the wire, and what its reply says
//! fault                       errors, and what they are to clients
//! reflection, transcode       any service of gRPC as JSON, by its own description
//! stream_text, grpc_web       streams as clients of HTTP read them
//! ```
//!
//! Nothing here does I/O, waits, or knows Kubernetes and HTTP libraries. The control path reads registrations and
//! endpoint metadata with it; handlers resolve a request, build the call, read the reply, and map an error with
//! it. Every input is bounded, and none makes it panic. Real exchanges of four generations of go-micro are the tests.

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
pub(crate) mod recordings;
pub mod reflection;
pub mod registry;
pub mod resolver;
pub mod stream_text;
pub mod transcode;
