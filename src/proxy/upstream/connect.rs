//! New connections to endpoints.

use crate::{
    live::endpoint::Endpoint,
    model::upstream::UpstreamPolicy,
    proxy::{clock::race, core::Core, error::Failure, request_body::RequestBody},
};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::{rc::Rc, time::Duration};
use tokio::net::TcpStream;

/// The kernel asks after a silent peer from this time on.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(60);

/// Opens a connection to an endpoint within the dial time-out.
pub(crate) async fn connect(
    core: &Rc<Core>,
    endpoint: &Endpoint,
    policy: &UpstreamPolicy,
) -> Result<SendRequest<RequestBody>, Failure> {
    let alarm = core.clock.alarm();
    core.clock.set(&alarm, policy.dial_timeout);
    let dialled = race(&core.clock, &alarm, TcpStream::connect(endpoint.address())).await;
    core.clock.put_back(alarm);
    let result = match dialled {
        Ok(Ok(stream)) => open(stream).await,
        Ok(Err(_)) => Err(Failure::ConnectFailed),
        Err(_) => Err(Failure::ConnectTimeout),
    };
    let counter = if result.is_ok() { &core.metrics.connects } else { &core.metrics.connect_failures };
    counter.add(1);
    result
}

async fn open(stream: TcpStream) -> Result<SendRequest<RequestBody>, Failure> {
    stream.set_nodelay(true).map_err(|_| Failure::ConnectFailed)?;
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE);
    // Without it a dead peer is noticed later, nothing more.
    let _ = socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive);
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| Failure::ConnectFailed)?;
    tokio::task::spawn_local(connection.with_upgrades());
    Ok(sender)
}
