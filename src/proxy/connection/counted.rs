//! A transport that counts what passes, so that a connection knows when a head has begun and
//! whether its client takes what it is sent. It lies below TLS: what counts is on the wire.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What has passed over a transport so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traffic(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    reads: AtomicU64,
    written: AtomicU64,
    blocked: AtomicBool,
    half_closed: AtomicBool,
    body: AtomicBool,
    lingers: AtomicBool,
}

impl Traffic {
    /// How many reads brought something.
    pub(crate) fn reads(&self) -> u64 {
        self.0.reads.load(Relaxed)
    }

    /// How many bytes the client's side has taken.
    pub(crate) fn written(&self) -> u64 {
        self.0.written.load(Relaxed)
    }

    /// Whether there is something to write that the client's side does not take.
    pub(crate) fn is_blocked(&self) -> bool {
        self.0.blocked.load(Relaxed)
    }

    /// Whether the client has finished sending, and may be waiting for what it is sent.
    pub(crate) fn is_half_closed(&self) -> bool {
        self.0.half_closed.load(Relaxed)
    }

    pub(super) fn half_close(&self) {
        self.0.half_closed.store(true, Relaxed);
    }

    /// Whether the latest request has a body, some of which may still be on its way.
    pub(super) fn has_body(&self) -> bool {
        self.0.body.load(Relaxed)
    }

    pub(super) fn note_body(&self, has_body: bool) {
        self.0.body.store(has_body, Relaxed);
    }

    /// Whether all is said, and the client has time to read it.
    pub(crate) fn lingers(&self) -> bool {
        self.0.lingers.load(Relaxed)
    }

    pub(super) fn linger(&self) {
        self.0.lingers.store(true, Relaxed);
    }

    // Only the connection's own core writes, so nothing is lost between load and store.
    fn read(&self, polled: &Poll<io::Result<()>>) {
        if matches!(polled, Poll::Ready(Ok(()))) {
            self.note_read();
        }
    }

    /// Whether any bytes came is all that matters, so a read counts as one.
    pub(super) fn note_read(&self) {
        self.0.reads.store(self.reads() + 1, Relaxed);
    }

    fn wrote(&self, polled: &Poll<io::Result<usize>>) {
        self.0.blocked.store(polled.is_pending(), Relaxed);
        if let Poll::Ready(Ok(bytes)) = polled {
            self.0.written.store(self.written() + *bytes as u64, Relaxed);
        }
    }
}

/// The transport.
#[derive(Debug)]
pub(crate) struct Counted<T> {
    inner: T,
    traffic: Traffic,
}

impl<T> Counted<T> {
    pub(crate) const fn new(inner: T, traffic: Traffic) -> Self {
        Self { inner, traffic }
    }

    /// What it counts the traffic of.
    pub(crate) const fn inner_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Counted<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        self.traffic.read(&polled);
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Counted<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, buffer);
        self.traffic.wrote(&polled);
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(context, buffers);
        self.traffic.wrote(&polled);
        polled
    }
}
