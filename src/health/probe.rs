//! One check of one endpoint: a connection, and a request over it where the check has one.

use crate::{
    live::endpoint::Endpoint,
    model::{
        endpoint::EndpointProtocol,
        health::{CheckRequest, HealthCheck},
    },
};
use bytes::Bytes;
use http::{
    Request, StatusCode,
    header::{CONNECTION, HOST, USER_AGENT},
};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
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

/// Checks an endpoint within the time for it.
pub(super) async fn probe(endpoint: &Endpoint, check: &HealthCheck) -> Result<(), Fault> {
    let serving = endpoint.address();
    let address = SocketAddr::new(serving.ip(), check.port.unwrap_or(serving.port()));
    let asked = async {
        let stream = TcpStream::connect(address).await.map_err(Fault::Connect)?;
        match (&check.request, endpoint.facts.protocol) {
            (None, _) => Ok(()),
            (Some(request), EndpointProtocol::Http1) => ask(stream, address, request).await,
        }
    };
    tokio::time::timeout(check.timeout, asked).await.unwrap_or(Err(Fault::Time(check.timeout)))
}

async fn ask(stream: TcpStream, address: SocketAddr, check: &CheckRequest) -> Result<(), Fault> {
    let request = request(address, check).map_err(Fault::Request)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Fault::Answer)?;
    let driven = async {
        // How it ends is told by the answer.
        let _ = connection.await;
        std::future::pending::<Infallible>().await
    };
    let response = tokio::select! {
        response = sender.send_request(request) => response.map_err(Fault::Answer)?,
        never = driven => match never {},
    };
    let status = response.status();
    if check.statuses.iter().any(|range| range.contains(&status.as_u16())) {
        Ok(())
    } else {
        Err(Fault::Status(status))
    }
}

fn request(address: SocketAddr, check: &CheckRequest) -> Result<Request<Empty<Bytes>>, http::Error> {
    let host = check.host.as_deref().map_or_else(|| address.to_string(), str::to_owned);
    Request::get(&*check.path)
        .header(HOST, host)
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, "close")
        .body(Empty::new())
}
