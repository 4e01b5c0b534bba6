//! New connections to endpoints, made in steps, each with its limit in time.

use super::{connection::Fresh, http2::Multiplexed};
use crate::{
    metrics::Protection,
    model::{
        transport::{Protocol, Transport},
        upstream::Upstream,
    },
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

/// The kernel asks after a silent peer from this time on.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(60);

/// A connection to be made.
#[derive(Clone, Debug)]
pub(super) struct Dial {
    address: SocketAddr,
    timeout: Duration,
    transport: Transport,
}

impl Dial {
    pub(super) fn new(address: SocketAddr, upstream: &Upstream) -> Self {
        Self { address, timeout: upstream.policy.dial_timeout, transport: upstream.transport.clone() }
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
        self.speak(core, stream, self.transport.protocol, Scheme::HTTP).await
    }

    /// Begins to speak HTTP.
    async fn speak<S>(&self, core: &Core, stream: S, protocol: Protocol, scheme: Scheme) -> Result<Fresh, Failure>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        match protocol {
            Protocol::Http1 => {
                let (sender, connection) =
                    http1::handshake(TokioIo::new(stream)).await.map_err(|_| Failure::ConnectFailed)?;
                tokio::task::spawn_local(connection.with_upgrades());
                Ok(Fresh::Http1(sender))
            }
            Protocol::Http2 => {
                let opening = within(core, self.timeout, Multiplexed::over(stream, scheme, &core.clock)).await;
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
