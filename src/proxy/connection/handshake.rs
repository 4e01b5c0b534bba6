//! TLS handshakes with clients, and why they fail in the words of the metric.

use crate::{
    metrics::{HandshakeFailure, Protection},
    proxy::{
        core::Core,
        peer::{Chosen, Hosts},
    },
};
use rustls::{Error, server::Acceptor};
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};

/// Shakes hands: the name that the client asks for says how. What the client was asked for comes with it.
/// The answer to the first message takes long, so handshakes take turns in it.
pub(super) async fn shake<S>(core: &Core, hosts: &dyn Hosts, stream: S) -> io::Result<(TlsStream<S>, Option<u64>)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let started = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let Chosen { config, validation } = hosts.choose(started.client_hello().server_name());
    let turn = match core.handshakes.at_once() {
        Some(turn) => turn,
        None => {
            core.metrics.protect(Protection::HandshakeDelayed);
            core.handshakes.wait().await
        }
    };
    let answered = started.into_stream(config);
    turn.end().await;
    Ok((answered.await?, validation))
}

/// Why a handshake failed.
pub(super) fn failure(error: &std::io::Error) -> HandshakeFailure {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        None => HandshakeFailure::Closed,
        Some(Error::AlertReceived(_)) => HandshakeFailure::Refused,
        Some(Error::PeerIncompatible(_) | Error::NoApplicationProtocol) => HandshakeFailure::Incompatible,
        Some(Error::NoCertificatesPresented | Error::InvalidCertificate(_)) => HandshakeFailure::ClientCertificate,
        // The one general error of a server's handshake.
        Some(Error::General(_)) => HandshakeFailure::NoCertificate,
        Some(_) => HandshakeFailure::Malformed,
    }
}
