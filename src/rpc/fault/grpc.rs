//! Errors as gRPC carries them: a status, a message, and details.
//!
//! The tables of codes are those of go-micro's servers, and of the clients that read them back (version 4 and later);
//! and beside them the one of other gateways, for services that are not go-micro's.

use super::{CLIENT_ID, Fault};
use base64::{
    Engine as _,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};
use prost::Message;

/// The type of the detail that holds a go-micro error.
const ERROR_TYPE: &str = "type.googleapis.com/errors.Error";

/// What `grpc-message` encodes: all but printable ASCII, and the percent sign.
const MESSAGE: &AsciiSet = &CONTROLS.add(b'%');

/// Base64 with or without padding: both are sent.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// `google.rpc.Status`: what `grpc-status-details-bin` holds.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct RpcStatus {
    /// The status.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// The message, not encoded.
    #[prost(string, tag = "2")]
    pub message: String,
    /// The details.
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

/// `google.protobuf.Any`: a message and its type.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Any {
    /// The type, behind a slash.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The message.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// `errors.Error` of go-micro.
#[derive(Clone, PartialEq, Eq, Message)]
struct ErrorDetail {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(int32, tag = "2")]
    code: i32,
    #[prost(string, tag = "3")]
    detail: String,
    #[prost(string, tag = "4")]
    status: String,
}

/// The status, in numbers of gRPC, of a code of HTTP in an error.
#[must_use]
pub const fn grpc_code(http: i32) -> u32 {
    match http {
        400 => 3,
        401 => 16,
        403 => 7,
        404 => 5,
        408 => 4,
        409 => 6,
        412 => 9,
        500 => 13,
        501 => 12,
        503 => 14,
        _ => 2,
    }
}

/// Which codes of HTTP stand for the statuses of gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codes {
    /// As clients of go-micro read their own servers (version 4 and later). Of other statuses they say 500.
    Micro,
    /// As other gateways read any service.
    Standard,
}

/// The code of HTTP of a status of gRPC.
#[must_use]
pub const fn http_code(grpc: u32, codes: Codes) -> StatusCode {
    match (grpc, codes) {
        (3, _) | (9 | 11, Codes::Standard) => StatusCode::BAD_REQUEST,
        (16, _) => StatusCode::UNAUTHORIZED,
        (7, _) => StatusCode::FORBIDDEN,
        (5, _) => StatusCode::NOT_FOUND,
        (4, Codes::Micro) => StatusCode::REQUEST_TIMEOUT,
        (4, Codes::Standard) => StatusCode::GATEWAY_TIMEOUT,
        (6, _) | (10, Codes::Standard) => StatusCode::CONFLICT,
        (9, Codes::Micro) => StatusCode::PRECONDITION_FAILED,
        (8, Codes::Standard) => StatusCode::TOO_MANY_REQUESTS,
        (12, _) => StatusCode::NOT_IMPLEMENTED,
        (14, _) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Reads the outcome of a call from the trailers of a reply, or from the head of one that has nothing else.
///
/// # Errors
/// The error that the service answered.
pub fn read_trailers(trailers: &HeaderMap, codes: Codes) -> Result<(), GrpcFault> {
    let status = trailers.get("grpc-status").and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let Some(status) = status else { return Err(GrpcFault::NoStatus) };
    if status == 0 {
        return Ok(());
    }
    let message = trailers.get("grpc-message").map_or_else(String::new, |value| read_message(value.as_bytes()));
    let details = trailers.get("grpc-status-details-bin").and_then(|value| read_details(value.as_bytes()));
    Err(GrpcFault::Answered(fault_of(http_code(status, codes), message, details.as_ref())))
}

/// Reads the outcome of a call with all that is said of it; 0 is success. `None` where none is told, as in the head of a
/// reply that goes on.
#[must_use]
pub fn read_status(trailers: &HeaderMap) -> Option<RpcStatus> {
    let code = trailers.get("grpc-status")?.to_str().ok()?.trim().parse().ok()?;
    let message = trailers.get("grpc-message").map_or_else(String::new, |value| read_message(value.as_bytes()));
    let details = trailers.get("grpc-status-details-bin").and_then(|value| read_details(value.as_bytes()));
    let details = details.map(|status| status.details).unwrap_or_default();
    Some(RpcStatus { code, message, details })
}

/// Why a call by gRPC came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrpcFault {
    /// There is no status where one must be: not a reply of gRPC, or one that was cut off.
    NoStatus,
    /// The service answered an error.
    Answered(Fault),
}

/// The detail of go-micro's error, or its JSON in the message, or the message itself.
fn fault_of(code: StatusCode, message: String, details: Option<&RpcStatus>) -> Fault {
    if let Some(fault) = details.and_then(detailed) {
        return fault;
    }
    match Fault::from_json(&message) {
        Some(fault) if fault.code > 0 => fault,
        _ => Fault::new(CLIENT_ID, code, message),
    }
}

fn detailed(status: &RpcStatus) -> Option<Fault> {
    let any = status.details.iter().find(|any| any.type_url == ERROR_TYPE)?;
    let ErrorDetail { id, code, detail, status } = ErrorDetail::decode(any.value.as_slice()).ok()?;
    Some(Fault { id, code, detail, status })
}

/// Reads the value of `grpc-message`. What is not UTF-8 in it is replaced.
#[must_use]
pub fn read_message(value: &[u8]) -> String {
    percent_decode(value).decode_utf8_lossy().into_owned()
}

/// The value of `grpc-message` for a text.
#[must_use]
pub fn write_message(text: &str) -> String {
    utf8_percent_encode(text, MESSAGE).to_string()
}

/// Reads the value of `grpc-status-details-bin`, if it is one.
#[must_use]
pub fn read_details(value: &[u8]) -> Option<RpcStatus> {
    RpcStatus::decode(BASE64.decode(value).ok()?.as_slice()).ok()
}

impl Fault {
    /// The error for a client of gRPC: the status, and the values of `grpc-message` and `grpc-status-details-bin`.
    #[must_use]
    pub fn to_grpc(&self) -> (u32, String, String) {
        let (code, message) = (grpc_code(self.code), self.to_compact_json());
        let Self { id, code: http, detail, status } = self.clone();
        let value = ErrorDetail { id, code: http, detail, status }.encode_to_vec();
        let details = vec![Any { type_url: ERROR_TYPE.to_owned(), value }];
        let encoded = write_message(&message);
        let status = RpcStatus { code: code.cast_signed(), message, details };
        (code, encoded, BASE64.encode(status.encode_to_vec()))
    }
}
