//! The error of a call, in the words of go-micro, and what it is to clients of HTTP and of gRPC.

use http::StatusCode;
use serde::{Deserialize, Serialize};

mod grpc;
#[cfg(test)]
mod tests;

pub use grpc::{
    Any, Codes, GrpcFault, RpcStatus, grpc_code, http_code, read_details, read_message, read_status, read_trailers,
    write_message,
};

/// The id of errors that the gateway makes itself, as go-micro's own gateway does.
pub const GATEWAY_ID: &str = "go.micro.api";

/// The id of errors that a client makes, when it could not call or not understand the answer.
pub const CLIENT_ID: &str = "go.micro.client";

/// The error of a call. Everything in it but the code may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Who says so: the name of a service, mostly.
    #[serde(default)]
    pub id: String,
    /// A status of HTTP, as it was sent: 0 when nothing was said, and any other number.
    #[serde(default)]
    pub code: i32,
    /// What went wrong.
    #[serde(default)]
    pub detail: String,
    /// The words of the code: `Not Found`.
    #[serde(default)]
    pub status: String,
}

/// The same in the form that leaves out what is empty, as go-micro writes it since version 2.
#[derive(Serialize)]
struct Compact<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    code: i32,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    status: &'a str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(code: &i32) -> bool {
    *code == 0
}

impl Fault {
    /// An error with the words of its code.
    #[must_use]
    pub fn new(id: &str, code: StatusCode, detail: impl Into<String>) -> Self {
        let status = code.canonical_reason().unwrap_or_default();
        Self { id: id.to_owned(), code: code.as_u16().into(), detail: detail.into(), status: status.to_owned() }
    }

    /// Reads the text of an error: the JSON of go-micro, or else plain words, which become the detail.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::from_json(text).unwrap_or_else(|| Self { detail: text.to_owned(), ..Self::default() })
    }

    /// Reads the value of a `Micro-Error` header: raw UTF-8.
    #[must_use]
    pub fn from_micro_error(value: &[u8]) -> Self {
        Self::parse(&String::from_utf8_lossy(value))
    }

    /// The JSON of an error. An object that says nothing of one is not.
    fn from_json(text: &str) -> Option<Self> {
        let fault: Self = text.trim_start().starts_with('{').then(|| serde_json::from_str(text).ok())??;
        (fault != Self::default()).then_some(fault)
    }

    /// Whether it is plain words without an origin and a code.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.id.is_empty() && self.code == 0 && self.status.is_empty()
    }

    /// Whether the service does not know the method, or takes its name for none. To a client that is a path that is not
    /// there, whatever the code says.
    #[must_use]
    pub fn is_unknown_method(&self) -> bool {
        const PLAIN: [&str; 2] = ["rpc: can't find ", "rpc: service/endpoint request ill-formed"];
        const GRPC: [&str; 3] = ["unknown service ", "unknown method ", "malformed method name"];
        let starts = |texts: &[&str]| texts.iter().any(|text| self.detail.starts_with(text));
        (self.is_plain() && starts(&PLAIN)) || (self.id == CLIENT_ID && starts(&GRPC))
    }

    /// The same with 404 for a method that the service does not know, which its own code calls 500 or 501.
    #[must_use]
    pub fn unknown_as_not_found(self) -> Self {
        if self.is_unknown_method() { Self::new(GATEWAY_ID, StatusCode::NOT_FOUND, self.detail) } else { self }
    }

    /// The status of the answer: the code where it is one of an error, else 500.
    #[must_use]
    pub fn status_code(&self) -> StatusCode {
        let code = u16::try_from(self.code).ok().filter(|code| (400..=599).contains(code));
        code.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The same with nothing left out: the code is that of the answer, with its words. Plain words get this origin, and
    /// stand behind `prefix`.
    #[must_use]
    pub fn completed(mut self, id: &str, prefix: &str) -> Self {
        if self.is_plain() {
            self.detail.insert_str(0, prefix);
            id.clone_into(&mut self.id);
        }
        let answer = self.status_code();
        if self.status.is_empty() || self.code != i32::from(answer.as_u16()) {
            answer.canonical_reason().unwrap_or_default().clone_into(&mut self.status);
        }
        self.code = answer.as_u16().into();
        self
    }

    /// The JSON with all four keys.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    fn to_compact_json(&self) -> String {
        let Self { id, code, detail, status } = self;
        serde_json::to_string(&Compact { id, code: *code, detail, status }).unwrap_or_default()
    }
}
