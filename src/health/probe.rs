//! One check of one endpoint: a connection, and a request over it where the check has one.

use crate::{
    live::endpoint::Endpoint,
    model::{
        health::{CheckRequest, HealthCheck},
        transport::Protocol,
    },
};
use bytes::Bytes;
use http::{
    Request, Response, StatusCode, Uri,
    header::{CONNECTION, HOST, USER_AGENT},
};
use http_body_util::Empty;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{convert::Infallible, io, net::SocketAddr, time::Duration};
use tokio::net::TcpStream;

/// Tells endpoints who asks.
const AGENT: &str = concat!("paifang-health/", env!("CARGO_PKG_VERSION"));

/// Why a check did not pass.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// Nobody took the connection.
    #[error("no connection: {0}")]
    Connect(io::Error),
    /// The answer is not one.
    #[error("no answer: {0}")]
    Answer(hyper::Error),
    /// The request cannot be made from the check.
    #[error("the check is no request: {0}")]
    Request(http::Error),
    /// It answered, but not as it should.
    #[error("status {}", .0.as_u16())]
    Status(StatusCode),
    /// It took too long.
    #[error("not within {0:?}")]
    Time(Duration),
}

/// Checks an endpoint within the time for it; by its connection alone where nothing can be spoken.
pub(super) async fn probe(endpoint: &Endpoint, check: &HealthCheck, protocol: Option<Protocol>) -> Result<(), Fault> {
    let serving = endpoint.address();
    let address = SocketAddr::new(serving.ip(), check.port.unwrap_or(serving.port()));
    let asked = async {
        let stream = TcpStream::connect(address).await.map_err(Fault::Connect)?;
        match (&check.request, protocol) {
            (None, _) | (_, None) => Ok(()),
            (Some(request), Some(Protocol::Http1)) => ask(stream, address, request).await,
            (Some(request), Some(Protocol::Http2)) => ask_http2(stream, address, request).await,
        }
    };
    tokio::time::timeout(check.timeout, asked).await.unwrap_or(Err(Fault::Time(check.timeout)))
}

async fn ask(stream: TcpStream, address: SocketAddr, check: &CheckRequest) -> Result<(), Fault> {
    let request = request(address, check).map_err(Fault::Request)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Fault::Answer)?;
    judge(over(connection, sender.send_request(request)).await?, check)
}

async fn ask_http2(stream: TcpStream, address: SocketAddr, check: &CheckRequest) -> Result<(), Fault> {
    let (mut request, host) = (request(address, check).map_err(Fault::Request)?, host(address, check));
    // The host is in the target, and nothing speaks of the connection (RFC 9113 section 8.2.2).
    request.headers_mut().remove(CONNECTION);
    request.headers_mut().remove(HOST);
    let target = Uri::builder().scheme("http").authority(host).path_and_query(&*check.path);
    *request.uri_mut() = target.build().map_err(Fault::Request)?;
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(Fault::Answer)?;
    judge(over(connection, sender.send_request(request)).await?, check)
}

/// The status that an exchange over a connection brings.
async fn over<B>(
    connection: impl Future<Output = hyper::Result<()>>,
    answer: impl Future<Output = hyper::Result<Response<B>>>,
) -> Result<StatusCode, Fault> {
    let driven = async {
        // How it ends is told by the answer.
        let _ = connection.await;
        std::future::pending::<Infallible>().await
    };
    let response = tokio::select! {
        response = answer => response.map_err(Fault::Answer)?,
        never = driven => match never {},
    };
    Ok(response.status())
}

fn judge(status: StatusCode, check: &CheckRequest) -> Result<(), Fault> {
    if check.statuses.iter().any(|range| range.contains(&status.as_u16())) {
        Ok(())
    } else {
        Err(Fault::Status(status))
    }
}

fn host(address: SocketAddr, check: &CheckRequest) -> String {
    check.host.as_deref().map_or_else(|| address.to_string(), str::to_owned)
}

fn request(address: SocketAddr, check: &CheckRequest) -> Result<Request<Empty<Bytes>>, http::Error> {
    Request::get(&*check.path)
        .header(HOST, host(address, check))
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, "close")
        .body(Empty::new())
}
