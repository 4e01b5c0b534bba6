//! An HTTP/2 client over any stream.

use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{
    HeaderMap, Request, Response,
    body::{Bytes, Incoming},
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{DEADLINE, Streamed, eventually, within};

/// One connection; a clone shares it.
#[derive(Clone, Debug)]
pub(crate) struct Http2(SendRequest<Streamed>);

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The fields.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Bytes,
}

impl Http2 {
    /// Speaks over a stream on which HTTP/2 was agreed.
    pub(crate) async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (sender, connection) = within("HTTP/2 handshake", handshake).await.expect("HTTP/2 must be spoken");
        tokio::spawn(connection);
        Self(sender)
    }

    /// Sends a request and reads the answer.
    pub(crate) async fn ask(&mut self, request: Request<Full<Bytes>>) -> Answer {
        self.try_ask(request).await.expect("an answer must come")
    }

    /// Sends a request and reads the answer, or says why there is none.
    pub(crate) async fn try_ask(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Answer> {
        let (head, body) = self.open(request.map(UnsyncBoxBody::new)).await?.into_parts();
        let body = within("body", body.collect()).await?.to_bytes();
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }

    /// Sends a request whose body may still come, and waits for the head of the answer.
    pub(crate) async fn open(&mut self, request: Request<Streamed>) -> hyper::Result<Response<Incoming>> {
        within("answer", self.0.send_request(request)).await
    }

    /// Waits for the server to end the connection.
    pub(crate) async fn closed(&self) {
        eventually(DEADLINE, "the end of the connection", || {
            std::future::ready(if self.0.is_closed() { Ok(()) } else { Err("still open") })
        })
        .await;
    }
}
