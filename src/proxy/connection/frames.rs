//! The frames of an HTTP/2 client that bring no request and no body, and how many of them it may
//! send.
//!
//! h2 ends floods of resets, continuations and empty DATA itself, and takes any number of PING,
//! SETTINGS, `WINDOW_UPDATE`, PRIORITY and of types that it does not know. Nothing but the head of each
//! frame is looked at here, above TLS.

use crate::{metrics::Protection, proxy::core::Core};
use std::{
    error::Error as _,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What h2 keeps account of itself (RFC 9113, section 6): DATA, HEADERS and CONTINUATION.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
/// Bytes that come before the first frame.
const PREFACE: usize = 24;
/// Bytes of a frame's head: its length and type, which are read, and the rest.
const READ: usize = 4;
const REST: usize = 5;

/// Most frames that a client may have in store.
const MOST: u64 = 10_000;
/// What earns frames: a tick of 100 ms, a request, and bytes that the client is sent. The answer to a
/// PING (17 bytes) must not earn the next one; two updates of windows for each small message must.
const OF_TICK: u64 = 33;
const OF_REQUEST: u64 = 32;
const BYTES_OF_FRAME: u64 = 32;

/// Why h2 has ended a connection, if its client is to blame (RFC 9113, section 7).
pub(super) fn blame(error: &hyper::Error) -> Option<Protection> {
    let of_h2 = error.source()?.downcast_ref::<h2::Error>()?;
    let reason = of_h2.reason().filter(|_| of_h2.is_go_away() && of_h2.is_library())?;
    Some(if reason == h2::Reason::ENHANCE_YOUR_CALM { Protection::Http2Flood } else { Protection::Malformed })
}

/// A transport whose client may send only so many frames.
pub(super) struct Frames<T> {
    inner: T,
    core: Rc<Core>,
    heads: Heads,
    budget: Budget,
}

impl<T> Frames<T> {
    pub(super) fn new(inner: T, core: &Rc<Core>) -> Self {
        Self { inner, core: Rc::clone(core), heads: Heads::default(), budget: Budget::new(core.clock.now()) }
    }

    /// Fails when there were too many: the connection then ends.
    fn note(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (budget, core) = (&mut self.budget, &self.core);
        let mut goes_on = true;
        self.heads.each(bytes, |kind| goes_on &= budget.take(kind, || core.clock.now()));
        if goes_on {
            return Ok(());
        }
        core.metrics.protect(Protection::Http2Flood);
        Err(io::Error::other("a client sends frames that bring nothing"))
    }
}

/// Finds the heads of frames in what is read, wherever a read ends.
#[derive(Debug)]
struct Heads {
    /// Bytes until the next head.
    skip: usize,
    head: [u8; READ],
    have: usize,
}

impl Default for Heads {
    fn default() -> Self {
        Self { skip: PREFACE, head: [0; READ], have: 0 }
    }
}

impl Heads {
    fn each(&mut self, mut bytes: &[u8], mut note: impl FnMut(u8)) {
        loop {
            let (skipped, rest) = bytes.split_at(self.skip.min(bytes.len()));
            self.skip -= skipped.len();
            if rest.is_empty() {
                return;
            }
            let (read, rest) = rest.split_at(rest.len().min(READ - self.have));
            self.head[self.have..][..read.len()].copy_from_slice(read);
            self.have += read.len();
            bytes = rest;
            if self.have == READ {
                let [a, b, c, kind] = self.head;
                self.have = 0;
                self.skip = REST + u32::from_be_bytes([0, a, b, c]) as usize;
                note(kind);
            }
        }
    }
}

/// How many frames a client may still send.
#[derive(Debug)]
struct Budget {
    left: u64,
    /// What was earned since the store was last filled.
    requests: u64,
    bytes: u64,
    since: u64,
}

impl Budget {
    const fn new(now: u64) -> Self {
        Self { left: MOST, requests: 0, bytes: 0, since: now }
    }

    /// Counts a frame; false when it is one too many.
    fn take(&mut self, kind: u8, now: impl FnOnce() -> u64) -> bool {
        match kind {
            DATA | CONTINUATION => return true,
            HEADERS => {
                self.requests += 1;
                return true;
            }
            _ => {}
        }
        if self.left == 0 {
            self.fill(now());
        }
        let goes_on = self.left > 0;
        self.left = self.left.saturating_sub(1);
        goes_on
    }

    fn fill(&mut self, now: u64) {
        let earned = (now - self.since) * OF_TICK + self.requests * OF_REQUEST + self.bytes / BYTES_OF_FRAME;
        *self = Self { left: earned.min(MOST), ..Self::new(now) };
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Frames<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        if let Poll::Ready(Ok(())) = polled {
            self.note(&buffer.filled()[before..])?;
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> Frames<T> {
    fn wrote(&mut self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = polled {
            self.budget.bytes += bytes as u64;
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Frames<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, buffer);
        self.wrote(polled)
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
        self.wrote(polled)
    }
}

#[cfg(test)]
mod tests;
