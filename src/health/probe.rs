//! One check of one endpoint: a connection, and a request over it where the check has one.

use super::{AGENT, fault::Fault, grpc};
use crate::{
    live::endpoint::Endpoint,
    model::{
        health::{CheckRequest, GetCheck, HealthCheck},
        transport::{Protocol, Transport},
    },
    proxy::upstream::tls::configure,
};
use bytes::Bytes;
use http::{
    Request, Response, Uri,
    header::{CONNECTION, HOST, USER_AGENT},
    uri::Scheme,
};
use http_body_util::Empty;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, client::Resumption, pki_types::ServerName};
use std::{convert::Infallible, net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// What a check speaks: what requests do, believing and showing the same certificates.
#[derive(Clone, Debug)]
pub(super) struct Speech {
    protocol: Protocol,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Speech {
    /// What the checks of a transport speak. Those of another port than requests go to speak plain
    /// HTTP/1.1 where requests go over TLS. gRPC is HTTP/2 in any case.
    pub(super) fn of(transport: &Transport, check: &HealthCheck) -> Result<Self, rustls::Error> {
        let Transport { protocol, tls } = transport;
        let is_grpc = matches!(check.request, Some(CheckRequest::Grpc(_)));
        let of_check = |protocol| if is_grpc { Protocol::Http2 } else { protocol };
        match tls {
            None => Ok(Self { protocol: of_check(*protocol), tls: None }),
            Some(_) if check.port.is_some() => Ok(Self { protocol: of_check(Protocol::Http1), tls: None }),
            Some(tls) => {
                let protocol = of_check(*protocol);
                let mut config = configure(tls, protocol)?;
                // Each check sees the whole handshake, and keeps nothing.
                config.resumption = Resumption::disabled();
                let name =
                    tls.server_names.first().ok_or_else(|| rustls::Error::General("no server name".to_owned()))?;
                Ok(Self { protocol, tls: Some((Arc::new(config), name.clone())) })
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
        (Some(CheckRequest::Get(get)), Protocol::Http1) => ask(stream, address, get).await,
        (Some(CheckRequest::Get(get)), Protocol::Http2) => ask_http2(stream, scheme, address, get).await,
        (Some(CheckRequest::Grpc(service)), Protocol::Http2) => call(stream, scheme, address, service).await,
        (Some(CheckRequest::Grpc(_)), Protocol::Http1) => Err(Fault::NoHttp2),
    }
}

async fn ask<S>(stream: S, address: SocketAddr, check: &GetCheck) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let request = request(address, check).map_err(Fault::Request)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Fault::Answer)?;
    over(connection, async { judge(&sender.send_request(request).await.map_err(Fault::Answer)?, check) }).await
}

async fn ask_http2<S>(stream: S, scheme: Scheme, address: SocketAddr, check: &GetCheck) -> Result<(), Fault>
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
    over(connection, async { judge(&sender.send_request(request).await.map_err(Fault::Answer)?, check) }).await
}

async fn call<S>(stream: S, scheme: Scheme, address: SocketAddr, service: &str) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let request = grpc::request(scheme, address, service)?;
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(Fault::Answer)?;
    over(connection, async { grpc::judge(sender.send_request(request).await.map_err(Fault::Answer)?).await }).await
}

/// What comes of an exchange over a connection.
async fn over(
    connection: impl Future<Output = hyper::Result<()>>,
    exchange: impl Future<Output = Result<(), Fault>>,
) -> Result<(), Fault> {
    let driven = async {
        // How it ends is told by the answer.
        let _ = connection.await;
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        result = exchange => result,
        never = driven => match never {},
    }
}

fn judge<B>(response: &Response<B>, check: &GetCheck) -> Result<(), Fault> {
    let status = response.status();
    if check.statuses.iter().any(|range| range.contains(&status.as_u16())) {
        Ok(())
    } else {
        Err(Fault::Status(status))
    }
}

fn host(address: SocketAddr, check: &GetCheck) -> String {
    check.host.as_deref().map_or_else(|| address.to_string(), str::to_owned)
}

fn request(address: SocketAddr, check: &GetCheck) -> Result<Request<Empty<Bytes>>, http::Error> {
    Request::get(&*check.path)
        .header(HOST, host(address, check))
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, "close")
        .body(Empty::new())
}
