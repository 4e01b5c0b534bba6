//! Failures in the words of go-micro, for those who call methods.

use super::{Told, told};
use crate::{
    proxy::error::Failure,
    rpc::fault::{CLIENT_ID, Fault, GATEWAY_ID},
};
use http::StatusCode;

/// What is told of calls alone.
pub(super) const fn tell(failure: &Failure) -> Told {
    match failure {
        Failure::NoService => told(StatusCode::NOT_FOUND, "NotFound", "There is no such service."),
        Failure::NoMethod => told(StatusCode::NOT_FOUND, "NotFound", "The request names no method of its service."),
        Failure::NoStreams => {
            told(StatusCode::NOT_IMPLEMENTED, "NotImplemented", "Streams of methods need a service that speaks gRPC.")
        }
        Failure::AddressRefused => told(StatusCode::FORBIDDEN, "AddressRefused", "No client may name this address."),
        Failure::BadMessage(_) => {
            told(StatusCode::BAD_REQUEST, "BadMessage", "The request makes no message for the method.")
        }
        Failure::NotText => told(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "NotText",
            "The body is not UTF-8, and the service takes nothing else.",
        ),
        Failure::ReplyTooLarge => {
            told(StatusCode::BAD_GATEWAY, "BadGateway", "The service answered more than this gateway allows.")
        }
        Failure::NotDescribed => told(
            StatusCode::BAD_GATEWAY,
            "NotDescribed",
            "The service does not tell which methods it has (server reflection of gRPC).",
        ),
        // A reply that is none; `tell` above sends nothing else here.
        _ => told(StatusCode::BAD_GATEWAY, "BadGateway", "The service did not give a valid answer."),
    }
}

/// The error for a client: whether it went wrong before the call or with it is what the id says.
pub(super) fn fault(failure: &Failure, told: &Told) -> Fault {
    let routing = |detail: &str| Fault::new(GATEWAY_ID, told.status, detail);
    let calling = |detail: &str| Fault::new(CLIENT_ID, told.status, detail);
    match failure {
        Failure::NoService => routing("service not found"),
        Failure::BadMessage(error) => routing(&error.to_string()),
        Failure::BadReply(fault) => Fault::clone(fault),
        // Clients of go-micro know the deadline of a call by this code.
        Failure::UpstreamTimeout => {
            Fault::new(CLIENT_ID, StatusCode::REQUEST_TIMEOUT, "call timeout: context deadline exceeded")
        }
        Failure::ConnectFailed | Failure::ConnectTimeout | Failure::UpstreamTlsFailed | Failure::UpstreamTlsTimeout => {
            calling("connection error: the service could not be reached")
        }
        Failure::UpstreamBroken | Failure::ReplyTooLarge => calling(told.message),
        _ => routing(told.message),
    }
}
