//! Connections to endpoints that many requests share: HTTP/2.
//!
//! What a slow client does not take stays in the window of its own stream: together the windows of
//! all streams are not larger than that of the connection, so that no stream holds up another.

mod waking;

use super::unanswered::{Unanswered, put_back};
use crate::proxy::{clock::Clock, error::Failure, outgoing::Outgoing, request_body::RequestBody};
use http::{Response, uri::Scheme};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{cell::Cell, future::poll_fn, pin::pin, rc::Rc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::oneshot,
};
use waking::{Sleeper, Waking};

/// Requests at a time over one connection, where the endpoint allows more.
const MOST_STREAMS: usize = 100;
/// What an endpoint may send on a stream before its client has taken any of it.
const STREAM_WINDOW: u32 = 256 * 1024;
/// As many windows of streams.
const CONNECTION_WINDOW: u32 = 100 * STREAM_WINDOW;
/// The largest head of a response, as HTTP/2 counts it.
const MOST_HEADER_BYTES: u32 = 64 * 1024;
/// A connection with requests is asked so often whether it still lives.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// How long it may take to say so.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// A connection that many requests share.
#[derive(Debug)]
pub(crate) struct Multiplexed {
    sender: SendRequest<RequestBody>,
    scheme: Scheme,
    /// Requests at a time, as the endpoint allows.
    most: Rc<Cell<usize>>,
    active: Cell<usize>,
    /// The tick at which it was last used.
    used: Cell<u64>,
    retired: Cell<bool>,
    clock: Rc<Clock>,
}

impl Multiplexed {
    /// Begins to speak HTTP/2 over a stream, and waits for the endpoint to say what it allows.
    pub(super) async fn over<S>(stream: S, scheme: Scheme, clock: &Rc<Clock>) -> Result<Rc<Self>, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let sleeper = Sleeper::default();
        let (sender, connection) = http2::Builder::new(OnCore)
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MOST_HEADER_BYTES)
            .initial_max_send_streams(0)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .handshake(TokioIo::new(Waking::new(stream, &sleeper)))
            .await
            .map_err(|_| Failure::ConnectFailed)?;
        let most = Rc::<Cell<usize>>::default();
        let allowed = Rc::clone(&most);
        let (settled, settles) = oneshot::channel();
        tokio::task::spawn_local(async move {
            let (mut connection, mut settled) = (pin!(connection), Some(settled));
            poll_fn(|context| {
                let polled = connection.as_mut().poll(context);
                allowed.set(connection.current_max_send_streams().min(MOST_STREAMS));
                if allowed.get() == 0 {
                    sleeper.register(context);
                } else if let Some(settled) = settled.take() {
                    // Whoever waited may have given up.
                    let _ = settled.send(());
                }
                // Its requests say what became of it.
                polled.map(drop)
            })
            .await;
        });
        settles.await.map_err(|_| Failure::UpstreamBroken)?;
        Ok(Rc::new(Self {
            sender,
            scheme,
            most,
            active: Cell::default(),
            used: Cell::new(clock.now()),
            retired: Cell::default(),
            clock: Rc::clone(clock),
        }))
    }

    /// Whether it takes no more requests at all.
    pub(super) fn is_closed(&self) -> bool {
        self.retired.get() || self.sender.is_closed()
    }

    /// Whether four fifths of its streams are in use: then it is time for another connection.
    pub(super) fn is_busy(&self) -> bool {
        self.active.get() >= (self.most.get() * 4 / 5).max(1)
    }

    /// Whether nobody has used it since a tick.
    pub(super) fn is_unused_since(&self, tick: u64) -> bool {
        self.active.get() == 0 && self.used.get() < tick
    }

    /// A place on it for one request, if there is any.
    pub(super) fn open(self: &Rc<Self>) -> Option<Stream> {
        if self.is_closed() || self.active.get() >= self.most.get().max(1) {
            return None;
        }
        self.active.set(self.active.get() + 1);
        Some(Stream(Rc::clone(self)))
    }
}

/// A place for one request on a connection. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Stream(Rc<Multiplexed>);

impl Stream {
    pub(super) fn scheme(&self) -> Scheme {
        self.0.scheme.clone()
    }

    pub(super) async fn send(&self, request: &mut Outgoing) -> Result<Response<Incoming>, Unanswered> {
        let sent = self.0.sender.clone().try_send_request(request.take()).await;
        let sent = sent.map_err(|error| put_back(error, request));
        // A connection that takes nothing has ended, though hyper may not have noticed yet.
        let takes_nothing = matches!(sent, Err(Unanswered::Unsent));
        self.0.retired.set(self.0.retired.get() || takes_nothing);
        sent
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get() - 1);
        self.0.used.set(self.0.clock.now());
    }
}

/// Runs the tasks of a connection on the core that has it.
#[derive(Clone, Copy, Debug)]
struct OnCore;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for OnCore {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}
