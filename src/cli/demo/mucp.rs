//! The greeter as services of go-micro are called: the head says what is called and in which encoding, the body is the
//! message, and an error is a field of the reply's head.

use super::{MOST_BYTES, greeter, plain};
use crate::rpc::{codec::Codec, fault::Fault};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;

const ERROR: HeaderName = HeaderName::from_static("micro-error");

/// Answers a call.
pub(super) async fn answer(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MOST_BYTES).collect().await else { return plain(StatusCode::BAD_REQUEST) };
    let codec = Codec::of(field(&head.headers, "content-type")).unwrap_or(Codec::Json);
    let method = field(&head.headers, "micro-endpoint");
    let mut response = match call(method, codec, &body.to_bytes()) {
        Ok(message) => Response::new(Full::new(message)),
        Err(fault) => failed(&fault),
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(codec.content_type()));
    response
}

fn call(method: &str, codec: Codec, body: &Bytes) -> Result<Bytes, Fault> {
    let bad = |error: String| Fault::new(greeter::NAME, StatusCode::BAD_REQUEST, error);
    if matches!(codec, Codec::JsonRpc | Codec::ProtoRpc) {
        return Err(bad(format!("unsupported Content-Type: {}", codec.content_type())));
    }
    let message = codec.open_request(body).map_err(|error| bad(error.to_string()))?;
    let reply = greeter::call(method, codec, &message)?;
    // What has no envelope is sealed alike in both directions.
    codec.seal(method, 0, &reply).map_err(|error| bad(error.to_string()))
}

/// Errors of this protocol have the status 200 too.
fn failed(fault: &Fault) -> Response<Full<Bytes>> {
    let mut response = plain(StatusCode::OK);
    if let Ok(error) = HeaderValue::try_from(fault.to_json()) {
        response.headers_mut().insert(ERROR, error);
    }
    response
}

fn field<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
