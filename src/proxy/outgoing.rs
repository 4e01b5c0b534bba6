//! A request on its way to an endpoint: there until it is sent, and again where nothing of it was.

use super::request_body::RequestBody;
use http::Request;
use std::ops::{Deref, DerefMut};

/// A request on its way to an endpoint. Who has sent it has it no more: an empty one in its place would have
/// to be made and dropped for each request.
#[derive(Debug)]
pub(crate) struct Outgoing(Option<Request<RequestBody>>);

impl Outgoing {
    pub(crate) const fn new(request: Request<RequestBody>) -> Self {
        Self(Some(request))
    }

    /// The request, to be sent.
    pub(crate) fn take(&mut self) -> Request<RequestBody> {
        self.0.take().expect(THERE)
    }

    /// Puts a request in its place that may be sent.
    pub(crate) fn put(&mut self, request: Request<RequestBody>) {
        self.0 = Some(request);
    }
}

const THERE: &str = "a request must be there until it is sent";

impl Deref for Outgoing {
    type Target = Request<RequestBody>;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref().expect(THERE)
    }
}

impl DerefMut for Outgoing {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.0.as_mut().expect(THERE)
    }
}
