//! Request bodies on their way to endpoints, as fast as the endpoint reads, within the limits on
//! size and pauses.

use super::{
    clock::{Alarm, Clock},
    error::BodyError,
};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    cell::Cell,
    fmt,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

/// A request body on its way to the endpoint, measured against the limits.
pub(crate) struct RequestBody {
    /// `None` for a request that is sent again, which never has a body.
    incoming: Option<Incoming>,
    guard: Option<Guard>,
}

struct Guard {
    clock: Rc<Clock>,
    alarm: Rc<Alarm>,
    pause: Duration,
    left: u64,
    waiting: bool,
    watch: Rc<BodyWatch>,
}

/// What the request's own task can see of its body, which another task sends.
#[derive(Debug)]
pub(crate) struct BodyWatch {
    fate: Cell<Option<BodyError>>,
    received: Cell<u64>,
    /// The tick at which the last part, or the end, was handed on.
    progressed: Cell<u64>,
}

impl BodyWatch {
    /// Why it ended before its time, if it did.
    pub(crate) fn fate(&self) -> Option<BodyError> {
        self.fate.get()
    }

    pub(crate) fn received(&self) -> u64 {
        self.received.get()
    }

    /// The tick at which the last part, or the end, was handed on.
    pub(crate) fn last_progress(&self) -> u64 {
        self.progressed.get()
    }
}

impl RequestBody {
    /// No body.
    pub(crate) const fn empty() -> Self {
        Self { incoming: None, guard: None }
    }

    /// Guards a client's body; one that is empty needs no guard.
    pub(crate) fn new(
        incoming: Incoming,
        clock: &Rc<Clock>,
        limit: Option<u64>,
        pause: Duration,
    ) -> (Self, Option<Rc<BodyWatch>>) {
        if incoming.is_end_stream() {
            return (Self { incoming: Some(incoming), guard: None }, None);
        }
        let watch =
            Rc::new(BodyWatch { fate: Cell::new(None), received: Cell::new(0), progressed: Cell::new(clock.now()) });
        let guard = Guard {
            clock: Rc::clone(clock),
            alarm: clock.alarm(),
            pause,
            left: limit.unwrap_or(u64::MAX),
            waiting: false,
            watch: Rc::clone(&watch),
        };
        (Self { incoming: Some(incoming), guard: Some(guard) }, Some(watch))
    }
}

impl Guard {
    fn received(&mut self, bytes: usize) -> Result<(), BodyError> {
        let bytes = bytes as u64;
        self.waiting = false;
        self.watch.received.set(self.watch.received.get() + bytes);
        self.left = self.left.checked_sub(bytes).ok_or(BodyError::TooLarge)?;
        Ok(())
    }

    fn wait(&mut self, context: &Context<'_>) -> Result<(), BodyError> {
        if !self.waiting {
            self.waiting = true;
            self.clock.set(&self.alarm, self.pause);
        } else if self.alarm.has_rung(&self.clock) {
            return Err(BodyError::ClientStalled);
        }
        self.alarm.register(context);
        Ok(())
    }

    fn judge(
        &mut self,
        polled: &Poll<Option<Result<Frame<Bytes>, hyper::Error>>>,
        context: &Context<'_>,
    ) -> Result<(), BodyError> {
        if polled.is_ready() {
            self.watch.progressed.set(self.clock.now());
        }
        let judged = match polled {
            Poll::Pending => self.wait(context),
            Poll::Ready(Some(Ok(frame))) => self.received(frame.data_ref().map_or(0, Bytes::len)),
            Poll::Ready(Some(Err(_))) => Err(BodyError::ClientGone),
            Poll::Ready(None) => Ok(()),
        };
        judged.inspect_err(|fate| self.watch.fate.set(Some(*fate)))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.clock.put_back(Rc::clone(&self.alarm));
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Some(incoming) = &mut this.incoming else { return Poll::Ready(None) };
        let polled = Pin::new(incoming).poll_frame(context);
        if let Some(guard) = &mut this.guard
            && let Err(fate) = guard.judge(&polled, context)
        {
            return Poll::Ready(Some(Err(fate)));
        }
        polled.map_err(|_| BodyError::ClientGone)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").field("incoming", &self.incoming).finish_non_exhaustive()
    }
}
