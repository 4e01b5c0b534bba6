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

pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const GOAWAY: u8 = 7;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const ACK: u8 = 1;

/// Whatever carries frames.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

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
        client.wire.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        // SETTINGS_INITIAL_WINDOW_SIZE is 0.
        client.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]).await;
        client
    }

    /// `GET path` for the host `a.example`.
    pub(crate) async fn ask(&mut self, stream: u32, path: &str) {
        let literal = |name: u8, value: &str| {
            let length = u8::try_from(value.len()).expect("the value must be short");
            [&[0x40 | name, length], value.as_bytes()].concat()
        };
        // From the static table: GET, https, and the names :authority and :path.
        let block = [vec![0x82, 0x87], literal(1, "a.example"), literal(4, path)].concat();
        self.send(HEADERS, 0x5, stream, &block).await;
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("the payload must be short").to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()[..]].concat();
        // The server may have closed.
        let _ = self.wire.try_send([&head, payload].concat()).await;
    }

    /// The next frame that is wanted.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Frame) -> bool) -> Frame {
        loop {
            let frame = self.next().await.expect("the frame must come before the end");
            if wanted(&frame) {
                return frame;
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
