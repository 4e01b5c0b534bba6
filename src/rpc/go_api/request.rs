//! A request of HTTP as a message.

use super::{Pair, Pairs, Request};
use http::{HeaderMap, HeaderValue, Method, header};
use percent_encoding::percent_decode_str;

/// What a body is called when nothing is said of it.
const PLAIN: &str = "text/plain; charset=UTF-8";

/// What is known of a request besides its body.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path, percent-encoded.
    pub path: &'a str,
    /// The query, without its question mark.
    pub query: Option<&'a str>,
    /// The host, as the client sent it.
    pub host: &'a str,
    /// The headers, as they would be forwarded: with the addresses of clients in `X-Forwarded-For`.
    pub headers: &'a HeaderMap,
}

/// The body is not text, which a message cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is not UTF-8, and the service takes nothing else")]
pub struct NotText;

impl Request {
    /// The message of a request.
    ///
    /// # Errors
    /// When the body is not UTF-8.
    pub fn of_http(incoming: &Incoming<'_>, body: &[u8]) -> Result<Self, NotText> {
        let content_type = content_type(incoming.headers);
        let is_form = essence(&content_type).eq_ignore_ascii_case("application/x-www-form-urlencoded");
        let body = std::str::from_utf8(body).map_err(|_| NotText)?;
        let mut header = header_pairs(incoming.headers);
        insert(&mut header, "Host", incoming.host.to_owned());
        insert(&mut header, "Content-Type", content_type);
        Ok(Self {
            method: incoming.method.to_string(),
            path: percent_decode_str(incoming.path).decode_utf8_lossy().into_owned(),
            header,
            get: fields(incoming.query.unwrap_or_default()),
            post: if is_form { fields(body) } else { Pairs::new() },
            body: if is_form { String::new() } else { body.to_owned() },
            url: url(incoming),
        })
    }
}

fn url(incoming: &Incoming<'_>) -> String {
    match incoming.query {
        Some(query) => format!("{}?{query}", incoming.path),
        None => incoming.path.to_owned(),
    }
}

fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// The content type, if it is one.
fn content_type(headers: &HeaderMap) -> String {
    let is_name = |name: &str| !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '/');
    let is_type =
        |text: &&str| essence(text).split_once('/').is_some_and(|(kind, name)| is_name(kind) && is_name(name));
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    said.filter(is_type).unwrap_or(PLAIN).to_owned()
}

/// Fields of a query or form, with all their values.
fn fields(text: &str) -> Pairs {
    let mut pairs = Pairs::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        add(&mut pairs, name.into_owned(), value.into_owned());
    }
    pairs
}

fn header_pairs(headers: &HeaderMap) -> Pairs {
    let mut pairs = Pairs::new();
    for (name, value) in headers {
        add(&mut pairs, canonical(name.as_str()), text(value));
    }
    pairs
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn add(pairs: &mut Pairs, name: String, value: String) {
    pairs.entry(name).or_insert_with_key(|name| Pair { key: name.clone(), values: Vec::new() }).values.push(value);
}

fn insert(pairs: &mut Pairs, name: &str, value: String) {
    pairs.insert(name.to_owned(), Pair { key: name.to_owned(), values: vec![value] });
}

/// The name of a header in the letters that Go writes: the first one of each word is upper case.
fn canonical(name: &str) -> String {
    let mut starts = true;
    let letter = |character: char| {
        let written = if starts { character.to_ascii_uppercase() } else { character };
        starts = character == '-';
        written
    };
    name.chars().map(letter).collect()
}
