//! An HTTP/2 client frame by frame. It opens no window: nothing of a response body may be sent to it.

use tokio::io::{AsyncRead, AsyncWrite};

use super::Wire;

/// A frame.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// Its type, one of the constants below.
    pub(crate) kind: u8,
    flags: u8,
    /// Its stream, 0 for the connection.
    pub(crate) stream: u32,
    /// What it carries.
    pub(crate) payload: Vec<u8>,
}

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Flags of HEADERS and of DATA.
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// Whatever carries frames.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A frame as it stands on the wire.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("the payload must be short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes()[..], payload].concat()
}

/// A field section: a GET of `path` from the host `a.example`, all in literals.
pub(crate) fn fields_of_get(path: &str) -> Vec<u8> {
    // From the static table: GET, https, and the names :authority and :path.
    [&[0x82, 0x87][..], &named(1, "a.example"), &named(4, path)].concat()
}

/// A field whose name is in the static table.
fn named(name: u8, value: &str) -> Vec<u8> {
    [&[0x40 | name][..], &text(value.as_bytes())].concat()
}

/// A field that is written out, whatever it holds.
pub(crate) fn field(name: &[u8], value: &[u8]) -> Vec<u8> {
    [&[0][..], &text(name), &text(value)].concat()
}

fn text(text: &[u8]) -> Vec<u8> {
    let length = u8::try_from(text.len()).ok().filter(|length| *length < 0x7f);
    [&[length.expect("the text must be short")], text].concat()
}

/// The client.
pub(crate) struct Frames {
    wire: Wire<Box<dyn Stream>>,
    answers_pings: bool,
}

impl Frames {
    /// Speaks over a stream on which HTTP/2 was agreed.
    pub(crate) async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        answers_pings: bool,
    ) -> Self {
        let mut client = Self { wire: Wire::over(Box::new(stream)), answers_pings };
        client.wire.send(PREFACE).await;
        // SETTINGS_INITIAL_WINDOW_SIZE is 0.
        client.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]).await;
        client
    }

    /// `GET path` for the host `a.example`.
    pub(crate) async fn ask(&mut self, stream: u32, path: &str) {
        self.send(HEADERS, END_HEADERS | END_STREAM, stream, &fields_of_get(path)).await;
    }

    /// Sends a frame.
    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        // The server may have closed.
        let _ = self.wire.try_send(frame(kind, flags, stream, payload)).await;
    }

    /// The next frame that is wanted.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Frame) -> bool) -> Frame {
        self.try_until(wanted).await.expect("the frame must come before the end")
    }

    /// The next frame that is wanted; `None` where the connection ends before it.
    pub(crate) async fn try_until(&mut self, wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if wanted(&frame) {
                return Some(frame);
            }
        }
    }

    /// Waits for the end of the connection.
    pub(crate) async fn end(&mut self) {
        while self.next().await.is_some() {}
    }

    async fn next(&mut self) -> Option<Frame> {
        let head = self.wire.take(9).await.ok()?;
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
        let payload = self.wire.take(number(&head[..3]) as usize).await.ok()?;
        let frame = Frame { kind: head[3], flags: head[4], stream: number(&head[5..]), payload };
        match (frame.kind, frame.flags) {
            (SETTINGS, 0) => self.send(SETTINGS, ACK, 0, &[]).await,
            (PING, 0) if self.answers_pings => self.send(PING, ACK, 0, &frame.payload).await,
            _ => {}
        }
        Some(frame)
    }
}
