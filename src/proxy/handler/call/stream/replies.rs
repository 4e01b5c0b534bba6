//! The messages of a reply of gRPC, one after the other.

use super::{
    super::{Ended, MOST_BYTES},
    broken, told,
};
use crate::{
    proxy::body::Body,
    rpc::{
        fault::{Codes, Fault, GrpcFault, read_trailers},
        frame::Decoder,
    },
};
use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt as _;

/// The messages of a reply.
#[derive(Debug)]
pub(super) struct Replies {
    /// Has the outcome where nothing follows.
    head: HeaderMap,
    body: Body,
    decoder: Decoder,
    is_over: bool,
}

impl Replies {
    pub(super) fn new(head: HeaderMap, body: Body) -> Self {
        Self { head, body, decoder: Decoder::new(MOST_BYTES), is_over: false }
    }

    /// The next message, or why there is none; nothing at the end.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, Fault>> {
        while !self.is_over {
            match self.decoder.next_message() {
                Ok(Some(message)) if message.flag == 0 => return Some(Ok(message.bytes)),
                Ok(Some(_)) => return self.failed(broken("a message is compressed, which was not asked for")),
                Err(error) => return self.failed(broken(&error.to_string())),
                Ok(None) => {}
            }
            match self.body.frame().await {
                None => return self.end(&self.head.clone()),
                Some(Err(_)) => return self.failed(broken("the service broke off")),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => self.decoder.push(&bytes),
                    Err(frame) => return self.end(&frame.into_trailers().unwrap_or_default()),
                },
            }
        }
        None
    }

    fn failed(&mut self, fault: Fault) -> Option<Result<Bytes, Fault>> {
        self.is_over = true;
        Some(Err(fault))
    }

    fn end(&mut self, trailers: &HeaderMap) -> Option<Result<Bytes, Fault>> {
        self.is_over = true;
        let outcome = read_trailers(trailers, Codes::Micro);
        let fault = match outcome {
            Ok(()) => return None,
            Err(GrpcFault::Answered(fault)) => told(Ended::Fault(fault)),
            Err(GrpcFault::NoStatus) => broken("the reply ended without a status of gRPC"),
        };
        Some(Err(fault))
    }
}
