//! One call of a described method: its messages in the frames of gRPC, and what travels along.

use super::super::target::Target;
use crate::{
    proxy::{
        body::Body,
        clock::TICK,
        error::Failure,
        exchange::Exchange,
        handler::Routed,
        outgoing::Outgoing,
        request_body::{BodyWatch, RequestBody},
        retry,
    },
    rpc::{
        codec::Codec,
        frame,
        grpc::Call,
        metadata::of_headers,
        transcode::{Binding, Services},
    },
};
use bytes::{Bytes, BytesMut};
use http::{
    Request, Response,
    header::{CONTENT_LENGTH, HOST},
};
use std::{rc::Rc, sync::Arc, time::Duration};

/// A service that notices first that its time is up may reset the call, which says less than that it was late. So
/// it is told a little more than there is.
const GRACE: Duration = TICK.saturating_mul(3);

/// A call of a method that is known.
pub(super) struct Described<'c> {
    pub(super) routed: &'c Routed<'c>,
    pub(super) target: &'c Target,
    pub(super) services: Arc<Services>,
    pub(super) binding: Arc<Binding>,
    /// The tick at which the time of the request began.
    pub(super) began: u64,
}

impl Described<'_> {
    /// Calls the method.
    pub(super) async fn send(
        &self,
        request: &Request<RequestBody>,
        messages: Vec<Bytes>,
        watch: Option<Rc<BodyWatch>>,
        exchange: &mut Exchange,
    ) -> Result<Response<Body>, Failure> {
        let plan = self.routed.plan(self.target.upstream, request)?;
        let is_stream = self.binding.is_server_streaming() || self.binding.is_client_streaming();
        let timeout = plan.time().filter(|_| !is_stream).map(|time| time.saturating_add(GRACE));
        let metadata = of_headers(request.headers());
        let path = self.binding.path();
        let call = Call { service: "", method: &path, codec: Codec::Protobuf, timeout, metadata: &metadata };
        let mut called = call.open().map_err(|_| Failure::NoMethod)?;
        if let Some(host) = request.headers().get(HOST) {
            called.headers_mut().insert(HOST, host.clone());
        }
        let body = sealed(&messages).ok_or(Failure::BodyTooLarge)?;
        called.headers_mut().insert(CONTENT_LENGTH, body.len().into());
        let mut called = Outgoing::new(called.map(|()| RequestBody::whole(body)));
        retry::send(&plan, &mut called, watch, exchange).await
    }
}

/// Messages in the frames of gRPC.
fn sealed(messages: &[Bytes]) -> Option<Bytes> {
    if let [message] = messages {
        return frame::write(message);
    }
    let mut all = BytesMut::new();
    for message in messages {
        all.extend_from_slice(&frame::write(message)?);
    }
    Some(all.freeze())
}
