//! Checks by gRPC's health service (`grpc.health.v1.Health/Check`).

use super::{AGENT, fault::Fault};
use crate::rpc::frame;
use bytes::Bytes;
use http::{
    HeaderMap, Request, Response, StatusCode, Uri,
    header::{CONTENT_TYPE, TE, USER_AGENT},
    uri::Scheme,
};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use prost::Message;
use std::net::SocketAddr;

const PATH: &str = "/grpc.health.v1.Health/Check";
/// What an answer holds is a number.
const LARGEST: usize = 4096;
/// The status that passes.
const SERVING: i32 = 1;
/// The names of the statuses, by number.
const STATUSES: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/// `HealthCheckRequest`.
#[derive(Clone, PartialEq, Eq, Message)]
struct Asked {
    #[prost(string, tag = "1")]
    service: String,
}

/// `HealthCheckResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
struct Answered {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// The call for a service of an endpoint.
pub(super) fn request(scheme: Scheme, address: SocketAddr, service: &str) -> Result<Request<Full<Bytes>>, Fault> {
    let asked = Asked { service: service.to_owned() }.encode_to_vec();
    let body = frame::write(&asked).unwrap_or_default();
    let target = Uri::builder().scheme(scheme).authority(address.to_string()).path_and_query(PATH);
    Request::post(target.build().map_err(Fault::Request)?)
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers")
        .header(USER_AGENT, AGENT)
        .body(Full::new(body))
        .map_err(Fault::Request)
}

/// Whether the answer says that the service is well.
pub(super) async fn judge(response: Response<Incoming>) -> Result<(), Fault> {
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        return Err(Fault::Status(head.status));
    }
    let read = Limited::new(body, LARGEST).collect().await.map_err(|_| Fault::Malformed)?;
    // An answer without a message is a head that has the status as well.
    let trailers = read.trailers().unwrap_or(&head.headers);
    match outcome(trailers) {
        Some(0) => is_serving(&read.to_bytes()),
        Some(other) => Err(Fault::GrpcStatus(other)),
        None => Err(Fault::Malformed),
    }
}

fn outcome(trailers: &HeaderMap) -> Option<u16> {
    trailers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

fn is_serving(body: &[u8]) -> Result<(), Fault> {
    let message = frame::only(body).ok().filter(|message| message.flag == 0).ok_or(Fault::Malformed)?;
    match Answered::decode(message.bytes).map_err(|_| Fault::Malformed)?.status {
        SERVING => Ok(()),
        status => {
            let name = usize::try_from(status).ok().and_then(|status| STATUSES.get(status));
            Err(Fault::NotServing(name.copied().unwrap_or("an unknown status")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_serving_passes() {
        let judged = |body: &[u8]| is_serving(body).map_err(|fault| fault.to_string());
        assert_eq!(judged(b"\0\0\0\0\x02\x08\x01"), Ok(()));
        for (body, fault) in [
            (&b"\0\0\0\0\0"[..], "it says UNKNOWN"),
            (b"\0\0\0\0\x02\x08\x02", "it says NOT_SERVING"),
            (b"\0\0\0\0\x02\x08\x03", "it says SERVICE_UNKNOWN"),
            (b"\0\0\0\0\x02\x08\x09", "it says an unknown status"),
            (b"", "the answer is none of gRPC's health service"),
            (b"\x01\0\0\0\x02\x08\x01", "the answer is none of gRPC's health service"),
            (b"\0\0\0\0\x02\x08", "the answer is none of gRPC's health service"),
            (b"\0\0\0\0\x01\x08\x01", "the answer is none of gRPC's health service"),
        ] {
            assert_eq!(judged(body), Err(fault.to_owned()), "{body:?}");
        }
    }
}
