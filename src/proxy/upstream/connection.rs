//! Connections to endpoints, one kind for each version of HTTP that is spoken to them.

use super::{
    head,
    http2::{Multiplexed, Stream},
    unanswered::{Unanswered, put_back},
};
use crate::proxy::{outgoing::Outgoing, request_body::RequestBody};
use http::Response;
use hyper::{body::Incoming, client::conn::http1};
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

impl Connection {
    /// Brings the head into the form of this connection, and sends the request.
    /// Fails when no response head comes.
    pub(super) async fn send(
        &mut self,
        request: &mut Outgoing,
        endpoint: SocketAddr,
    ) -> Result<Response<Incoming>, Unanswered> {
        match self {
            Self::Http1(sender) => {
                head::as_http1(request, endpoint);
                let sent = sender.try_send_request(request.take()).await;
                sent.map_err(|error| put_back(error, request))
            }
            Self::Http2(stream) => {
                head::as_http2(request, stream.scheme(), endpoint);
                stream.send(request).await
            }
        }
    }
}
