//! Runs a connection: what it waits for, how long it may, and its end.

use super::{counted::Traffic, frames::blame, streams::Streams};
use crate::{
    metrics::Protection,
    proxy::{
        activity::Activity,
        core::{Core, Phase, Registration},
        pace::LEAST_PROGRESS,
        peer::Peer,
    },
};
use hyper::{body::Incoming, server::conn};
use std::{
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

/// How long an idle connection may take to say goodbye: HTTP/2 sends GOAWAY and waits for its client
/// to have read it, so that no request is lost.
const GOODBYE: Duration = Duration::from_secs(5);
/// How long a connection that came just before the process stops accepting may take to bring its
/// first request.
const FIRST_REQUEST: Duration = Duration::from_secs(1);
/// How often a connection whose client has finished sending is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long a client has to read its answer and close, when more of its request may be on its way.
const LINGER: Duration = Duration::from_secs(1);

/// A connection that can be asked to end after the requests that it has.
pub(super) trait Graceful: Future<Output = hyper::Result<()>> {
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

impl<I, S, B> Graceful for conn::http2::Connection<I, S, Streams>
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
    /// The same, while the client sends nothing more and may be gone.
    HalfClosed,
    /// For the client to close: all is said.
    Close,
    /// For the client to take what it is sent.
    Write,
}

/// A connection as its watch sees it.
pub(super) struct Watched<'c> {
    pub(super) core: &'c Rc<Core>,
    pub(super) place: &'c Registration,
    pub(super) peer: &'c Peer,
    pub(super) activity: &'c Activity,
    pub(super) traffic: &'c Traffic,
    /// Whether requests come one after the other, so that what is read between them is a head.
    pub(super) heads: bool,
}

/// Runs a connection under its time-outs until it ends. `true`: what came begins HTTP/2, and nothing was done
/// with it.
pub(super) async fn drive<C: Graceful>(watched: Watched<'_>, mut connection: Pin<&mut C>) -> bool {
    let (began, before) = (watched.core.clock.now(), watched.traffic.reads());
    let mut watch =
        Watch { watched, waiting: Waiting::Answer, began, before, reads: 0, written: 0, asked_to_end: false };
    std::future::poll_fn(|context| watch.poll(connection.as_mut(), context)).await
}

struct Watch<'c> {
    watched: Watched<'c>,
    waiting: Waiting,
    /// The tick at which it began, and the reads before, which a handshake needs.
    began: u64,
    before: u64,
    /// Reads when the last request ended: more means that a head has begun.
    reads: u64,
    /// Bytes written when the time to take some began.
    written: u64,
    asked_to_end: bool,
}

impl Watch<'_> {
    fn poll<C: Graceful>(&mut self, mut connection: Pin<&mut C>, context: &mut Context<'_>) -> Poll<bool> {
        let Watched { core, place, .. } = self.watched;
        loop {
            // What has come already is read first, so that no request is lost to the end.
            if let Poll::Ready(ended) = connection.as_mut().poll(context) {
                return Poll::Ready(self.note_end(&ended));
            }
            self.note();
            if self.must_end() || self.is_surplus() {
                self.asked_to_end = true;
                connection.as_mut().end();
                continue;
            }
            if !place.alarm().has_rung(&core.clock) {
                place.alarm().register(context);
                return Poll::Pending;
            }
            if !self.goes_on(connection.as_mut()) {
                return Poll::Ready(false);
            }
        }
    }

    /// Whether the process closes its connections, and this one waits for no first request any more.
    fn must_end(&self) -> bool {
        let Watched { core, place, activity, traffic, .. } = self.watched;
        if core.phase() != Phase::Closing || self.asked_to_end {
            return false;
        }
        let is_new = activity.begun() == 0 && traffic.reads() == self.before;
        !is_new || !core.clock.set_since(place.alarm(), self.began, FIRST_REQUEST)
    }

    /// Whether it makes room for others: it has had a request, and has none.
    fn is_surplus(&self) -> bool {
        let Watched { core, activity, .. } = self.watched;
        let idles = matches!(self.waiting, Waiting::Idle(_)) && activity.begun() > 0 && !self.asked_to_end;
        let surplus = idles && core.is_surplus();
        if surplus {
            core.metrics.protect(Protection::IdleShed);
        }
        surplus
    }

    /// Whether it ends for HTTP/2 to begin, which it may do in plain text and before anything else alone: over
    /// TLS it is agreed.
    fn note_end(&self, ended: &hyper::Result<()>) -> bool {
        let Err(error) = ended else { return false };
        let Watched { core, peer, activity, .. } = self.watched;
        if error.is_parse_version_h2() && !peer.tls && activity.begun() == 0 {
            return true;
        }
        if error.is_timeout() {
            // A PING that nobody answered is the one time-out of hyper's own.
            self.give_up_on_client();
        } else if let Some(rule) = error.is_parse().then_some(Protection::Malformed).or_else(|| blame(error)) {
            core.metrics.protect(rule);
            tracing::debug!(peer = %peer.address, %error, "a client does not speak HTTP");
        }
        false
    }

    /// The client takes nothing any more.
    fn give_up_on_client(&self) {
        self.watched.activity.stall();
        self.watched.core.metrics.protect(Protection::WriteTimeout);
    }

    /// Whether there is more time, now that the alarm has rung.
    fn goes_on<C: Graceful>(&mut self, connection: Pin<&mut C>) -> bool {
        let Watched { core, place, traffic, .. } = self.watched;
        match self.waiting {
            Waiting::Write if traffic.written() - self.written >= LEAST_PROGRESS => {
                self.written = traffic.written();
                self.set_alarm();
                return true;
            }
            Waiting::HalfClosed => {
                self.set_alarm();
                return true;
            }
            Waiting::Idle(_) if !self.asked_to_end => {
                self.asked_to_end = true;
                core.metrics.protect(Protection::IdleTimeout);
                connection.end();
                core.clock.set(place.alarm(), GOODBYE);
                return true;
            }
            Waiting::Write => self.give_up_on_client(),
            Waiting::Head(_) => core.metrics.protect(Protection::HeadTimeout),
            Waiting::Idle(_) | Waiting::Answer | Waiting::Close => {}
        }
        false
    }

    /// Sets the alarm for what the connection waits for now, if that has changed.
    fn note(&mut self) {
        let Watched { activity, traffic, heads, .. } = self.watched;
        let (begun, reads) = (activity.begun(), traffic.reads());
        let now = if traffic.lingers() {
            Waiting::Close
        } else if traffic.is_blocked() {
            Waiting::Write
        } else if activity.running() > 0 && traffic.is_half_closed() {
            Waiting::HalfClosed
        } else if activity.running() > 0 {
            Waiting::Answer
        } else if heads
            && matches!(self.waiting, Waiting::Idle(same) | Waiting::Head(same) if same == begun)
            && reads > self.reads
        {
            Waiting::Head(begun)
        } else {
            self.reads = reads;
            Waiting::Idle(begun)
        };
        if now != self.waiting {
            self.waiting = now;
            self.written = traffic.written();
            self.set_alarm();
        }
    }

    fn set_alarm(&self) {
        let Watched { core, place, .. } = self.watched;
        let set = |time: Duration| core.clock.set(place.alarm(), time);
        match self.waiting {
            Waiting::Answer => place.alarm().rest(),
            Waiting::Head(_) => set(core.limits().head_timeout),
            Waiting::Idle(_) => set(core.limits().idle_timeout),
            Waiting::Write => set(core.limits().write_timeout),
            Waiting::HalfClosed => set(LOOK),
            Waiting::Close => set(LINGER),
        }
    }
}
