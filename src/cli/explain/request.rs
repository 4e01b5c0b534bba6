//! The request that is asked about, as a client would send it.

use crate::table::{Ambiguity, RequestView, normalise};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};

/// A request.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    /// `http` or `https`.
    pub(super) scheme: String,
    /// In lower case, without port; empty where none is known.
    pub(super) host: String,
    /// In the canonical form that is matched.
    pub(super) path: String,
    pub(super) ambiguity: Option<Ambiguity>,
    pub(super) query: Option<String>,
    headers: HeaderMap,
}

impl Asked {
    /// Reads what was typed.
    pub(super) fn parse(url: &str, method: &str, headers: &[String]) -> Result<Self, String> {
        let uri = parse_url(url)?;
        let headers = headers.iter().map(|text| parse_header(text)).collect::<Result<HeaderMap, _>>()?;
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).or(uri.host()).unwrap_or_default();
        let path = normalise(uri.path());
        Ok(Self {
            method: Method::from_bytes(method.as_bytes()).map_err(|_| format!("`{method}` is no HTTP method"))?,
            scheme: uri.scheme_str().unwrap_or("http").to_owned(),
            host: host_name(host),
            path: path.path.into_owned(),
            ambiguity: path.ambiguity,
            query: uri.query().map(str::to_owned),
            headers,
        })
    }

    /// What the table sees of it.
    pub(super) fn view(&self) -> RequestView<'_> {
        RequestView {
            host: &self.host,
            path: &self.path,
            method: &self.method,
            headers: &self.headers,
            query: self.query.as_deref(),
        }
    }
}

/// A path alone, or a host and path without a scheme, is plain HTTP.
fn parse_url(url: &str) -> Result<Uri, String> {
    let full = if url.contains("://") || url.starts_with('/') { url.to_owned() } else { format!("http://{url}") };
    let wrong = || format!("`{url}` is no URL: write one such as http://api.example.com/users/7?q=1");
    let uri: Uri = full.parse().map_err(|_| wrong())?;
    let scheme = uri.scheme_str().unwrap_or("http");
    if scheme == "http" || scheme == "https" { Ok(uri) } else { Err(wrong()) }
}

fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let parse = || {
        let (name, value) = text.split_once(':')?;
        Some((HeaderName::from_bytes(name.trim().as_bytes()).ok()?, HeaderValue::from_str(value.trim()).ok()?))
    };
    parse().ok_or_else(|| format!("`{text}` is no header field: write it as in 'X-Version: 2'"))
}

fn host_name(host: &str) -> String {
    let port = host.rfind(':').filter(|at| host[*at + 1..].bytes().all(|byte| byte.is_ascii_digit()));
    let name = port.map_or(host, |at| &host[..at]);
    name.trim_end_matches('.').to_ascii_lowercase()
}
