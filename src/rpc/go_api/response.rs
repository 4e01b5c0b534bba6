//! A message as a response of HTTP.

use super::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// Headers that only the connection to the client may say.
const FRAMING: [HeaderName; 7] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// Why a message is no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadResponse {
    /// The status is none that ends a request.
    #[error("the service answered with status {0}, and it must be from 200 to 999")]
    Status(i32),
    /// A header has characters that no header has.
    #[error("the service answered with a header that is none: {0:?}")]
    Header(String),
}

impl Response {
    /// The response, whose content type is JSON unless the service says otherwise.
    ///
    /// # Errors
    /// When it is none.
    pub fn into_http(self) -> Result<http::Response<Bytes>, BadResponse> {
        let status = self.status()?;
        let mut headers = HeaderMap::new();
        for pair in self.header.into_values() {
            let name = HeaderName::from_bytes(pair.key.as_bytes()).map_err(|_| BadResponse::Header(pair.key))?;
            if FRAMING.contains(&name) {
                continue;
            }
            for value in pair.values {
                let value = HeaderValue::try_from(value).map_err(|_| BadResponse::Header(name.to_string()))?;
                headers.append(&name, value);
            }
        }
        let json = HeaderValue::from_static("application/json");
        headers.entry(header::CONTENT_TYPE).or_insert(json);
        let mut response = http::Response::new(Bytes::from(self.body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    fn status(&self) -> Result<StatusCode, BadResponse> {
        if self.status_code == 0 {
            return Ok(StatusCode::OK);
        }
        let status = u16::try_from(self.status_code).ok().and_then(|code| StatusCode::from_u16(code).ok());
        status.filter(|status| !status.is_informational()).ok_or(BadResponse::Status(self.status_code))
    }
}
