//! What becomes of a request that got no answer: hyper gives it back where nothing of it was sent.

use crate::proxy::{outgoing::Outgoing, request_body::RequestBody};
use http::Request;
use hyper::client::conn::TrySendError;

/// How much of a request was sent that got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// Nothing, and it is back.
    Unsent,
    /// Some of it, maybe, and it is gone.
    Sent,
}

/// Puts a request back of which nothing was sent.
pub(super) fn put_back(mut error: TrySendError<Request<RequestBody>>, request: &mut Outgoing) -> Unanswered {
    match error.take_message() {
        Some(unsent) => {
            request.put(unsent);
            Unanswered::Unsent
        }
        None => Unanswered::Sent,
    }
}
