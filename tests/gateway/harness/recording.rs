//! Recordings of real go-micro services and gateways: one JSON object a line, with the exchange of
//! a client and the one that it caused with a service.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;

/// A message as it stood on the wire.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorded {
    /// The first line.
    pub(crate) start: String,
    /// The fields in order.
    pub(crate) fields: Vec<(String, String)>,
    /// The body without its framing; `None` where the recording has only its length and hash.
    pub(crate) body: Option<Vec<u8>>,
    /// All bytes.
    pub(crate) bytes: Vec<u8>,
    /// The sender closed before the end.
    pub(crate) is_cut: bool,
}

impl Recorded {
    /// Reads one.
    pub(crate) fn of(message: &Value) -> Option<Self> {
        let start = text(&message["start"])?;
        let fields = message["headers"].as_array()?.iter();
        let fields: Vec<_> = fields.filter_map(|field| Some((text(&field[0])?, text(&field[1])?))).collect();
        let body = match text(&message["body_text"]) {
            Some(body) => Some(body.into_bytes()),
            None => decoded(&message["body_base64"]),
        };
        let mut recorded = Self { start, fields, body, bytes: Vec::new(), is_cut: message["incomplete"] == true };
        recorded.bytes = decoded(&message["bytes_base64"]).unwrap_or_else(|| recorded.assembled(&message["trailers"]));
        Some(recorded)
    }

    fn assembled(&self, trailers: &Value) -> Vec<u8> {
        let lines = |fields: &[(String, String)]| {
            fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<String>()
        };
        let mut bytes = format!("{}\r\n{}\r\n", self.start, lines(&self.fields)).into_bytes();
        let body = self.body.as_deref().unwrap_or_default();
        if self.value("transfer-encoding") != Some("chunked") {
            bytes.extend(body);
            return bytes;
        }
        bytes.extend(format!("{:x}\r\n", body.len()).bytes());
        bytes.extend(body);
        let trailers = trailers.as_array().into_iter().flatten();
        let trailers: Vec<_> = trailers.filter_map(|field| Some((text(&field[0])?, text(&field[1])?))).collect();
        bytes.extend(format!("\r\n0\r\n{}\r\n", lines(&trailers)).bytes());
        bytes
    }

    /// The first value of a field.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A frame of a WebSocket: who sent it, and its bytes.
#[derive(Clone, Debug)]
pub(crate) struct RecordedFrame {
    /// The client did.
    pub(crate) from_client: bool,
    /// As they stood on the wire.
    pub(crate) bytes: Vec<u8>,
}

/// The key that recorded clients mask with.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

impl RecordedFrame {
    fn of(frame: &Value) -> Option<Self> {
        let code = match frame["op"].as_str()? {
            "continuation" | "cont" => 0,
            "text" => 1,
            "binary" => 2,
            "close" => 8,
            "ping" => 9,
            "pong" => 10,
            _ => return None,
        };
        let payload = payload(frame)?;
        let from_client = frame["dir"] == "c2s";
        let length = payload.len();
        let masked = u8::from(from_client) << 7;
        let mut bytes = vec![u8::from(frame["fin"] != false) << 7 | code];
        match length {
            0..=125 => bytes.push(masked | u8::try_from(length).ok()?),
            126..=0xffff => {
                bytes.push(masked | 126);
                bytes.extend(u16::try_from(length).ok()?.to_be_bytes());
            }
            _ => {
                bytes.push(masked | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        if from_client {
            bytes.extend(MASK);
            bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        } else {
            bytes.extend(payload);
        }
        Some(Self { from_client, bytes })
    }
}

fn payload(frame: &Value) -> Option<Vec<u8>> {
    let length = usize::try_from(frame["len"].as_u64()?).ok()?;
    let mut payload = match frame["code"].as_u64() {
        Some(code) => u16::try_from(code).ok()?.to_be_bytes().to_vec(),
        None => Vec::new(),
    };
    payload.extend(text(&frame["reason"]).or_else(|| text(&frame["text"])).unwrap_or_default().bytes());
    payload.extend(decoded(&frame["base64"]).unwrap_or_default());
    if let Some(head) = text(&frame["head"]) {
        // Of what is long there is the head alone, which repeats.
        payload.extend(head.bytes().cycle().take(length));
    }
    (payload.len() == length).then_some(payload)
}

/// One line of a file.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    /// Its name.
    pub(crate) name: String,
    /// What the client sent and got.
    pub(crate) client: (Option<Recorded>, Option<Recorded>),
    /// What the service was sent and answered.
    pub(crate) service: (Option<Recorded>, Option<Recorded>),
    /// The frames after an upgrade, in the order in which they came; `None` where one is unknown.
    pub(crate) frames: Option<Vec<RecordedFrame>>,
}

impl Recording {
    fn of(line: &str) -> Self {
        let record: Value = serde_json::from_str(line).expect("a recording must be JSON");
        let pair = |of: &Value| (Recorded::of(&of["request"]), Recorded::of(&of["response"]));
        let frames = record["ws_frames"]
            .as_array()
            .map_or(Some(Vec::new()), |frames| frames.iter().map(RecordedFrame::of).collect());
        Self {
            name: text(&record["name"]).expect("a recording must have a name"),
            client: pair(&record["http"]),
            service: pair(&record),
            frames,
        }
    }
}

/// All recordings of a file in `tests/data/go-micro`.
pub(crate) fn recordings(file: &str) -> Vec<Recording> {
    let path = format!("{}/tests/data/go-micro/{file}", env!("CARGO_MANIFEST_DIR"));
    let lines = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    lines.lines().map(Recording::of).collect()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn decoded(value: &Value) -> Option<Vec<u8>> {
    Some(BASE64_STANDARD.decode(value.as_str()?).expect("recordings must be base64"))
}
