//! A small HTTP/1.1 client: one connection per request, whole bodies.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request, StatusCode, body::Bytes, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The status.
    pub(crate) status: StatusCode,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Bytes,
}

impl Reply {
    /// The body as JSON, for instance the report of an echo server.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("the body must be JSON: {error}: {:?}", self.body))
    }
}

/// `GET path` for `host` from the server at `address`; panics when there is no answer.
pub(crate) async fn get(address: SocketAddr, host: &str, path: &str) -> Reply {
    try_get(address, host, path).await.unwrap_or_else(|error| panic!("GET {path} for {host} at {address}: {error}"))
}

/// `GET path` for `host` from the server at `address`.
pub(crate) async fn try_get(address: SocketAddr, host: &str, path: &str) -> Result<Reply, String> {
    let request = Request::get(path).header(HOST, host).body(Full::default()).map_err(|error| error.to_string())?;
    send(address, request).await
}

/// Sends `request` over a connection of its own.
pub(crate) async fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> Result<Reply, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let connection = tokio::spawn(connection);
    let reply = exchange(&mut sender, request).await;
    connection.abort();
    reply.map_err(|error| error.to_string())
}

async fn exchange(sender: &mut http1::SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> hyper::Result<Reply> {
    let (head, body) = sender.send_request(request).await?.into_parts();
    Ok(Reply { status: head.status, headers: head.headers, body: body.collect().await?.to_bytes() })
}
