//! Response bodies on their way to clients, streamed frame by frame as fast as the client reads.

use super::{activity::Busy, error::BodyError, exchange::Exchange, upstream::pool::Lease};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

/// A response body on its way to the client.
#[derive(Debug)]
pub(crate) struct Body {
    source: Source,
    /// Settles the request's accounts when the body ends or is dropped.
    exchange: Option<Exchange>,
    /// Keeps the connection from counting as idle.
    busy: Option<Busy>,
}

#[derive(Debug)]
enum Source {
    Whole(Option<Bytes>),
    /// The lease is there until the body has ended, well or not.
    Upstream {
        incoming: Incoming,
        lease: Option<Lease>,
    },
}

impl Body {
    /// Nothing.
    pub(crate) const fn empty() -> Self {
        Self { source: Source::Whole(None), exchange: None, busy: None }
    }

    /// These bytes.
    pub(crate) const fn full(bytes: Bytes) -> Self {
        Self { source: Source::Whole(Some(bytes)), exchange: None, busy: None }
    }

    /// What an endpoint sends. The connection goes back to its pool when the body has ended.
    pub(crate) const fn upstream(incoming: Incoming, lease: Lease) -> Self {
        Self { source: Source::Upstream { incoming, lease: Some(lease) }, exchange: None, busy: None }
    }

    /// Settles these accounts when the body has ended.
    pub(crate) fn settle(&mut self, exchange: Exchange) {
        self.exchange = Some(exchange);
    }

    /// Keeps the request going until the body has ended.
    pub(crate) fn hold(&mut self, busy: Busy) {
        self.busy = Some(busy);
    }

    fn send(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        if let Some(exchange) = &mut self.exchange {
            exchange.sent(frame.data_ref().map_or(0, Bytes::len));
        }
        frame
    }

    /// The endpoint's connection has broken: by itself, or with the request's body.
    fn broke(&mut self) -> BodyError {
        if let Source::Upstream { lease, .. } = &mut self.source {
            *lease = None;
        }
        let Some(exchange) = &mut self.exchange else { return BodyError::EndpointBroken };
        let error = exchange.fate_of_request().unwrap_or(BodyError::EndpointBroken);
        exchange.broke(error);
        error
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let frame = match &mut this.source {
            Source::Whole(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(this.send(Frame::data(bytes))))),
            Source::Upstream { incoming, lease } => ready!(poll_upstream(incoming, lease, context)),
        };
        Poll::Ready(frame.map(|frame| frame.map(|frame| this.send(frame)).map_err(|_| this.broke())))
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(bytes) => bytes.is_none(),
            Source::Upstream { incoming, .. } => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Source::Upstream { incoming, .. } => incoming.size_hint(),
        }
    }
}

fn poll_upstream(
    incoming: &mut Incoming,
    lease: &mut Option<Lease>,
    context: &mut Context<'_>,
) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
    let frame = ready!(Pin::new(incoming).poll_frame(context));
    // Nothing comes after trailers, and nobody asks for it.
    let ended = frame.as_ref().is_none_or(|frame| frame.as_ref().is_ok_and(Frame::is_trailers));
    if ended && let Some(lease) = lease.take() {
        lease.release();
    }
    Poll::Ready(frame)
}

impl Drop for Body {
    fn drop(&mut self) {
        let Source::Upstream { incoming, lease } = &mut self.source else { return };
        let Some(lease) = lease.take() else { return };
        // hyper does not ask again once it knows that nothing is left.
        if incoming.is_end_stream() {
            lease.release();
        } else if let Some(exchange) = &mut self.exchange {
            exchange.broke(BodyError::ClientGone);
        }
    }
}
