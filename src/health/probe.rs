//! One check of one endpoint: a connection, and a request over it where the check has one.

use crate::{
    live::endpoint::Endpoint,
    model::{
        health::{CheckRequest, HealthCheck},
        transport::{Protocol, Transport},
    },
    proxy::upstream::tls::configure,
};
use bytes::Bytes;
use http::{
    Request, Response, StatusCode, Uri,
    header::{CONNECTION, HOST, USER_AGENT},
    uri::Scheme,
};
use http_body_util::Empty;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, client::Resumption, pki_types::ServerName};
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// Tells endpoints who asks.
const AGENT: &str = concat!("paifang-health/", env!("CARGO_PKG_VERSION"));

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
    /// It took too long.
    #[error("not within {0:?}")]
    Time(Duration),
}

/// What a check speaks: what requests do, believing and showing the same certificates.
#[derive(Clone, Debug)]
pub(super) struct Speech {
    protocol: Protocol,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Speech {
    /// What the checks of a transport speak. Those of another port than requests go to speak plain
    /// HTTP/1.1 where requests go over TLS.
    pub(super) fn of(transport: &Transport, check: &HealthCheck) -> Result<Self, rustls::Error> {
        let Transport { protocol, tls } = transport;
        match tls {
            None => Ok(Self { protocol: *protocol, tls: None }),
            Some(_) if check.port.is_some() => Ok(Self { protocol: Protocol::Http1, tls: None }),
            Some(tls) => {
                let mut config = configure(tls, *protocol)?;
                // Each check sees the whole handshake, and keeps nothing.
                config.resumption = Resumption::disabled();
                let name =
                    tls.server_names.first().ok_or_else(|| rustls::Error::General("no server name".to_owned()))?;
                Ok(Self { protocol: *protocol, tls: Some((Arc::new(config), name.clone())) })
            }
        }
    }
}

/// Checks an endpoint within the time for it. Without a request it is enough to be connected to.
pub(super) async fn probe(endpoint: &Endpoint, check: &HealthCheck, speech: &Speech) -> Result<(), Fault> {
    let serving = endpoint.address();
    let address = SocketAddr::new(serving.ip(), check.port.unwrap_or(serving.port()));
    let asked = async {
        let stream = TcpStream::connect(address).await.map_err(Fault::Connect)?;
        let Some((config, name)) = &speech.tls else {
            return exchange(stream, Scheme::HTTP, speech.protocol, address, check).await;
        };
        let stream = TlsConnector::from(Arc::clone(config)).connect(name.clone(), stream).await.map_err(Fault::Tls)?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let protocol = if is_http2 { Protocol::Http2 } else { Protocol::Http1 };
        exchange(stream, Scheme::HTTPS, protocol, address, check).await
    };
    tokio::time::timeout(check.timeout, asked).await.unwrap_or(Err(Fault::Time(check.timeout)))
}

async fn exchange<S>(
    stream: S,
    scheme: Scheme,
    protocol: Protocol,
    address: SocketAddr,
    check: &HealthCheck,
) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    match (&check.request, protocol) {
        (None, _) => Ok(()),
        (Some(request), Protocol::Http1) => ask(stream, address, request).await,
        (Some(request), Protocol::Http2) => ask_http2(stream, scheme, address, request).await,
    }
}

async fn ask<S>(stream: S, address: SocketAddr, check: &CheckRequest) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let request = request(address, check).map_err(Fault::Request)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Fault::Answer)?;
    judge(over(connection, sender.send_request(request)).await?, check)
}

async fn ask_http2<S>(stream: S, scheme: Scheme, address: SocketAddr, check: &CheckRequest) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut request, host) = (request(address, check).map_err(Fault::Request)?, host(address, check));
    // The host is in the target, and nothing speaks of the connection (RFC 9113 section 8.2.2).
    request.headers_mut().remove(CONNECTION);
    request.headers_mut().remove(HOST);
    let target = Uri::builder().scheme(scheme).authority(host).path_and_query(&*check.path);
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
