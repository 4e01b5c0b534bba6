//! Tunnels: bytes both ways between a client and an endpoint, until both are done or nothing has
//! passed for too long.

use crate::{
    metrics::Protection,
    proxy::{
        clock::{Clock, race},
        core::{Core, Registration},
    },
};
use std::{
    cell::Cell,
    io,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};

/// Carries bytes both ways.
pub(super) async fn carry<C, E>(core: &Core, place: &Registration, client: C, mut endpoint: E)
where
    C: AsyncRead + AsyncWrite + Unpin,
    E: AsyncRead + AsyncWrite + Unpin,
{
    let passed = Rc::new(Cell::new(core.clock.now()));
    // Whatever passes is read from the client or written to it.
    let mut client = Noted { inner: client, clock: Rc::clone(&core.clock), passed: Rc::clone(&passed) };
    let mut copying = pin!(copy_bidirectional(&mut client, &mut endpoint));
    let Some(limit) = core.limits().tunnel_idle_timeout else {
        // Either side may break off at any time; there is nobody left to tell.
        let _ = copying.await;
        return;
    };
    while core.clock.set_since(place.alarm(), passed.get(), limit) {
        if race(&core.clock, place.alarm(), copying.as_mut()).await.is_ok() {
            return;
        }
    }
    core.metrics.protect(Protection::TunnelIdleTimeout);
}

/// A stream that notes when bytes last passed.
struct Noted<S> {
    inner: S,
    clock: Rc<Clock>,
    passed: Rc<Cell<u64>>,
}

impl<S> Noted<S> {
    fn note<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.passed.set(self.clock.now());
        }
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Noted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        self.note(polled)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noted<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, buffer);
        self.note(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
