//! One connection from a client: handshake, protocol, time-outs, and its end.

use super::{
    activity::Activity,
    body::Body,
    clock::{TimeIsUp, race},
    core::{Core, Phase, Registration},
    dispatch::dispatch,
    error::Failure,
    peer::Peer,
    reply::reply,
};
use crate::{metrics::Protection, model::rule::ErrorStyle};
use futures_util::FutureExt as _;
use http::{Request, Response};
use hyper::{body::Incoming, server::conn, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    panic::AssertUnwindSafe,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;

mod counted;

use counted::{Counted, ReadCount};

/// Serves a connection to its end.
pub(crate) async fn serve(
    core: Rc<Core>,
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<Arc<rustls::ServerConfig>>,
) {
    let place = core.register(true);
    let peer = Rc::new(Peer::new(address, tls.is_some(), &core.settings.trusted));
    let Some(config) = tls else { return http1(&core, &place, peer, stream).await };
    let accepting = TlsAcceptor::from(config).accept(stream);
    core.clock.set(place.alarm(), core.limits().handshake_timeout);
    match race(&core.clock, place.alarm(), accepting).await {
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => http2(&core, &place, peer, stream).await,
        Ok(Ok(stream)) => http1(&core, &place, peer, stream).await,
        // rustls has told the client with an alert.
        Ok(Err(_)) => {}
        Err(TimeIsUp) => core.metrics.protect(Protection::HandshakeTimeout),
    }
}

async fn http1<S>(core: &Rc<Core>, place: &Registration, peer: Rc<Peer>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (io, read) = Counted::new(TokioIo::new(stream));
    let activity = Rc::new(Activity::default());
    let service = service_fn(|request| respond(core, &peer, &activity, request));
    // hyper's own limits lie above ours, so that refusals carry our entity.
    let connection = conn::http1::Builder::new()
        .header_read_timeout(None)
        .max_headers(core.limits().headers + 156)
        .serve_connection(io, service)
        .with_upgrades();
    drive(core, place, &activity, Some(&read), connection).await;
}

async fn http2<S>(core: &Rc<Core>, place: &Registration, peer: Rc<Peer>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let activity = Rc::new(Activity::default());
    let (owned_core, owned_activity) = (Rc::clone(core), Rc::clone(&activity));
    let service = service_fn(move |request| {
        let (core, peer, activity) = (Rc::clone(&owned_core), Rc::clone(&peer), Rc::clone(&owned_activity));
        async move { respond(&core, &peer, &activity, request).await }
    });
    let header_list = u32::try_from(core.limits().header_bytes).unwrap_or(u32::MAX).saturating_add(16 * 1024);
    let connection = conn::http2::Builder::new(LocalExecutor)
        .max_concurrent_streams(core.limits().streams)
        .max_header_list_size(header_list)
        .serve_connection(TokioIo::new(stream), service);
    drive(core, place, &activity, None, connection).await;
}

/// Answers a request; a panic costs this one alone.
async fn respond(
    core: &Rc<Core>,
    peer: &Rc<Peer>,
    activity: &Rc<Activity>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let busy = activity.begin();
    // Pinned first: the wrappers then move a pointer, not the whole future.
    let answer = std::pin::pin!(dispatch(Rc::clone(core), Rc::clone(peer), request));
    let mut response = AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|_| {
        core.metrics.panics.add(1);
        reply(&Failure::Misconfigured, ErrorStyle::default())
    });
    // The request lasts until its response has ended, however long that streams.
    response.body_mut().hold(busy);
    Ok(response)
}

/// A connection that can be asked to end after the requests that it has.
trait Graceful: Future {
    fn end(self: Pin<&mut Self>);
}

impl<I, S, B> Graceful for conn::http1::UpgradeableConnection<I, S>
where
    S: hyper::service::HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn end(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S, B> Graceful for conn::http2::Connection<I, S, LocalExecutor>
where
    S: hyper::service::HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: 'static,
    I: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn end(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// What a connection waits for, and how long it may.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// For the next request. Numbered, so that each pause has its own time.
    Idle(u64),
    /// For the rest of a request head.
    Head(u64),
    /// For an answer, which has limits of its own.
    Answer,
}

/// Runs a connection under its time-outs until it ends.
async fn drive<C: Graceful>(
    core: &Rc<Core>,
    place: &Registration,
    activity: &Activity,
    read: Option<&ReadCount>,
    connection: C,
) {
    let mut connection = std::pin::pin!(connection);
    let mut watch = Watch { core, place, activity, read, waiting: Waiting::Answer, mark: 0, asked_to_end: false };
    std::future::poll_fn(|context| watch.poll(connection.as_mut(), context)).await;
}

struct Watch<'c> {
    core: &'c Rc<Core>,
    place: &'c Registration,
    activity: &'c Activity,
    read: Option<&'c ReadCount>,
    waiting: Waiting,
    /// Bytes read when the last request ended: more means that a head has begun.
    mark: u64,
    asked_to_end: bool,
}

impl Watch<'_> {
    fn poll<C: Graceful>(&mut self, mut connection: Pin<&mut C>, context: &mut Context<'_>) -> Poll<()> {
        if self.core.phase() == Phase::Closing && !self.asked_to_end {
            self.asked_to_end = true;
            connection.as_mut().end();
        }
        if connection.poll(context).is_ready() {
            return Poll::Ready(());
        }
        self.note();
        if self.place.alarm().has_rung(&self.core.clock) {
            self.core.metrics.protect(match self.waiting {
                Waiting::Head(_) => Protection::HeadTimeout,
                Waiting::Idle(_) | Waiting::Answer => Protection::IdleTimeout,
            });
            return Poll::Ready(());
        }
        self.place.alarm().register(context);
        Poll::Pending
    }

    /// Sets the alarm for what the connection waits for now, if that has changed.
    fn note(&mut self) {
        let begun = self.activity.begun();
        let read = self.read.map_or(0, ReadCount::get);
        let now = if self.activity.running() > 0 {
            Waiting::Answer
        } else if matches!(self.waiting, Waiting::Idle(same) | Waiting::Head(same) if same == begun) && read > self.mark
        {
            Waiting::Head(begun)
        } else {
            self.mark = read;
            Waiting::Idle(begun)
        };
        if now != self.waiting {
            self.waiting = now;
            self.set_alarm(now);
        }
    }

    fn set_alarm(&self, waiting: Waiting) {
        let set = |time: Duration| self.core.clock.set(self.place.alarm(), time);
        match waiting {
            Waiting::Answer => self.place.alarm().clear(),
            Waiting::Head(_) => set(self.core.limits().head_timeout),
            Waiting::Idle(_) => set(self.core.limits().idle_timeout),
        }
    }
}

/// Runs HTTP/2 streams on the connection's own core.
#[derive(Clone, Copy, Debug)]
struct LocalExecutor;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}
