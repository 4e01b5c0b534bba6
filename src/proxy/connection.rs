//! One connection from a client: handshake, protocol, time-outs, and its end.

use super::{
    activity::Activity,
    body::Body,
    clock::{TimeIsUp, race},
    core::{Core, Registration},
    dispatch::dispatch,
    outgoing::Outgoing,
    pace::Pace,
    peer::{Arrival, Peer, Secured, Session},
    request_body::RequestBody,
};
use crate::metrics::{HandshakeFailure, Protection};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as _;
use hyper::{body::Incoming, server::conn, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{borrow::Borrow, convert::Infallible, pin::Pin, rc::Rc};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

mod counted;
mod frames;
mod handshake;
mod proxied;
mod socket;
mod streams;
#[cfg(test)]
mod tests;
mod watch;

use counted::{Counted, Traffic};
use frames::Frames;
use socket::Socket;
use streams::Streams;
use watch::{Watched, drive};

/// Most bytes that are read of a request, and written of an answer, before the other side takes them.
/// More than a head may have.
const READ_BUFFER: usize = 128 * 1024;
/// Bytes of answers that wait for a client of HTTP/2, for each stream: one that opens all its windows
/// and reads nothing has hold of so much a hundred times.
const SEND_BUFFER: usize = 64 * 1024;

/// Serves a connection to its end.
pub(crate) async fn serve(core: Rc<Core>, mut stream: TcpStream, mut arrival: Arrival) {
    let place = core.register(true);
    core.clock.set(place.alarm(), core.limits().handshake_timeout);
    let Some(peer) = proxied::identify(&core, &place, &mut stream, &mut arrival).await else { return };
    let Arrival { tls, place: _held, .. } = arrival;
    let traffic = Traffic::default();
    let stream = Counted::new(Socket::new(stream, traffic.clone(), tls.is_none()), traffic.clone());
    match tls {
        None => plain(&core, &place, &Rc::new(peer), stream, &traffic).await,
        // In memory of its own: what is boxed here does not weigh on every plain connection.
        Some(secured) => Box::pin(secure(&core, &place, peer, secured, stream, &traffic)).await,
    }
}

/// HTTP over TLS: the handshake decides by ALPN what is spoken.
async fn secure(
    core: &Rc<Core>,
    place: &Registration,
    peer: Peer,
    Secured(hosts): Secured,
    stream: Counted<Socket>,
    traffic: &Traffic,
) {
    match race(&core.clock, place.alarm(), handshake::shake(core, &*hosts, stream)).await {
        Ok(Ok((stream, validation))) => {
            let session = stream.get_ref().1;
            let is_http2 = session.alpn_protocol() == Some(b"h2");
            let peer = Rc::new(peer.with_session(Session::new(session.server_name(), validation, hosts)));
            if is_http2 {
                Box::pin(http2(core, place, &peer, stream, traffic)).await;
            } else {
                http1(core, place, &peer, stream, traffic).await;
            }
        }
        // rustls has told the client with an alert.
        Ok(Err(error)) => {
            core.metrics.failed_handshake(handshake::failure(&error));
            tracing::debug!(peer = %peer.address, %error, "a TLS handshake failed");
        }
        Err(TimeIsUp) => {
            core.metrics.protect(Protection::HandshakeTimeout);
            core.metrics.failed_handshake(HandshakeFailure::Timeout);
            tracing::debug!(peer = %peer.address, "a TLS handshake did not end in time");
        }
    }
}

/// HTTP in plain text: by its first bytes it is HTTP/2, else HTTP/1.
async fn plain(core: &Rc<Core>, place: &Registration, peer: &Rc<Peer>, stream: Counted<Socket>, traffic: &Traffic) {
    if let Some((mut stream, read)) = http1(core, place, peer, stream, traffic).await {
        stream.inner_mut().begin_again(read);
        Box::pin(http2(core, place, peer, stream, traffic)).await;
    }
}

/// Serves HTTP/1. What begins HTTP/2 is given back, and with it what was read.
async fn http1<S>(
    core: &Rc<Core>,
    place: &Registration,
    peer: &Rc<Peer>,
    stream: S,
    traffic: &Traffic,
) -> Option<(S, Bytes)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = &Rc::new(Activity::default());
    let service = service_fn(|request: Request<Incoming>| {
        traffic.note_body(!request.body().is_end_stream());
        respond(core, peer, activity, Pace::new(core, None), Outgoing::new(request.map(RequestBody::of)))
    });
    // hyper's own limits lie above ours, so that refusals carry our entity.
    let mut connection = conn::http1::Builder::new()
        .header_read_timeout(None)
        // Then the socket tells who is gone.
        .half_close(!peer.tls)
        .max_headers(core.limits().headers + 156)
        .max_buf_size(READ_BUFFER)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let watched = Watched { core, place, peer, activity, traffic, heads: true };
    let is_http2 = drive(watched, Pin::new(&mut connection)).await;
    connection.into_parts().filter(|_| is_http2).map(|parts| (parts.io.into_inner(), parts.read_buf))
}

async fn http2<S>(core: &Rc<Core>, place: &Registration, peer: &Rc<Peer>, stream: S, traffic: &Traffic)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let activity = Rc::new(Activity::default());
    let streams = Streams::new(core, traffic);
    let (owned_core, owned_activity, owned_streams) = (Rc::clone(core), Rc::clone(&activity), streams.clone());
    let owned_peer = Rc::clone(peer);
    let service = service_fn(move |request: Request<Incoming>| {
        let (core, peer, activity) = (Rc::clone(&owned_core), Rc::clone(&owned_peer), Rc::clone(&owned_activity));
        let pace = Pace::new(&core, Some(owned_streams.begin()));
        respond(core, peer, activity, pace, Outgoing::new(request.map(RequestBody::of)))
    });
    let header_list = u32::try_from(core.limits().header_bytes).unwrap_or(u32::MAX).saturating_add(16 * 1024);
    // A client that is gone without a word answers no PING.
    let patience = core.limits().write_timeout;
    let connection = conn::http2::Builder::new(streams)
        .timer(TokioTimer::new())
        .keep_alive_interval(patience)
        .keep_alive_timeout(patience)
        .max_concurrent_streams(core.limits().streams)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(header_list)
        // For WebSockets (RFC 8441).
        .enable_connect_protocol()
        .serve_connection(TokioIo::new(Frames::new(stream, core)), service);
    let watched = Watched { core, place, peer, activity: &activity, traffic, heads: false };
    drive(watched, std::pin::pin!(connection)).await;
}

/// Answers a request.
#[expect(clippy::manual_async_fn, reason = "an `async fn` would have room for the request twice")]
fn respond(
    core: impl Borrow<Rc<Core>>,
    peer: impl Borrow<Rc<Peer>>,
    activity: impl Borrow<Rc<Activity>>,
    pace: Pace,
    mut request: Outgoing,
) -> impl Future<Output = Result<Response<Body>, Infallible>> {
    async move {
        let busy = activity.borrow().begin();
        let mut response = dispatch(core.borrow(), peer.borrow(), &mut request).await;
        // The request lasts until its response has ended, however long that streams.
        response.body_mut().hold(busy, pace);
        Ok(response)
    }
}
