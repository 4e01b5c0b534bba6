//! New connections to endpoints, made in steps, each with its limit in time.

use super::{Way, connection::Fresh, http2::Multiplexed};
use crate::{
    metrics::Protection,
    model::transport::{EndpointTls, Protocol, Transport},
    proxy::{clock::race, core::Core, error::Failure},
};
use http::uri::Scheme;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustix::io::Errno;
use std::{net::SocketAddr, rc::Rc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// The kernel asks after a silent peer from this time on.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(60);

/// Most bytes that are read of an answer, and written of a request, before the other side takes them.
/// A head must fit too.
const READ_BUFFER: usize = 128 * 1024;

/// A connection to be made.
#[derive(Clone, Debug)]
pub(super) struct Dial {
    address: SocketAddr,
    timeout: Duration,
    handshake_timeout: Duration,
    transport: Transport,
}

impl Dial {
    pub(super) fn new(address: SocketAddr, way: Way<'_>) -> Self {
        let policy = way.policy;
        Self {
            address,
            timeout: policy.dial_timeout,
            handshake_timeout: policy.tls_handshake_timeout,
            transport: way.transport.clone(),
        }
    }

    /// Makes it.
    pub(super) async fn connect(&self, core: &Rc<Core>) -> Result<Fresh, Failure> {
        let result = self.steps(core).await;
        let counter = if result.is_ok() { &core.metrics.connects } else { &core.metrics.connect_failures };
        counter.add(1);
        result
    }

    async fn steps(&self, core: &Rc<Core>) -> Result<Fresh, Failure> {
        let stream = self.reach(core).await?;
        let Some(tls) = &self.transport.tls else {
            return self.speak(core, stream, self.transport.protocol, Scheme::HTTP).await;
        };
        let stream = self.secure(core, stream, tls).await?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let protocol = if is_http2 { Protocol::Http2 } else { Protocol::Http1 };
        Box::pin(self.speak(core, stream, protocol, Scheme::HTTPS)).await
    }

    async fn secure(&self, core: &Core, stream: TcpStream, tls: &EndpointTls) -> Result<TlsStream<TcpStream>, Failure> {
        let config = core.pools.tls(&self.transport, tls).map_err(|_| Failure::UpstreamTlsFailed)?;
        let name = tls.server_names.first().ok_or(Failure::UpstreamTlsFailed)?.clone();
        let shaking = TlsConnector::from(config).connect(name, stream);
        let shaken = within(core, self.handshake_timeout, Box::pin(shaking)).await;
        shaken.ok_or(Failure::UpstreamTlsTimeout)?.map_err(|error| {
            core.log_unreachable(self.address, &error);
            Failure::UpstreamTlsFailed
        })
    }

    /// Begins to speak HTTP.
    async fn speak<S>(&self, core: &Core, stream: S, protocol: Protocol, scheme: Scheme) -> Result<Fresh, Failure>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::Builder::new()
                    .max_buf_size(READ_BUFFER)
                    .handshake(TokioIo::new(stream))
                    .await
                    .map_err(|_| Failure::ConnectFailed)?;
                tokio::task::spawn_local(connection.with_upgrades());
                Ok(Fresh::Http1(sender))
            }
            Protocol::Http2 => {
                let opening =
                    within(core, self.timeout, Box::pin(Multiplexed::over(stream, scheme, &core.clock))).await;
                opening.ok_or(Failure::ConnectTimeout)?.map(Fresh::Http2)
            }
        }
    }

    async fn reach(&self, core: &Core) -> Result<TcpStream, Failure> {
        let stream = match within(core, self.timeout, TcpStream::connect(self.address)).await {
            Some(Ok(stream)) => stream,
            Some(Err(error)) => {
                core.log_unreachable(self.address, &error);
                return Err(refused(core, &error));
            }
            None => {
                core.log_unreachable(self.address, &format_args!("not within {:?}", self.timeout));
                return Err(Failure::ConnectTimeout);
            }
        };
        stream.set_nodelay(true).map_err(|_| Failure::ConnectFailed)?;
        let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE);
        // Without it a dead peer is noticed later, nothing more.
        let _ = socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive);
        Ok(stream)
    }
}

/// Why an endpoint was not reached. Having no descriptor left is no fault of its.
fn refused(core: &Core, error: &std::io::Error) -> Failure {
    if !matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE)) {
        return Failure::ConnectFailed;
    }
    core.metrics.protect(Protection::Descriptors);
    Failure::NoDescriptors
}

/// Waits for a step; `None` when its time is up.
async fn within<F: Future>(core: &Core, time: Duration, step: F) -> Option<F::Output> {
    let alarm = core.clock.alarm();
    core.clock.set(&alarm, time);
    let output = race(&core.clock, &alarm, step).await;
    core.clock.put_back(alarm);
    output.ok()
}
