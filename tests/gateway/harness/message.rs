//! HTTP/1 messages as they stand on the wire: names, order and case are kept.

/// The first line and the fields of a message.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// The head, byte for byte, without the empty line.
    pub(crate) raw: String,
    /// The fields in order.
    pub(crate) fields: Vec<(String, String)>,
}

impl Head {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let raw = String::from_utf8_lossy(bytes).into_owned();
        let fields = raw.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        let fields = fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        Self { raw, fields }
    }

    /// The first line.
    pub(crate) fn first_line(&self) -> &str {
        self.raw.split("\r\n").next().unwrap_or_default()
    }

    /// All values of a field.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a field that is there once or not at all.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} stands there more than once: {}", self.raw);
        all.first().copied()
    }

    /// What Content-Length says.
    pub(crate) fn length_of_body(&self) -> Option<usize> {
        self.one("content-length").map(|value| value.parse().expect("Content-Length must be a number"))
    }

    /// Whether the body is chunked.
    pub(crate) fn is_chunked(&self) -> bool {
        self.one("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// The status code.
    pub(crate) status: u16,
    /// Status line and fields.
    pub(crate) head: Head,
    /// The body without its framing.
    pub(crate) body: Vec<u8>,
    /// Fields after a chunked body.
    pub(crate) trailers: Vec<(String, String)>,
}

impl Reply {
    /// The value of a field that is there once or not at all.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.one(name)
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON: {error}: {self:?}"))
    }

    /// The backend that answered, if one did.
    pub(crate) fn backend(&self) -> Option<&str> {
        self.field("x-backend")
    }
}
