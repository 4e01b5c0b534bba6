//! Runs a connection: what it waits for, how long it may, and its end.

use super::{LocalExecutor, counted::ReadCount};
use crate::{
    metrics::Protection,
    proxy::{
        activity::Activity,
        core::{Core, Phase, Registration},
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

/// A connection that can be asked to end after the requests that it has.
pub(super) trait Graceful: Future {
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
pub(super) async fn drive<C: Graceful>(
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
