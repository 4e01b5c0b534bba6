//! The socket of a client, which tells a client that is gone from one that has only finished
//! sending, and lets a client read its answer before the connection goes.
//!
//! hyper does not read while a request is answered. Here a byte is read ahead then, so that a
//! connection that breaks is noticed at once. An end of the stream is not one: the client may have
//! sent all that it wants to (`shutdown(SHUT_WR)`) and wait for its answer.
//!
//! A client may begin with HTTP/2 (RFC 9113 section 3.3). hyper knows it by its first bytes, when it gets all
//! of them at once: so they are held back until there are enough of them to tell.

use super::counted::Traffic;
use bytes::Bytes;
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    task::coop::has_budget_remaining,
};

/// Most bytes that are read and thrown away before a connection is closed.
const MOST_LINGERED: usize = 16 * 1024 * 1024;
/// How often the kernel asks a client that has finished sending whether it is still there.
const PROBE: Duration = Duration::from_secs(5);
/// Probes without an answer that end the connection.
const PROBES: u32 = 3;

/// What HTTP/2 begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How far the beginning of a connection is.
#[derive(Debug)]
enum Start {
    /// So much came, which HTTP/2 begins with too.
    Doubt(Vec<u8>),
    /// This was read already, by whom it was not for.
    Again(Bytes),
    Over,
}

/// The socket of a client.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    traffic: Traffic,
    /// Clients may end their side before they have their answer. Over TLS they do not: the end is
    /// that of the session.
    half_open: bool,
    start: Start,
    /// A byte that was read before it was asked for.
    ahead: Option<u8>,
    /// Whoever reads has asked, got nothing, and is woken when there is something.
    asked: bool,
    ended: bool,
    shut: bool,
    lingered: usize,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, traffic: Traffic, half_open: bool) -> Self {
        let start = if half_open { Start::Doubt(Vec::new()) } else { Start::Over };
        Self { stream, traffic, half_open, start, ahead: None, asked: false, ended: false, shut: false, lingered: 0 }
    }

    /// Begins anew, for HTTP/2: with what has been read, and with an end that is that of the connection.
    pub(super) fn begin_again(&mut self, read: Bytes) {
        self.start = Start::Again(read);
        self.half_open = false;
    }

    /// Reads until it is clear which HTTP begins.
    fn poll_start(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut held = match std::mem::replace(&mut self.start, Start::Over) {
            Start::Over => return Poll::Ready(Ok(())),
            Start::Doubt(held) if buffer.remaining() > PREFACE.len() => held,
            Start::Doubt(held) => return self.poll_again(held.into(), buffer),
            Start::Again(read) => return self.poll_again(read, buffer),
        };
        let from = buffer.filled().len();
        held.extend(self.ahead.take());
        buffer.put_slice(&held);
        loop {
            let known = buffer.filled().len();
            let polled = self.ask(context, buffer);
            let begun = buffer.filled().get(from..).unwrap_or_default();
            if polled.is_pending() {
                self.start = Start::Doubt(begun.to_vec());
                buffer.set_filled(from);
                return Poll::Pending;
            }
            let ended = begun.len() + from == known;
            if ended || begun.len() >= PREFACE.len() || !PREFACE.starts_with(begun) {
                return polled;
            }
            self.traffic.note_read();
        }
    }

    fn poll_again(&mut self, mut read: Bytes, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        buffer.put_slice(&read.split_to(read.len().min(buffer.remaining())));
        if !read.is_empty() {
            self.start = Start::Again(read);
        }
        Poll::Ready(Ok(()))
    }

    /// Fails when the connection is broken; notes when the client has finished sending.
    fn look(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.ended {
            return self.stream.take_error()?.map_or(Ok(()), Err);
        }
        // Who is woken when there is something need not ask before there is.
        if self.ahead.is_some() || self.asked && !self.is_stirred() {
            return Ok(());
        }
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        if self.ask(context, &mut buffer)?.is_ready() {
            self.ahead = buffer.filled().first().copied();
            if self.ahead.is_none() {
                self.end();
            }
        }
        Ok(())
    }

    /// Whether the system has said that there is something to read.
    fn is_stirred(&self) -> bool {
        self.stream.try_io(Interest::READABLE, || Ok(())).is_ok()
    }

    /// Reads, and notes whether the task is woken when there is something to read: not where the system was
    /// not asked, because the task has done so much that others have their turn (tokio's budget).
    fn ask(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.asked = polled.is_pending() && has_budget_remaining();
        polled
    }

    /// Nothing tells a client that has closed its socket from one that has ended its side, until its
    /// system is asked: for the former it refuses, sooner or later.
    fn end(&mut self) {
        self.ended = true;
        self.traffic.half_close();
        let probes = socket2::TcpKeepalive::new().with_time(PROBE).with_interval(PROBE).with_retries(PROBES);
        // Without them a client that is gone is noticed when it is written to.
        let _ = socket2::SockRef::from(&self.stream).set_tcp_keepalive(&probes);
    }

    /// Reads what still comes of a request that was answered already: a socket that is closed with
    /// something unread resets the connection, and the client may lose its answer.
    fn linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut waste = [0; 4096];
        while !self.ended && self.lingered < MOST_LINGERED {
            let mut buffer = ReadBuf::new(&mut waste);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => self.lingered += buffer.filled().len(),
                Poll::Ready(_) => self.ended = true,
                Poll::Pending if self.lingered > 0 || self.ahead.is_some() || self.traffic.has_body() => {
                    self.traffic.linger();
                    return Poll::Pending;
                }
                Poll::Pending => break,
            }
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ended || buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if !matches!(self.start, Start::Over) {
            return self.poll_start(context, buffer);
        }
        let ahead = self.ahead.take();
        buffer.put_slice(ahead.as_slice());
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let polled = self.ask(context, buffer);
        if polled.is_pending() && ahead.is_some() {
            return Poll::Ready(Ok(()));
        }
        polled
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes whenever it is polled.
        if self.half_open {
            self.look(context)?;
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            self.shut = true;
        }
        self.linger(context).map(Ok)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }
}
