//! One connection, byte for byte: what is sent is what the test wrote, and what comes back is read
//! by the framing rules of RFC 9112 and nothing else.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    message::{Head, Reply},
    within,
};

/// `GET target` for `host`.
pub(crate) fn get(host: &str, target: &str) -> String {
    request(&format!("GET {target}"), &[&format!("Host: {host}")], "")
}

/// An HTTP/1.1 request; a body is framed by Content-Length.
pub(crate) fn request(line: &str, fields: &[&str], body: &str) -> String {
    let mut text = format!("{line} HTTP/1.1\r\n");
    for field in fields {
        text += &format!("{field}\r\n");
    }
    if !body.is_empty() {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    text + "\r\n" + body
}

/// A connection to or from the gateway.
#[derive(Debug)]
pub(crate) struct Wire<S = TcpStream> {
    stream: S,
    unread: Vec<u8>,
}

impl Wire {
    /// Connects to an address.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = within("connect", TcpStream::connect(address)).await;
        Self::over(stream.unwrap_or_else(|error| panic!("{address} must be reachable: {error}")))
    }

    /// Breaks the connection, as a client does whose system is gone.
    pub(crate) fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(std::time::Duration::ZERO)).expect("a socket must take the option");
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Speaks over a stream.
    pub(crate) const fn over(stream: S) -> Self {
        Self { stream, unread: Vec::new() }
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.expect("the peer must take what is sent");
    }

    /// Sends bytes as they are, to a peer that may close at any time.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        within("send", self.stream.write_all(bytes.as_ref())).await?;
        self.stream.flush().await
    }

    /// Sends bytes to a peer that may take them as late as it likes.
    pub(crate) async fn send_slowly(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Says that nothing more will be sent.
    pub(crate) async fn finish(&mut self) {
        // The peer may have closed already.
        let _ = self.stream.shutdown().await;
    }

    /// Sends a request and reads the answer.
    pub(crate) async fn ask(&mut self, request: impl AsRef<[u8]>) -> Reply {
        self.send(request).await;
        self.reply().await
    }

    /// The next answer, with its body.
    pub(crate) async fn reply(&mut self) -> Reply {
        self.try_reply().await.expect("an answer must come")
    }

    /// The next answer, or why there is none.
    pub(crate) async fn try_reply(&mut self) -> std::io::Result<Reply> {
        let head = self.try_head().await?;
        let status = status(&head);
        let (body, trailers) = match status {
            100..=199 | 204 | 304 => Default::default(),
            _ if head.is_chunked() => self.chunks().await?,
            _ => match head.length_of_body() {
                Some(length) => (self.take(length).await?, Vec::new()),
                None => (self.rest().await, Vec::new()),
            },
        };
        Ok(Reply { status, head, body, trailers })
    }

    /// The next answer to HEAD: it ends with its head.
    pub(crate) async fn reply_to_head(&mut self) -> Reply {
        let head = self.head().await;
        Reply { status: status(&head), head, body: Vec::new(), trailers: Vec::new() }
    }

    /// The next request, with its body.
    pub(crate) async fn request(&mut self) -> (Head, Vec<u8>) {
        let head = self.head().await;
        let body = self.body(&head).await;
        (head, body)
    }

    /// The body of a request with this head.
    pub(crate) async fn body(&mut self, head: &Head) -> Vec<u8> {
        if head.is_chunked() {
            self.chunks().await.expect("the body must be whole").0
        } else {
            self.take(head.length_of_body().unwrap_or(0)).await.expect("the body must be whole")
        }
    }

    /// The head of the next message.
    pub(crate) async fn head(&mut self) -> Head {
        self.try_head().await.expect("a message must come")
    }

    /// The head of the next message, or why there is none.
    pub(crate) async fn try_head(&mut self) -> std::io::Result<Head> {
        let bytes = self.until(b"\r\n\r\n").await?;
        Ok(Head::parse(&bytes))
    }

    async fn chunks(&mut self) -> std::io::Result<(Vec<u8>, Vec<(String, String)>)> {
        let mut body = Vec::new();
        loop {
            let line = self.until(b"\r\n").await?;
            let line = String::from_utf8_lossy(&line).into_owned();
            let size = usize::from_str_radix(&line, 16).unwrap_or_else(|_| panic!("no chunk size: {line:?}"));
            if size == 0 {
                return Ok((body, self.trailers().await?));
            }
            body.extend(self.take(size).await?);
            assert_eq!(self.until(b"\r\n").await?, b"", "a chunk must end with its size");
        }
    }

    async fn trailers(&mut self) -> std::io::Result<Vec<(String, String)>> {
        let mut block = b"\r\n".to_vec();
        loop {
            let line = self.until(b"\r\n").await?;
            if line.is_empty() {
                return Ok(Head::parse(&block).fields);
            }
            block.extend(line);
            block.extend(b"\r\n");
        }
    }

    /// The bytes up to `end`, which is taken too.
    async fn until(&mut self, end: &[u8]) -> std::io::Result<Vec<u8>> {
        loop {
            if let Some(at) = self.unread.windows(end.len()).position(|window| window == end) {
                let found = self.unread[..at].to_vec();
                self.unread.drain(..at + end.len());
                return Ok(found);
            }
            self.read_more().await?;
        }
    }

    /// The next bytes, exactly so many.
    pub(crate) async fn take(&mut self, count: usize) -> std::io::Result<Vec<u8>> {
        while self.unread.len() < count {
            self.read_more().await?;
        }
        Ok(self.unread.drain(..count).collect())
    }

    /// Whether more was read than was taken.
    pub(crate) const fn has_more(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Everything until the peer closes.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.read_more().await.is_ok() {}
        std::mem::take(&mut self.unread)
    }

    /// Waits for the peer to close without another byte.
    pub(crate) async fn closed(&mut self) {
        let rest = self.rest().await;
        assert!(rest.is_empty(), "nothing must come before the end: {:?}", String::from_utf8_lossy(&rest));
    }

    async fn read_more(&mut self) -> std::io::Result<()> {
        match within("read", self.stream.read_buf(&mut self.unread)).await? {
            0 => Err(std::io::Error::new(
                std::io::ErrorKind::UnexpectedEof,
                format!("closed after {:?}", String::from_utf8_lossy(&self.unread)),
            )),
            _ => Ok(()),
        }
    }

    /// The stream itself, and what was read of it already.
    pub(crate) fn into_parts(self) -> (S, Vec<u8>) {
        (self.stream, self.unread)
    }
}

fn status(head: &Head) -> u16 {
    let code = head.first_line().split(' ').nth(1).and_then(|code| code.parse().ok());
    code.unwrap_or_else(|| panic!("no status line: {:?}", head.raw))
}
