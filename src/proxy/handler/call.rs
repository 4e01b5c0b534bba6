//! The handlers Rpc and Api: a request becomes a call of a method of a service, by mucp or gRPC, and the reply
//! becomes the response.
//!
//! Messages are needed as a whole, so they have a limit in both directions. What goes wrong from here on is told
//! in the words of go-micro.

mod api;
mod calling;
mod described;
mod dialect;
mod node;
mod reading;
mod reserved;
mod rpc;
mod stream;
mod target;
#[cfg(test)]
mod tests;

use super::Routed;
use crate::{
    model::call::Calls,
    proxy::{
        body::Body,
        error::Failure,
        exchange::Exchange,
        outgoing::Outgoing,
        reply::{Form, fault_entity, reply},
        request_body::{BodyWatch, RequestBody},
        whole,
    },
    rpc::fault::{Fault, GATEWAY_ID},
};
use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response,
    header::{ALLOW, CONTENT_LENGTH},
};
use std::rc::Rc;

/// The largest message of a call, and of its reply. gRPC has the same limit unless somebody sets another.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Why a call brings no message.
#[derive(Debug)]
enum Ended {
    /// The gateway could not make it, or not understand the reply.
    Failed(Failure),
    /// The service answered an error.
    Fault(Fault),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Ended {
    /// The error as it is told: complete, and 404 where the service does not know the method.
    fn told(fault: Fault) -> Fault {
        fault.unknown_as_not_found().completed(GATEWAY_ID, "error during request: ")
    }

    fn into_response(self, exchange: &mut Exchange) -> Response<Body> {
        match self {
            Self::Failed(failure) => {
                exchange.failed(&failure, None);
                reply(&failure, Form::Micro)
            }
            Self::Fault(fault) => fault_entity(&Self::told(fault)),
        }
    }
}

/// Calls a method with the fields of the request as its message.
pub(super) async fn rpc(
    routed: &Routed<'_>,
    calls: &Calls,
    request: &mut Outgoing,
    exchange: &mut Exchange,
) -> Response<Body> {
    if let Some(response) = reserved::answer(routed, request, exchange).await {
        return response;
    }
    let answered = rpc::answer(routed, calls, request, exchange).await;
    answered.unwrap_or_else(|ended| ended.into_response(exchange))
}

/// Calls a method with the whole request as its message.
pub(super) async fn api(
    routed: &Routed<'_>,
    calls: &Calls,
    request: &mut Request<RequestBody>,
    exchange: &mut Exchange,
) -> Response<Body> {
    if let Some(response) = reserved::answer(routed, request, exchange).await {
        return response;
    }
    let answered = api::answer(routed, calls, request, exchange).await;
    answered.unwrap_or_else(|ended| ended.into_response(exchange))
}

/// The body of a client's request, and the view on it, if there was one.
async fn body_of(
    routed: &Routed<'_>,
    request: &mut Request<RequestBody>,
) -> Result<(Bytes, Option<Rc<BodyWatch>>), Failure> {
    let watch = request.body_mut().guard(&routed.core.clock, routed.core.limits());
    let body = whole::read(std::mem::take(request.body_mut()), MOST_BYTES).await?;
    Ok((body.bytes, watch))
}

/// The answer to OPTIONS, which calls nothing; and to a method that the handler does not take.
pub(super) fn unless_called(method: &Method, taken: &[Method]) -> Result<Option<Response<Body>>, Failure> {
    if taken.contains(method) {
        return Ok(None);
    }
    if *method != Method::OPTIONS {
        return Err(Failure::MethodNotAllowed(taken.to_vec()));
    }
    let list = taken.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(CONTENT_LENGTH, 0.into());
    let allow = HeaderValue::try_from(list).unwrap_or_else(|_| HeaderValue::from_static(""));
    response.headers_mut().insert(ALLOW, allow);
    Ok(Some(response))
}
