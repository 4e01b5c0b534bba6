//! Response bodies on their way to clients, streamed frame by frame as fast as the client reads.

use super::{
    activity::Busy,
    error::BodyError,
    exchange::Exchange,
    fields::clean_trailers,
    pace::Pace,
    permit::Permit,
    upstream::{connection::Connection, pool::Lease},
};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    cell::OnceCell,
    fmt,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

/// A response body on its way to the client: a pointer, since a response moves through many hands.
#[derive(Debug)]
pub(crate) struct Body(Box<Passing>);

#[derive(Debug)]
struct Passing {
    source: Source,
    /// Settles the request's accounts when the body ends or is dropped.
    exchange: Option<Box<Exchange>>,
    /// Keeps the connection from counting as idle.
    busy: Option<Busy>,
    pace: Option<Pace>,
    /// Where the request goes on after its response: in a tunnel.
    tunnel: Option<Held>,
}

/// What keeps a connection from counting as idle, for who needs it longer than a response lasts.
pub(crate) type Held = Rc<OnceCell<Busy>>;

enum Source {
    Whole(Option<Bytes>),
    /// Connection and lease are there until the body has ended, well or not.
    Upstream {
        incoming: Incoming,
        connection: Option<Connection>,
        lease: Option<Lease>,
    },
    /// What is made of something else as it comes.
    Made(Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError>>>),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole(_) => "Whole",
            Self::Upstream { .. } => "Upstream",
            Self::Made(_) => "Made",
        })
    }
}

impl Body {
    /// Nothing.
    pub(crate) fn empty() -> Self {
        Self::of(Source::Whole(None))
    }

    /// Nothing, for a request that goes on as a tunnel: whoever runs that holds what is returned.
    pub(crate) fn tunnel() -> (Self, Held) {
        let (mut body, held) = (Self::empty(), Held::default());
        body.0.tunnel = Some(Rc::clone(&held));
        (body, held)
    }

    /// These bytes.
    pub(crate) fn full(bytes: Bytes) -> Self {
        Self::of(Source::Whole(Some(bytes)))
    }

    /// What an endpoint sends over this connection.
    pub(crate) fn upstream(incoming: Incoming, connection: Connection) -> Self {
        Self::of(Source::Upstream { incoming, connection: Some(connection), lease: None })
    }

    /// What is made of something else as it comes. An error of it has broken the response off.
    pub(crate) fn made(body: impl HttpBody<Data = Bytes, Error = BodyError> + 'static) -> Self {
        Self::of(Source::Made(Box::pin(body)))
    }

    /// Has the connection go back to its pool when the body has ended, and keeps the permit so long.
    pub(crate) fn lease(&mut self, new: Lease) {
        if let Source::Upstream { lease, .. } = &mut self.0.source {
            *lease = Some(new);
        }
    }

    fn of(source: Source) -> Self {
        Self(Box::new(Passing { source, exchange: None, busy: None, pace: None, tunnel: None }))
    }

    /// Closes the connection that it came over, and keeps the permit for the endpoint.
    pub(crate) fn close(mut self) -> Option<Permit> {
        let Source::Upstream { lease, .. } = &mut self.0.source else { return None };
        lease.take().map(Lease::into_permit)
    }

    /// Leaves out what the gateway itself says, as an answer to HEAD does: so many bytes, where that is known.
    /// What comes from an endpoint is empty already.
    pub(crate) fn leave_out(&mut self) -> Option<usize> {
        if matches!(self.0.source, Source::Made(_)) {
            self.0.source = Source::Whole(None);
        }
        let Source::Whole(bytes) = &mut self.0.source else { return None };
        bytes.take().map(|bytes| bytes.len())
    }

    /// Settles these accounts when the body has ended.
    pub(crate) fn settle(&mut self, exchange: Box<Exchange>) {
        self.0.exchange = Some(exchange);
    }

    /// Keeps the request going until the body has ended, at this pace.
    pub(crate) fn hold(&mut self, busy: Busy, pace: Pace) {
        match self.0.tunnel.take() {
            // Nobody else fills it.
            Some(held) => drop(held.set(busy)),
            None => self.0.busy = Some(busy),
        }
        self.0.pace = Some(pace);
    }
}

impl Passing {
    fn send(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        let frame = clean_trailers(frame);
        if let Some(pace) = &mut self.pace {
            pace.sent();
        }
        if let Some(exchange) = &mut self.exchange {
            exchange.sent(frame.data_ref().map_or(0, Bytes::len));
        }
        frame
    }

    fn wait(&mut self, context: &Context<'_>) -> Result<(), BodyError> {
        let Some(pace) = &mut self.pace else { return Ok(()) };
        let request = self.exchange.as_ref().and_then(|exchange| exchange.request_moved());
        pace.wait(request, context)
    }

    /// Nothing more will come, and no connection goes back.
    fn break_off(&mut self, error: BodyError) -> BodyError {
        if let Source::Upstream { connection, lease, .. } = &mut self.source {
            (*connection, *lease) = (None, None);
        }
        if let Some(exchange) = &mut self.exchange {
            exchange.broke(error);
        }
        error
    }

    /// Why a body that has not ended is dropped.
    fn dropped(&self) -> BodyError {
        let stalled = self.busy.as_ref().is_some_and(Busy::client_has_stalled)
            || self.pace.as_ref().is_some_and(Pace::client_has_stalled);
        if stalled { BodyError::ClientStalled } else { BodyError::ClientGone }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self.0;
        let frame = match &mut this.source {
            Source::Whole(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(this.send(Frame::data(bytes))))),
            Source::Upstream { incoming, connection, lease } => {
                poll_upstream(incoming, connection, lease, context).map(|frame| frame.map(Result::ok))
            }
            Source::Made(body) => body.as_mut().poll_frame(context).map(|frame| frame.map(Result::ok)),
        };
        let Poll::Ready(frame) = frame else {
            return match this.wait(context) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Some(Err(this.break_off(error)))),
            };
        };
        Poll::Ready(frame.map(|frame| match frame {
            Some(frame) => Ok(this.send(frame)),
            None => {
                let error = this.exchange.as_ref().map_or(BodyError::EndpointBroken, |exchange| exchange.broken_by());
                Err(this.break_off(error))
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        match &self.0.source {
            Source::Whole(bytes) => bytes.is_none(),
            Source::Upstream { incoming, .. } => incoming.is_end_stream(),
            Source::Made(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Source::Upstream { incoming, .. } => incoming.size_hint(),
            Source::Made(body) => body.size_hint(),
        }
    }
}

fn poll_upstream(
    incoming: &mut Incoming,
    connection: &mut Option<Connection>,
    lease: &mut Option<Lease>,
    context: &mut Context<'_>,
) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
    let frame = ready!(Pin::new(incoming).poll_frame(context));
    // Nothing comes after trailers, and nobody asks for it.
    let ended = frame.as_ref().is_none_or(|frame| frame.as_ref().is_ok_and(Frame::is_trailers));
    if ended {
        release(connection, lease);
    }
    Poll::Ready(frame)
}

fn release(connection: &mut Option<Connection>, lease: &mut Option<Lease>) {
    if let (Some(connection), Some(lease)) = (connection.take(), lease.take()) {
        lease.release(connection);
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        let Source::Upstream { incoming, connection, lease } = &mut self.source else { return };
        // hyper does not ask again once it knows that nothing is left.
        if incoming.is_end_stream() {
            release(connection, lease);
        } else if lease.is_some() {
            self.break_off(self.dropped());
        }
    }
}
