//! What the tests of this tier stand on: the binary over a folder of files, backends that record
//! what they saw, and clients that say exactly what is written. Everything listens on loopback, on
//! ports that the system chose; every wait has a deadline.

#[path = "../support/authority.rs"]
mod authority;
mod backend;
#[path = "../support/eventually.rs"]
mod eventually;
mod folder;
mod frames;
mod gateway;
mod grpc;
mod http2;
mod message;
mod peer;
#[allow(dead_code, reason = "the cluster tier uses the rest")]
#[path = "../support/process.rs"]
pub(crate) mod process;
mod recording;
mod redis;
mod tls;
mod upstream;
mod wire;

pub(crate) use authority::Authority;
pub(crate) use backend::{Backend, Script, Seen};
pub(crate) use eventually::eventually;
pub(crate) use folder::Folder;
pub(crate) use frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, PING, PREFACE, PRIORITY, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, field, fields_of_get, frame,
};
pub(crate) use gateway::{Gateway, run_to_end};
pub(crate) use grpc::{GrpcGo, grpc_web, grpcurl};
pub(crate) use http2::Http2;
pub(crate) use message::{Head, Reply};
pub(crate) use peer::{Peer, Streamed, frames, health, piped, whole};
pub(crate) use recording::{Recorded, Recording, recordings};
pub(crate) use redis::Redis;
pub(crate) use tls::{Client as TlsClient, shown};
pub(crate) use upstream::{nobody, sick, with_policy};
pub(crate) use wire::{Wire, get, request};

use std::time::Duration;

/// Nothing on loopback takes this long unless it is broken.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// Waits for a future, at most [`DEADLINE`].
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within {DEADLINE:?}"),
    }
}
