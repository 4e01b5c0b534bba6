//! The streams of an HTTP/2 connection: run on the connection's own core, and cut when their client
//! takes nothing of them.
//!
//! hyper waits for the client's window with a frame in its hand and does not ask the body again, so
//! the body cannot end itself. Dropping the stream resets it (CANCEL).

use super::counted::Traffic;
use crate::{
    metrics::Protection,
    proxy::{
        core::Core,
        pace::{LEAST_PROGRESS, StreamWatch},
    },
};
use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

/// Runs the streams of one connection.
#[derive(Clone)]
pub(crate) struct Streams {
    core: Rc<Core>,
    traffic: Traffic,
    /// The watch of the stream that hyper is about to run.
    next: Rc<Cell<Option<Rc<StreamWatch>>>>,
}

impl Streams {
    pub(crate) fn new(core: &Rc<Core>, traffic: &Traffic) -> Self {
        Self { core: Rc::clone(core), traffic: traffic.clone(), next: Rc::default() }
    }

    /// The watch over the stream of a request. hyper runs the stream right after it has given the
    /// request to the service.
    pub(crate) fn begin(&self) -> Rc<StreamWatch> {
        let watch = Rc::new(StreamWatch::new(&self.core.clock));
        self.next.set(Some(Rc::clone(&watch)));
        watch
    }
}

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, future: F) {
        match self.next.take() {
            Some(watch) => {
                let guard = Guard { streams: self.clone(), watch, frame: 0, mark: 0 };
                // In memory of its own: what is spawned is moved, and a stream has kilobytes.
                tokio::task::spawn_local(Guarded { stream: Box::pin(future), guard });
            }
            None => {
                tokio::task::spawn_local(future);
            }
        }
    }
}

/// A stream that ends when its client takes nothing of it.
struct Guarded<F> {
    stream: Pin<Box<F>>,
    guard: Guard,
}

impl<F: Future<Output = ()>> Future for Guarded<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.stream.as_mut().poll(context).is_ready() || self.guard.is_stalled() {
            return Poll::Ready(());
        }
        self.guard.watch.alarm().register(context);
        Poll::Pending
    }
}

/// Watches one stream from outside.
struct Guard {
    streams: Streams,
    watch: Rc<StreamWatch>,
    /// The frame that the client is to take.
    frame: u64,
    /// Bytes that the connection had written when the time for the frame began.
    mark: u64,
}

impl Guard {
    /// Whether the client took nothing in time. A slow connection that takes other streams'
    /// frames gets more of it, up to the limit for streams that stand still.
    fn is_stalled(&mut self) -> bool {
        let (core, written) = (&self.streams.core, self.streams.traffic.written());
        let (frame, since) = self.watch.frame();
        if frame != self.frame {
            (self.frame, self.mark) = (frame, written);
        }
        if !self.watch.alarm().has_rung(&core.clock) {
            return false;
        }
        let limits = core.limits();
        let most = limits.stream_idle_timeout.unwrap_or(limits.write_timeout);
        if written - self.mark >= LEAST_PROGRESS && core.clock.since(since) < most {
            self.mark = written;
            core.clock.set(self.watch.alarm(), limits.write_timeout);
            return false;
        }
        core.metrics.protect(Protection::WriteTimeout);
        self.watch.stall();
        true
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.streams.core.clock.put_back(Rc::clone(self.watch.alarm()));
    }
}
