//! Calls on behalf of one request: one or several, all within the time of the request.

use super::{
    Ended,
    dialect::{self, Call},
    node::Place,
    reading,
};
use crate::{
    model::target::UpstreamId,
    proxy::{
        error::Failure,
        exchange::Exchange,
        handler::Routed,
        outgoing::Outgoing,
        request_body::{BodyWatch, RequestBody},
        retry::{self, Plan},
    },
    rpc::{codec::Codec, metadata},
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Version,
    header::{CONTENT_LENGTH, HOST},
};
use std::{rc::Rc, sync::Arc, time::Duration};

/// The method of the client's request, which services are told.
const METHOD: HeaderName = HeaderName::from_static("method");

/// A request on whose behalf methods are called. Its body was taken.
pub(super) struct Calling<'c> {
    pub(super) routed: &'c Routed<'c>,
    pub(super) request: &'c Request<RequestBody>,
    place: Place,
    service: Arc<str>,
    watch: Option<Rc<BodyWatch>>,
    metadata: HeaderMap,
    /// The tick at which the time of the request began.
    began: u64,
    /// The time that the client gives it, if it says so in words of its own.
    pub(super) wanted: Option<Duration>,
}

impl<'c> Calling<'c> {
    pub(super) fn new(
        routed: &'c Routed<'c>,
        request: &'c Request<RequestBody>,
        (place, service): (Place, &Arc<str>),
        watch: Option<Rc<BodyWatch>>,
    ) -> Self {
        let metadata = metadata::of_headers(request.headers());
        let (service, began) = (Arc::clone(service), routed.core.clock.now());
        Self { routed, request, place, service, watch, metadata, began, wanted: None }
    }

    /// Tells services the method of the request too.
    pub(super) fn with_method(mut self) -> Self {
        if let Ok(method) = HeaderValue::from_str(self.request.method().as_str()) {
            self.metadata.insert(METHOD, method);
        }
        self
    }

    /// Calls a method of the service. The message of the reply is in the same encoding, JSON or protobuf.
    pub(super) async fn call(
        &self,
        method: &str,
        codec: Codec,
        message: &Bytes,
        exchange: &mut Exchange,
    ) -> Result<Bytes, Ended> {
        let core = self.routed.core;
        let mut plan = self.plan()?;
        plan.deadline = plan.deadline.into_iter().chain(self.wanted).min();
        let time = plan.time();
        let left = time.map(|time| self.left(time)).transpose()?;
        plan.deadline = left;
        let call = Call { service: &self.service, method, codec, timeout: left, metadata: &self.metadata };
        let number = core.calls.borrow_mut().draw();
        let (request, spoken) = dialect::request(&call, plan.upstream.dialect, number, message)?;
        let length = request.body().len().into();
        let mut request = Outgoing::new(self.addressed(request.map(RequestBody::whole)));
        request.headers_mut().insert(CONTENT_LENGTH, length);
        let response = retry::send(&plan, &mut request, self.watch.clone(), exchange).await?;
        let (head, body) = response.into_parts();
        spoken.check(&head)?;
        let left = time.map(|time| self.left(time)).transpose()?;
        let reply = reading::read(core, body, left).await?;
        spoken.message(&head, &reply)
    }

    pub(super) fn plan(&self) -> Result<Plan<'_>, Failure> {
        self.place.plan(self.routed, self.request)
    }

    /// The upstream that is called, unless the client named a node.
    pub(super) const fn upstream(&self) -> Option<UpstreamId> {
        match &self.place {
            Place::Known(upstream) => Some(*upstream),
            Place::Named(_) => None,
        }
    }

    pub(super) fn service(&self) -> &str {
        &self.service
    }

    pub(super) const fn metadata(&self) -> &HeaderMap {
        &self.metadata
    }

    pub(super) fn watch(&self) -> Option<Rc<BodyWatch>> {
        self.watch.clone()
    }

    /// What is left of the time that the whole request has.
    fn left(&self, time: Duration) -> Result<Duration, Failure> {
        let left = time.saturating_sub(self.routed.core.clock.since(self.began));
        if left.is_zero() { Err(Failure::UpstreamTimeout) } else { Ok(left) }
    }

    /// The request to the host that the client asked for.
    pub(super) fn addressed(&self, mut request: Request<RequestBody>) -> Request<RequestBody> {
        match self.request.headers().get(HOST) {
            Some(host) => drop(request.headers_mut().insert(HOST, host.clone())),
            // Only HTTP/1.0 names none.
            None => *request.version_mut() = Version::HTTP_10,
        }
        request
    }
}
