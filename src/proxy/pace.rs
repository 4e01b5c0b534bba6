//! How long a response may stand still, because its endpoint sends nothing or its client takes
//! nothing.
//!
//! What the client of an HTTP/1.1 connection takes is watched by the connection. Here is the time
//! that the endpoint takes, and for a stream of HTTP/2 that of its client too.

use super::{
    clock::{Alarm, Clock},
    core::Core,
    error::BodyError,
};
use crate::metrics::Protection;
use std::{cell::Cell, fmt, rc::Rc, task::Context};

/// Bytes that a client must take within its time to count as one that takes them.
pub(crate) const LEAST_PROGRESS: u64 = 1024;

/// What a stream of HTTP/2 and its response body share.
#[derive(Debug)]
pub(crate) struct StreamWatch {
    alarm: Rc<Alarm>,
    /// The number of the frame that the client is to take, and the tick at which it was made.
    frame: Cell<(u64, u64)>,
    stalled: Cell<bool>,
}

impl StreamWatch {
    pub(crate) fn new(clock: &Clock) -> Self {
        Self { alarm: clock.alarm(), frame: Cell::default(), stalled: Cell::default() }
    }

    pub(crate) const fn alarm(&self) -> &Rc<Alarm> {
        &self.alarm
    }

    pub(crate) const fn frame(&self) -> (u64, u64) {
        self.frame.get()
    }

    /// The stream is cut because its client takes nothing.
    pub(crate) fn stall(&self) {
        self.stalled.set(true);
    }
}

/// The limits in time on a response body.
pub(crate) struct Pace {
    core: Rc<Core>,
    /// Made at the first wait.
    alarm: Option<Rc<Alarm>>,
    stream: Option<Rc<StreamWatch>>,
    waiting: bool,
}

impl Pace {
    /// For a body that nobody waits for yet; `stream` is its stream if it is one of HTTP/2.
    pub(crate) fn new(core: &Rc<Core>, stream: Option<Rc<StreamWatch>>) -> Self {
        let alarm = stream.as_ref().map(|stream| Rc::clone(&stream.alarm));
        Self { core: Rc::clone(core), alarm, stream, waiting: false }
    }

    /// The endpoint has nothing yet. Fails when it had nothing for too long and the request, if it
    /// is still on its way, has not moved either; `request` is the tick at which it last did.
    pub(crate) fn wait(&mut self, request: Option<u64>, context: &Context<'_>) -> Result<(), BodyError> {
        let clock = &self.core.clock;
        let Some(limit) = self.core.limits().stream_idle_timeout else {
            self.alarm.iter().for_each(|alarm| alarm.clear());
            return Ok(());
        };
        let alarm = self.alarm.get_or_insert_with(|| clock.alarm());
        if !self.waiting {
            self.waiting = true;
            clock.set(alarm, limit);
        } else if alarm.has_rung(clock) && !request.is_some_and(|tick| clock.set_since(alarm, tick, limit)) {
            self.core.metrics.protect(Protection::StreamIdleTimeout);
            return Err(BodyError::EndpointStalled);
        }
        alarm.register(context);
        Ok(())
    }

    /// There is a frame for the client.
    pub(crate) fn sent(&mut self) {
        self.waiting = false;
        if let Some(stream) = &self.stream {
            stream.frame.set((stream.frame.get().0 + 1, self.core.clock.now()));
            self.core.clock.set(&stream.alarm, self.core.limits().write_timeout);
        }
    }

    /// Whether the body ends because its client takes nothing.
    pub(crate) fn client_has_stalled(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.stalled.get())
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        // A stream's alarm is given back by who runs the stream.
        if self.stream.is_none()
            && let Some(alarm) = self.alarm.take()
        {
            self.core.clock.put_back(alarm);
        }
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}
