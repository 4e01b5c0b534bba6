//! gRPC-Web, binary and text: what browsers may send and read instead of HTTP/2 trailers.
//!
//! Messages are framed as in gRPC, see [`super::frame`]. The trailers are one frame more, and the text form is all of it
//! in Base64.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderMap;

#[cfg(test)]
mod tests;

/// The flag of the frame that holds trailers.
pub const TRAILERS: u8 = 0x80;

/// The characters that Base64 reads at once.
const QUANTUM: usize = 4;

/// How a client speaks gRPC-Web.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Web {
    /// Whether bodies are in Base64.
    pub is_text: bool,
    /// Whether messages are JSON. Else they are protobuf.
    pub is_json: bool,
}

/// Bytes that are not Base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is not Base64")]
pub struct NotBase64;

impl Web {
    /// Reads a content type, without its parameters and in any case. `None` when it is another protocol.
    #[must_use]
    pub fn of(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let (is_text, message) = match essence.strip_prefix("application/grpc-web-text") {
            Some(message) => (true, message),
            None => (false, essence.strip_prefix("application/grpc-web")?),
        };
        match message {
            "" | "+proto" => Some(Self { is_text, is_json: false }),
            "+json" => Some(Self { is_text, is_json: true }),
            _ => None,
        }
    }

    /// The content type of the reply.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match (self.is_text, self.is_json) {
            (false, false) => "application/grpc-web+proto",
            (false, true) => "application/grpc-web+json",
            (true, false) => "application/grpc-web-text+proto",
            (true, true) => "application/grpc-web-text+json",
        }
    }

    /// Bytes of a reply as the client reads them. Text is closed after each, so that nothing waits for what comes next.
    #[must_use]
    pub fn encode(self, bytes: &Bytes) -> Bytes {
        if self.is_text { BASE64_STANDARD.encode(bytes).into() } else { bytes.clone() }
    }
}

/// The frame of trailers that ends a reply.
#[must_use]
pub fn trailer_frame(trailers: &HeaderMap) -> Bytes {
    let mut lines = BytesMut::new();
    for (name, value) in trailers {
        lines.put_slice(name.as_str().as_bytes());
        lines.put_slice(b": ");
        lines.put_slice(value.as_bytes());
        lines.put_slice(b"\r\n");
    }
    let mut frame = BytesMut::with_capacity(5 + lines.len());
    frame.put_u8(TRAILERS);
    // Trailers are bounded by the header block that they came in.
    frame.put_u32(u32::try_from(lines.len()).unwrap_or(u32::MAX));
    frame.put_slice(&lines);
    frame.freeze()
}

/// Reads the text form from chunks as they come: padding may stand anywhere, where a client closed its text.
#[derive(Debug, Default)]
pub struct TextDecoder {
    left: Vec<u8>,
}

impl TextDecoder {
    /// The bytes that this chunk completes.
    ///
    /// # Errors
    /// When it is not Base64.
    pub fn decode(&mut self, chunk: &[u8]) -> Result<Bytes, NotBase64> {
        let mut bytes = Vec::with_capacity(chunk.len() / QUANTUM * 3 + 3);
        let mut rest = chunk;
        if !self.left.is_empty() {
            let (first, after) = rest.split_at(rest.len().min(QUANTUM - self.left.len()));
            self.left.extend_from_slice(first);
            rest = after;
            if self.left.len() < QUANTUM {
                return Ok(Bytes::new());
            }
            BASE64_STANDARD.decode_vec(&self.left, &mut bytes).map_err(|_| NotBase64)?;
            self.left.clear();
        }
        let (whole, left) = rest.split_at(rest.len() / QUANTUM * QUANTUM);
        // Each closed text is decoded by itself: behind padding another one starts.
        let mut start = 0;
        for end in (QUANTUM..=whole.len()).step_by(QUANTUM) {
            if whole[..end].ends_with(b"=") || end == whole.len() {
                BASE64_STANDARD.decode_vec(&whole[start..end], &mut bytes).map_err(|_| NotBase64)?;
                start = end;
            }
        }
        self.left.extend_from_slice(left);
        Ok(bytes.into())
    }

    /// To be asked when no more chunks come.
    ///
    /// # Errors
    /// When the text ends within a character.
    pub fn finish(&self) -> Result<(), NotBase64> {
        if self.left.is_empty() { Ok(()) } else { Err(NotBase64) }
    }
}
