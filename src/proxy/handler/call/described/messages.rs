//! A stream of messages on its way: frames of gRPC in, lines or events of JSON out, as they come.

use super::super::MOST_BYTES;
use crate::{
    proxy::{body::Body, error::BodyError},
    rpc::{
        fault::{RpcStatus, read_status},
        frame::Decoder,
        stream_text::Form,
        transcode::{Binding, Services, status_json},
    },
};
use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// The code of a reply that cannot be understood (INTERNAL).
const INTERNAL: i32 = 13;

/// A stream of messages.
#[derive(Debug)]
pub(super) struct Messages {
    body: Body,
    decoder: Decoder,
    form: Form,
    services: Arc<Services>,
    binding: Arc<Binding>,
    is_over: bool,
}

impl Messages {
    pub(super) fn new(body: Body, form: Form, services: Arc<Services>, binding: Arc<Binding>) -> Self {
        Self { body, decoder: Decoder::new(MOST_BYTES), form, services, binding, is_over: false }
    }

    /// What these bytes make complete.
    fn read(&mut self, bytes: &[u8]) -> Bytes {
        self.decoder.push(bytes);
        let mut text = BytesMut::new();
        loop {
            match self.decoder.next_message().map_err(|error| error.to_string()) {
                Ok(None) => return text.freeze(),
                Ok(Some(message)) => match self.binding.json(&message.bytes) {
                    Ok(json) => text.extend_from_slice(&self.form.message(&json)),
                    Err(error) => return self.broken(text, error.to_string()),
                },
                Err(error) => return self.broken(text, error),
            }
        }
    }

    fn broken(&mut self, mut text: BytesMut, message: String) -> Bytes {
        text.extend_from_slice(&self.end(&RpcStatus { code: INTERNAL, message, details: Vec::new() }));
        text.freeze()
    }

    /// What is told at the end.
    fn end(&mut self, status: &RpcStatus) -> Bytes {
        self.is_over = true;
        match status.code {
            0 => self.form.end(),
            _ => self.form.failure(&status_json(self.services.pool(), status)),
        }
    }

    /// A stream that ends without an outcome was cut off.
    fn cut_off(&mut self) -> Bytes {
        let message = "the service broke off".to_owned();
        self.end(&RpcStatus { code: 14, message, details: Vec::new() })
    }
}

impl HttpBody for Messages {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        while !self.is_over {
            let text = match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => self.cut_off(),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) => self.read(&bytes),
                    Err(frame) => match frame.trailers_ref().and_then(read_status) {
                        Some(status) => self.end(&status),
                        None => self.cut_off(),
                    },
                },
            };
            if !text.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(text))));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }
}
