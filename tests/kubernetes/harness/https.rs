//! HTTPS as a client that trusts one authority: the certificate that the server showed, and its
//! answer.

use std::{net::SocketAddr, sync::Arc};

use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Authority, http::Reply};

/// `GET /` for `host` from the server at `address`, and the first certificate that it showed. The
/// handshake fails unless `authority` signed that for `host`.
pub(crate) async fn get(
    address: SocketAddr,
    host: &str,
    authority: &Authority,
) -> Result<(Reply, CertificateDer<'static>), String> {
    let stream = connect(address, host, authority).await?;
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).cloned();
    let shown = shown.ok_or("the server showed no certificate")?;
    let reply = exchange(stream, host).await.map_err(|error| error.to_string())?;
    Ok((reply, shown.into_owned()))
}

/// The binary form of the first certificate in `pem`.
pub(crate) fn first_certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate must be PEM")
}

async fn connect(address: SocketAddr, host: &str, authority: &Authority) -> Result<TlsStream<TcpStream>, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let name = ServerName::try_from(host.to_owned()).expect("the host must be a name");
    TlsConnector::from(Arc::new(trust(authority))).connect(name, stream).await.map_err(|error| error.to_string())
}

fn trust(authority: &Authority) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(first_certificate(authority.certificate())).expect("an authority must be a root");
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the versions must fit the provider")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

async fn exchange(stream: TlsStream<TcpStream>, host: &str) -> hyper::Result<Reply> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::get("/").header(HOST, host).body(Full::<Bytes>::default());
    let (head, body) = sender.send_request(request.expect("the host must be a header value")).await?.into_parts();
    let reply = Reply { status: head.status, headers: head.headers, body: body.collect().await?.to_bytes() };
    connection.abort();
    Ok(reply)
}
