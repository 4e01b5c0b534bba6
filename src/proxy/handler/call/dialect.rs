//! One call in the words of its service: the request for it, and what the reply says.

use super::Ended;
use crate::{
    proxy::{error::Failure, whole::Whole},
    rpc::{
        codec::Codec,
        fault::{Codes, Fault},
        grpc, mucp,
        payload::PayloadError,
        registry::Dialect,
    },
};
use bytes::Bytes;
use http::{HeaderMap, Request, response::Parts};
use std::time::Duration;

/// What is called, with what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'c> {
    pub(super) service: &'c str,
    pub(super) method: &'c str,
    /// JSON or protobuf, as the message is.
    pub(super) codec: Codec,
    pub(super) timeout: Option<Duration>,
    pub(super) metadata: &'c HeaderMap,
}

/// How a call was made, and so how its reply is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// By mucp, in this encoding.
    Mucp(Codec),
    /// By gRPC.
    Grpc,
}

/// The request that is a call. `number` is drawn for it alone.
pub(super) fn request(
    call: &Call<'_>,
    dialect: Dialect,
    number: u64,
    message: &Bytes,
) -> Result<(Request<Bytes>, Spoken), Failure> {
    let Call { service, method, codec, timeout, metadata } = *call;
    match dialect {
        Dialect::Mucp | Dialect::MucpEnvelope => {
            let codec = mucp::encoding(codec, message.is_empty(), dialect == Dialect::MucpEnvelope);
            let call = mucp::Call { service, method, codec, number, timeout, metadata };
            let request = call.request(message).map_err(|no_call| match no_call {
                mucp::NoCall::Name => Failure::NoMethod,
                mucp::NoCall::Message(error) => Failure::BadMessage(PayloadError::from(error)),
            })?;
            Ok((request, Spoken::Mucp(codec)))
        }
        Dialect::Grpc => {
            let call = grpc::Call { service, method, codec, timeout, metadata };
            let request = call.request(message).map_err(|no_call| match no_call {
                grpc::NoCall::Method => Failure::NoMethod,
                grpc::NoCall::TooLong => Failure::BodyTooLarge,
            })?;
            Ok((request, Spoken::Grpc))
        }
        Dialect::Other => Err(Failure::Misconfigured),
    }
}

impl Spoken {
    /// Whether the head says already that no message follows.
    pub(super) fn check(self, head: &Parts) -> Result<(), Ended> {
        match self {
            Self::Mucp(_) => Ok(()),
            Self::Grpc => grpc::read_head(head.status, &head.headers, Codes::Micro).map_err(grpc_ended),
        }
    }

    /// The message of a reply.
    pub(super) fn message(self, head: &Parts, reply: &Whole) -> Result<Bytes, Ended> {
        match self {
            Self::Mucp(codec) => {
                let message = mucp::read_reply(codec, head.status, &head.headers, &reply.bytes);
                message.map_err(mucp_ended)
            }
            Self::Grpc => {
                let trailers = if reply.trailers.is_empty() { &head.headers } else { &reply.trailers };
                grpc::read_reply(&reply.bytes, trailers, Codes::Micro).map_err(grpc_ended)
            }
        }
    }
}

fn mucp_ended(no_reply: mucp::NoReply) -> Ended {
    match no_reply {
        mucp::NoReply::Fault(fault) => Ended::Fault(fault),
        other => bad(other.into_fault()),
    }
}

/// What a reply of gRPC is that has no message.
pub(super) fn grpc_ended(no_reply: grpc::NoReply) -> Ended {
    match no_reply {
        grpc::NoReply::Fault(fault) => Ended::Fault(fault),
        other => bad(other.into_fault()),
    }
}

/// The reply cannot be understood.
pub(super) fn bad(fault: Fault) -> Ended {
    Ended::Failed(Failure::BadReply(Box::new(fault)))
}
