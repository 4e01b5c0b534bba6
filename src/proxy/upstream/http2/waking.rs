//! A transport that wakes a task when it has brought something.
//!
//! hyper reads in a task of its own and tells nobody when the settings of an endpoint have come.

use std::{
    cell::RefCell,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The task to wake at the next read.
#[derive(Clone, Debug, Default)]
pub(super) struct Sleeper(Rc<RefCell<Option<Waker>>>);

impl Sleeper {
    /// Has the task of this context woken.
    pub(super) fn register(&self, context: &Context<'_>) {
        self.0.replace(Some(context.waker().clone()));
    }
}

/// The transport.
pub(super) struct Waking<S> {
    inner: S,
    sleeper: Sleeper,
}

impl<S> Waking<S> {
    pub(super) fn new(inner: S, sleeper: &Sleeper) -> Self {
        Self { inner, sleeper: sleeper.clone() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Waking<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        if polled.is_ready()
            && let Some(waker) = self.sleeper.0.take()
        {
            waker.wake();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Waking<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, buffer)
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
        Pin::new(&mut self.inner).poll_write_vectored(context, buffers)
    }
}
