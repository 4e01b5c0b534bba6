//! Streams of JSON messages as plain HTTP carries them: one to a line, or as events for a browser.

use super::fault::Fault;
use bytes::{BufMut, Bytes, BytesMut};

/// How a client wants a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One message to a line.
    Lines,
    /// Server-sent events.
    Events,
}

impl Form {
    /// The form that an `Accept` header prefers. `None` when it names neither, so that a stream is no answer to it.
    #[must_use]
    pub fn accepted(accept: &str) -> Option<Self> {
        let mut best: Option<(Self, u16)> = None;
        for range in accept.split(',') {
            let Some((form, quality)) = Self::range(range) else { continue };
            // Of equal wishes the first one counts.
            if quality > 0 && best.is_none_or(|(_, known)| quality > known) {
                best = Some((form, quality));
            }
        }
        best.map(|(form, _)| form)
    }

    /// The form and how much it is wanted, in thousandths.
    fn range(range: &str) -> Option<(Self, u16)> {
        let mut parts = range.split(';').map(str::trim);
        let form = match parts.next()?.to_ascii_lowercase().as_str() {
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Self::Lines,
            "text/event-stream" => Self::Events,
            _ => return None,
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some((form, quality.map_or(1000, thousandths)))
    }

    /// The content type of the response.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Lines => "application/x-ndjson",
            Self::Events => "text/event-stream",
        }
    }

    /// One message. Line breaks can only stand between the values of JSON, and become spaces.
    #[must_use]
    pub fn message(self, json: &[u8]) -> Bytes {
        self.write(None, json.trim_ascii())
    }

    /// The error that ends a stream: a line `{"error": ...}`, or an event `error`.
    #[must_use]
    pub fn error(self, fault: &Fault) -> Bytes {
        self.failure(fault.to_json().as_bytes())
    }

    /// The same with any JSON that tells the error.
    #[must_use]
    pub fn failure(self, json: &[u8]) -> Bytes {
        match self {
            Self::Lines => self.write(None, &[br#"{"error":"#, json, b"}"].concat()),
            Self::Events => self.write(Some("error"), json),
        }
    }

    /// What ends a stream without an error: an event `end`, without which a browser would start it again; no line.
    #[must_use]
    pub fn end(self) -> Bytes {
        match self {
            Self::Lines => Bytes::new(),
            Self::Events => self.write(Some("end"), b"{}"),
        }
    }

    fn write(self, event: Option<&str>, json: &[u8]) -> Bytes {
        let mut text = BytesMut::with_capacity(json.len() + 24);
        if let Some(event) = event {
            text.put_slice(format!("event: {event}\n").as_bytes());
        }
        if self == Self::Events {
            text.put_slice(b"data: ");
        }
        let start = text.len();
        text.put_slice(json);
        for byte in text.iter_mut().skip(start).filter(|byte| matches!(byte, b'\n' | b'\r')) {
            *byte = b' ';
        }
        text.put_slice(if self == Self::Events { b"\n\n" } else { b"\n" });
        text.freeze()
    }
}

/// A quality of RFC 9110, 12.4.2: up to three digits behind the point.
fn thousandths(text: &str) -> u16 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    match whole {
        "1" => 1000,
        "0" => format!("{part:0<3}").parse().unwrap_or_default(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::Form;
    use crate::rpc::fault::Fault;
    use http::StatusCode;
    use proptest::prelude::*;

    #[test]
    fn the_form_is_the_one_that_is_wanted_most() {
        assert_eq!(Form::accepted("application/json, text/event-stream"), Some(Form::Events));
        assert_eq!(Form::accepted("text/event-stream;q=0.5, application/x-ndjson"), Some(Form::Lines));
        assert_eq!(Form::accepted("application/jsonl, text/event-stream"), Some(Form::Lines));
        assert_eq!(Form::accepted("Text/Event-Stream; q=0.001"), Some(Form::Events));
        for accept in ["", "*/*", "application/json", "text/event-stream;q=0", "text/event-stream;q=0.000"] {
            assert_eq!(Form::accepted(accept), None, "{accept}");
        }
    }

    #[test]
    fn a_message_is_one_line() {
        let json = b"{\n  \"a\": \"b\\n\"\r\n}\n";
        assert_eq!(Form::Lines.message(json), "{   \"a\": \"b\\n\"  }\n");
        assert_eq!(Form::Events.message(json), "data: {   \"a\": \"b\\n\"  }\n\n");
    }

    #[test]
    fn a_stream_says_how_it_ended() {
        let fault = Fault::new("greeter", StatusCode::CONFLICT, "refused");
        let json = fault.to_json();
        assert_eq!(Form::Lines.error(&fault), format!("{{\"error\":{json}}}\n"));
        assert_eq!(Form::Events.error(&fault), format!("event: error\ndata: {json}\n\n"));
        assert_eq!((&*Form::Lines.end(), &*Form::Events.end()), (&b""[..], &b"event: end\ndata: {}\n\n"[..]));
    }

    proptest! {
        #[test]
        fn no_header_and_no_message_breaks_it(accept in ".{0,40}", json in proptest::collection::vec(any::<u8>(), 0..30)) {
            let _ = Form::accepted(&accept);
            let line = Form::Lines.message(&json);
            prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        }
    }
}
