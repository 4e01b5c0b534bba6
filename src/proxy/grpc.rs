//! What the gateway knows of gRPC: its calls, their deadlines, and the status codes that tell
//! clients what went wrong. Messages pass unread.

use crate::metrics::grpc::GrpcStatus;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Version, header::CONTENT_TYPE};
use std::time::Duration;

/// The media type of calls.
pub(crate) const MEDIA_TYPE: &str = "application/grpc";
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Whether a request is a call. gRPC is spoken over HTTP/2 alone; gRPC-Web is another protocol.
pub(crate) fn is_call<B>(request: &Request<B>) -> bool {
    let type_ = || request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    request.version() == Version::HTTP_2
        && type_().and_then(|type_| type_.strip_prefix(MEDIA_TYPE.as_bytes())).is_some_and(|rest| {
            // `application/grpc+proto`, or with parameters.
            matches!(rest.first(), None | Some(b'+' | b';' | b' '))
        })
}

/// How long the client waits for the call, as it says itself. What cannot be read says nothing.
pub(crate) fn deadline(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u32 = digits.parse().ok()?;
    let unit = match unit {
        "H" => Duration::from_secs(3600),
        "M" => Duration::from_secs(60),
        "S" => Duration::from_secs(1),
        "m" => Duration::from_millis(1),
        "u" => Duration::from_micros(1),
        "n" => Duration::from_nanos(1),
        _ => return None,
    };
    Some(unit * number)
}

/// The status code of gRPC for one of HTTP. Where the gateway knows more than a client that sees
/// HTTP alone, it says more than gRPC's own table: what is limited or too large (8), and what took
/// too long (4).
pub(crate) const fn status_of(status: StatusCode) -> GrpcStatus {
    match status {
        StatusCode::BAD_REQUEST | StatusCode::INTERNAL_SERVER_ERROR => GrpcStatus::Internal,
        StatusCode::UNAUTHORIZED => GrpcStatus::Unauthenticated,
        StatusCode::FORBIDDEN => GrpcStatus::PermissionDenied,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
            GrpcStatus::Unimplemented
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => GrpcStatus::DeadlineExceeded,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            GrpcStatus::ResourceExhausted
        }
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE => GrpcStatus::Unavailable,
        _ => GrpcStatus::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_known_by_their_media_type() {
        let is = |version, type_: &str| {
            is_call(&Request::post("/").version(version).header(CONTENT_TYPE, type_).body(()).unwrap())
        };
        for type_ in ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"] {
            assert!(is(Version::HTTP_2, type_), "{type_}");
            assert!(!is(Version::HTTP_11, type_), "{type_} over HTTP/1.1");
        }
        for type_ in ["application/grpc-web", "application/grpc-web+proto", "application/json", ""] {
            assert!(!is(Version::HTTP_2, type_), "{type_}");
        }
    }

    #[test]
    fn deadlines_are_read_as_they_are_written() {
        let read = |text: &str| deadline(&HeaderMap::from_iter([(GRPC_TIMEOUT, text.parse().unwrap())]));
        for (text, time) in [
            ("2H", Duration::from_secs(7200)),
            ("3M", Duration::from_secs(180)),
            ("10S", Duration::from_secs(10)),
            ("250m", Duration::from_millis(250)),
            ("99999999u", Duration::from_micros(99_999_999)),
            ("0n", Duration::ZERO),
        ] {
            assert_eq!(read(text), Some(time), "{text}");
        }
        for text in ["", "S", "1", "1s", "-1S", "+1S", "1.5S", "123456789S", "1 S", "1S "] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
