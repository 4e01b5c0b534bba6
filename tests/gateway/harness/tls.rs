//! A TLS client that trusts one authority.

use std::{net::SocketAddr, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Authority, within};

/// Connects over TLS; connections of one client share their session tickets.
#[derive(Clone, Debug)]
pub(crate) struct Client(Arc<ClientConfig>);

impl Client {
    /// Speaks TLS 1.2 and 1.3, and offers these protocols by ALPN.
    pub(crate) fn new(authority: &Authority, alpn: &[&str]) -> Self {
        Self::with_versions(authority, alpn, rustls::ALL_VERSIONS)
    }

    /// Speaks these versions alone.
    pub(crate) fn with_versions(
        authority: &Authority,
        alpn: &[&str],
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        Self::showing(None, authority, alpn, versions)
    }

    /// Shows a certificate with its key, both PEM, to servers that ask for one.
    pub(crate) fn showing(
        own: Option<&(String, String)>,
        authority: &Authority,
        alpn: &[&str],
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(authority.certificate().as_bytes());
        roots.add(certificate.expect("the certificate must be PEM")).expect("the authority must be usable");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("the versions must be supported")
            .with_root_certificates(roots);
        let mut config = match own {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")];
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
                config.with_client_auth_cert(chain, key).expect("the certificate must fit its key")
            }
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Self(Arc::new(config))
    }

    /// Connects with `name` as SNI and as the name to be proven.
    pub(crate) async fn try_open(&self, address: SocketAddr, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
        self.over(TcpStream::connect(address).await?, name).await
    }

    /// Speaks over a connection that is there already.
    pub(crate) async fn over(&self, stream: TcpStream, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(name.to_owned()).expect("the name must be a host name");
        within("TLS handshake", TlsConnector::from(Arc::clone(&self.0)).connect(name, stream)).await
    }

    /// Connects, or panics.
    pub(crate) async fn open(&self, address: SocketAddr, name: &str) -> TlsStream<TcpStream> {
        self.try_open(address, name).await.unwrap_or_else(|error| panic!("{name} at {address}: {error}"))
    }
}

/// The DER bytes of the certificate that the server showed.
pub(crate) fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    let chain = stream.get_ref().1.peer_certificates().expect("the server must show a certificate");
    chain[0].to_vec()
}
