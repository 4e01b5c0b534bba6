//! Connections to endpoints, one kind for each version of HTTP that is spoken to them.

use super::{
    head,
    http2::{Multiplexed, Stream},
};
use crate::proxy::request_body::RequestBody;
use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1},
};
use std::{net::SocketAddr, rc::Rc};

/// A connection that was just made.
#[derive(Debug)]
pub(super) enum Fresh {
    Http1(http1::SendRequest<RequestBody>),
    Http2(Rc<Multiplexed>),
}

/// What carries one request at a time: a connection, or a place on one that many requests share.
#[derive(Debug)]
pub(crate) enum Connection {
    Http1(http1::SendRequest<RequestBody>),
    Http2(Stream),
}

/// A request of which nothing was sent; `None` where some of it may have been.
pub(super) type Unsent = Option<Box<Request<RequestBody>>>;

pub(super) fn unsent(mut error: TrySendError<Request<RequestBody>>) -> Unsent {
    error.take_message().map(Box::new)
}

impl Connection {
    /// Brings the head into the form of this connection, and sends the request. Fails when no
    /// response head comes.
    pub(super) async fn send(
        &mut self,
        mut request: Request<RequestBody>,
        endpoint: SocketAddr,
    ) -> Result<Response<Incoming>, Unsent> {
        match self {
            Self::Http1(sender) => {
                head::as_http1(&mut request, endpoint);
                sender.try_send_request(request).await.map_err(unsent)
            }
            Self::Http2(stream) => {
                head::as_http2(&mut request, stream.scheme(), endpoint);
                stream.send(request).await
            }
        }
    }
}
