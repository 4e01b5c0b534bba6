//! Why a check did not pass.

use http::StatusCode;
use std::{io, time::Duration};

/// Why a check did not pass.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// Nobody took the connection.
    #[error("no connection: {0}")]
    Connect(io::Error),
    /// There is no handshake, or it proves too little.
    #[error("TLS: {0}")]
    Tls(io::Error),
    /// Nobody could be believed.
    #[error("TLS cannot be spoken: {0}")]
    NoTls(rustls::Error),
    /// The answer is not one.
    #[error("no answer: {0}")]
    Answer(hyper::Error),
    /// The request cannot be made from the check.
    #[error("the check is no request: {0}")]
    Request(http::Error),
    /// It answered, but not as it should.
    #[error("status {}", .0.as_u16())]
    Status(StatusCode),
    /// It answered a call of gRPC with an error.
    #[error("grpc-status {0}")]
    GrpcStatus(u16),
    /// It says of itself that it is not well.
    #[error("it says {0}")]
    NotServing(&'static str),
    /// It answered something else.
    #[error("the answer is none of gRPC's health service")]
    Malformed,
    /// gRPC needs it.
    #[error("it speaks no HTTP/2")]
    NoHttp2,
    /// It took too long.
    #[error("not within {0:?}")]
    Time(Duration),
}
