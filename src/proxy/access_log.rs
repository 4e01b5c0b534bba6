//! The access log: one JSON object for each request, written by a thread of its own.
//!
//! A core formats into a buffer that it owns and hands full buffers over through a bounded queue.
//! A writer that cannot keep up costs log lines, which are counted, never requests.

use crate::metrics::{CoreMetrics, Protection};
use serde::{Serialize, Serializer};
use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    io::Write,
    net::{IpAddr, SocketAddr},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A buffer is handed over when it has so many bytes, or at the next tick.
const FULL: usize = 16 * 1024;
/// How many full buffers may wait for the writer.
const WAITING: usize = 256;

/// One request.
#[derive(Debug, Serialize)]
pub(crate) struct Line<'l> {
    pub(crate) client: IpAddr,
    pub(crate) peer: SocketAddr,
    pub(crate) method: &'l str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<Cow<'l, str>>,
    pub(crate) path: &'l str,
    pub(crate) protocol: &'static str,
    pub(crate) tls: bool,
    pub(crate) status: u16,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    #[serde(rename = "duration_ms", serialize_with = "milliseconds")]
    pub(crate) duration: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) route: Option<&'l str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<&'l str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_id: Option<Cow<'l, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_agent: Option<Cow<'l, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) grpc_status: Option<u16>,
}

#[derive(Serialize)]
struct Stamped<'l> {
    /// Nanoseconds since the epoch.
    time: u64,
    #[serde(flatten)]
    line: &'l Line<'l>,
}

fn milliseconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((time.as_secs_f64() * 1e6).round() / 1e3)
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The side of one core.
#[derive(Debug)]
pub(crate) struct LogBuffer {
    bytes: RefCell<Vec<u8>>,
    lines: Cell<u64>,
    writer: SyncSender<Vec<u8>>,
}

impl LogBuffer {
    pub(crate) const fn new(writer: SyncSender<Vec<u8>>) -> Self {
        Self { bytes: RefCell::new(Vec::new()), lines: Cell::new(0), writer }
    }

    pub(crate) fn write(&self, line: &Line<'_>, metrics: &CoreMetrics) {
        let mut bytes = self.bytes.borrow_mut();
        let before = bytes.len();
        if serde_json::to_writer(&mut *bytes, &Stamped { time: now(), line }).is_err() {
            bytes.truncate(before);
            return;
        }
        bytes.push(b'\n');
        self.lines.set(self.lines.get() + 1);
        if bytes.len() >= FULL {
            drop(bytes);
            self.flush(metrics);
        }
    }

    /// Hands over what is there.
    pub(crate) fn flush(&self, metrics: &CoreMetrics) {
        let (bytes, lines) = (std::mem::take(&mut *self.bytes.borrow_mut()), self.lines.take());
        if !bytes.is_empty() && self.writer.try_send(bytes).is_err() {
            metrics.protect_each(Protection::AccessLog, lines);
        }
    }
}

/// A queue to the writer thread, and the thread's work.
pub(crate) fn channel() -> (SyncSender<Vec<u8>>, Receiver<Vec<u8>>) {
    sync_channel(WAITING)
}

/// Writes what cores hand over until all of them are gone.
pub(crate) fn write_all(buffers: &Receiver<Vec<u8>>, out: &mut dyn Write) {
    for buffer in buffers {
        // A reader that went away must not stop the gateway.
        let _ = out.write_all(&buffer).and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(path: &str) -> Line<'_> {
        Line {
            client: [192, 0, 2, 1].into(),
            peer: ([10, 0, 0, 1], 99).into(),
            method: "GET",
            host: Some("example.com".into()),
            path,
            protocol: "HTTP/1.1",
            tls: false,
            status: 200,
            bytes_in: 0,
            bytes_out: 5,
            duration: Duration::from_micros(1_500),
            route: Some("greeter"),
            namespace: Some("shop"),
            rule: Some(0),
            endpoint: None,
            request_id: None,
            user_agent: Some("\u{202e}evil\"\n".into()),
            reason: None,
            grpc_status: None,
        }
    }

    #[test]
    fn a_line_is_one_json_object_whatever_the_client_sent() {
        let (writer, buffers) = channel();
        let (log, metrics) = (LogBuffer::new(writer), CoreMetrics::default());
        log.write(&line("/a"), &metrics);
        log.flush(&metrics);
        drop(log);
        let mut out = Vec::new();
        write_all(&buffers, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["duration_ms"], 1.5);
        assert_eq!(value["user_agent"], "\u{202e}evil\"\n");
    }

    #[test]
    fn lines_are_dropped_and_counted_when_the_writer_is_stuck() {
        let (writer, _buffers) = sync_channel(0);
        let (log, metrics) = (LogBuffer::new(writer), CoreMetrics::default());
        log.write(&line("/a"), &metrics);
        log.write(&line("/b"), &metrics);
        log.flush(&metrics);
        assert!(log.bytes.borrow().is_empty());
        assert_eq!(metrics.protected(Protection::AccessLog), 2);
    }
}
