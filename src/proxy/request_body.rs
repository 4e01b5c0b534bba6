//! Request bodies on their way to endpoints, as fast as the endpoint reads, within the limits on
//! size and pauses.

mod tap;
#[cfg(test)]
mod tests;

pub(crate) use tap::{Tap, Tapped};

use super::{
    clock::{Alarm, Clock, length},
    error::BodyError,
    fields::clean_trailers,
};
use crate::settings::Limits;
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
use tokio::sync::{mpsc, oneshot};

/// How long a client may send less than the least rate, unless the limit on pauses is shorter.
const GRACE: Duration = Duration::from_secs(10);

/// A request body on its way to the endpoint. One that a client sends is measured against the limits.
pub(crate) struct RequestBody {
    source: Source,
    /// Boxed, as the tap is: a request moves through many hands, and most have no body.
    guard: Option<Box<Guard>>,
    tap: Option<Box<Tap>>,
}

enum Source {
    /// A client, which sends it once.
    Client(Incoming),
    /// All of it is here, until it is handed on.
    Here(Bytes),
    /// It is made as it goes.
    Piped(mpsc::Receiver<Bytes>),
}

struct Guard {
    clock: Rc<Clock>,
    alarm: Rc<Alarm>,
    pause: Duration,
    left: u64,
    waiting: bool,
    /// When the wait began, and how many ticks were waited before it.
    since: u64,
    waited: u64,
    least_rate: u64,
    watch: Rc<BodyWatch>,
}

/// What the request's own task can see of its body, which another task sends.
#[derive(Debug)]
pub(crate) struct BodyWatch {
    fate: Cell<Option<BodyError>>,
    received: Cell<u64>,
    moved: Cell<u64>,
}

impl BodyWatch {
    /// Why it ended before its time, if it did.
    pub(crate) fn fate(&self) -> Option<BodyError> {
        self.fate.get()
    }

    pub(crate) fn received(&self) -> u64 {
        self.received.get()
    }

    /// The tick at which bytes were last handed on.
    pub(crate) fn moved(&self) -> u64 {
        self.moved.get()
    }
}

impl RequestBody {
    /// No body.
    pub(crate) const fn empty() -> Self {
        Self::whole(Bytes::new())
    }

    /// What a client sends.
    pub(crate) const fn of(incoming: Incoming) -> Self {
        Self { source: Source::Client(incoming), guard: None, tap: None }
    }

    /// These bytes.
    pub(crate) const fn whole(bytes: Bytes) -> Self {
        Self { source: Source::Here(bytes), guard: None, tap: None }
    }

    /// What is sent to the other end, until that is dropped. One piece waits at most.
    pub(crate) fn piped() -> (mpsc::Sender<Bytes>, Self) {
        let (sender, receiver) = mpsc::channel(1);
        (sender, Self { source: Source::Piped(receiver), guard: None, tap: None })
    }

    /// The same body once more. There is none of what a client still sends.
    pub(crate) fn replica(&self) -> Option<Self> {
        match &self.source {
            Source::Here(bytes) => Some(Self::whole(bytes.clone())),
            Source::Client(incoming) => incoming.is_end_stream().then(Self::empty),
            Source::Piped(_) => None,
        }
    }

    /// Copies the body up to so many bytes while it passes; the copy arrives at what is returned.
    pub(crate) fn tap(&mut self, most: usize) -> oneshot::Receiver<Tapped> {
        let (tap, copy) = Tap::new(most);
        self.tap = Some(Box::new(tap));
        copy
    }

    /// Guards a client's body from now on; one that is empty needs no guard.
    pub(crate) fn guard(&mut self, clock: &Rc<Clock>, limits: &Limits) -> Option<Rc<BodyWatch>> {
        if self.is_end_stream() {
            return None;
        }
        let guard = self.guard.insert(Box::new(Guard::new(clock, limits)));
        Some(Rc::clone(&guard.watch))
    }
}

impl Default for RequestBody {
    fn default() -> Self {
        Self::empty()
    }
}

impl Guard {
    fn new(clock: &Rc<Clock>, limits: &Limits) -> Self {
        let moved = Cell::new(clock.now());
        Self {
            clock: Rc::clone(clock),
            alarm: clock.alarm(),
            pause: limits.body_timeout,
            left: limits.body_bytes.unwrap_or(u64::MAX),
            waiting: false,
            since: 0,
            waited: 0,
            least_rate: limits.body_rate,
            watch: Rc::new(BodyWatch { fate: Cell::new(None), received: Cell::new(0), moved }),
        }
    }

    fn received(&mut self, bytes: usize) -> Result<(), BodyError> {
        let (bytes, now) = (bytes as u64, self.clock.now());
        if self.waiting {
            self.waiting = false;
            self.waited += now - self.since;
        }
        self.watch.moved.set(now);
        self.watch.received.set(self.watch.received.get() + bytes);
        self.left = self.left.checked_sub(bytes).ok_or(BodyError::TooLarge)?;
        Ok(())
    }

    fn wait(&mut self, context: &Context<'_>) -> Result<(), BodyError> {
        if !self.waiting {
            if self.drips() {
                return Err(BodyError::ClientStalled);
            }
            self.waiting = true;
            self.since = self.clock.now();
            self.clock.set(&self.alarm, self.pause);
        } else if self.alarm.has_rung(&self.clock) {
            return Err(BodyError::ClientStalled);
        }
        self.alarm.register(context);
        Ok(())
    }

    /// Whether the client sends too little for the time that was waited for it. Time that the
    /// endpoint takes does not count.
    fn drips(&self) -> bool {
        let waited = length(self.waited).saturating_sub(GRACE.min(self.pause));
        u128::from(self.watch.received.get()) * 1000 < u128::from(self.least_rate) * waited.as_millis()
    }

    fn judge(
        &mut self,
        polled: &Poll<Option<Result<Frame<Bytes>, hyper::Error>>>,
        context: &Context<'_>,
    ) -> Result<(), BodyError> {
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
        let incoming = match &mut this.source {
            Source::Client(incoming) => incoming,
            Source::Here(bytes) => {
                let bytes = std::mem::take(bytes);
                return Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))));
            }
            Source::Piped(pipe) => {
                return pipe.poll_recv(context).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))));
            }
        };
        let polled = Pin::new(&mut *incoming).poll_frame(context);
        if let Some(guard) = &mut this.guard
            && let Err(fate) = guard.judge(&polled, context)
        {
            return Poll::Ready(Some(Err(fate)));
        }
        if let Some(tap) = &mut this.tap {
            tap.note(&polled, incoming.is_end_stream());
        }
        polled.map(|frame| frame.map(|frame| frame.map(clean_trailers).map_err(|_| BodyError::ClientGone)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Client(incoming) => incoming.is_end_stream(),
            Source::Here(bytes) => bytes.is_empty(),
            Source::Piped(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Client(incoming) => incoming.size_hint(),
            Source::Here(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Piped(_) => SizeHint::default(),
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").field("size", &self.size_hint()).finish_non_exhaustive()
    }
}
