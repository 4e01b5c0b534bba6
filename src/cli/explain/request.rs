//! The request that is asked about, as a client would send it.

use crate::{
    proxy::admission,
    table::{Ambiguity, RequestView, normalise},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, header::HOST};
use std::borrow::Cow;

/// A request.
#[derive(Debug)]
pub(super) struct Asked {
    /// As the gateway would receive it.
    pub(super) sent: Request<()>,
    /// `http` or `https`.
    pub(super) scheme: String,
    /// In lower case, without port; empty where none is known.
    pub(super) host: String,
    /// In the canonical form that is matched.
    pub(super) path: String,
    pub(super) ambiguity: Option<Ambiguity>,
}

impl Asked {
    /// Reads what was typed.
    pub(super) fn parse(url: &str, method: &str, headers: &[String]) -> Result<Self, String> {
        let uri = parse_url(url)?;
        let headers = headers.iter().map(|text| parse_header(text)).collect::<Result<HeaderMap, _>>()?;
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| format!("`{method}` is no HTTP method"))?;
        let sent = send(&uri, method, headers);
        let path = normalise(sent.uri().path());
        Ok(Self {
            scheme: uri.scheme_str().unwrap_or("http").to_owned(),
            host: admission::host(&sent).map(Cow::into_owned).unwrap_or_default(),
            path: path.path.into_owned(),
            ambiguity: path.ambiguity,
            sent,
        })
    }

    /// What the table sees of it.
    pub(super) fn view(&self) -> RequestView<'_> {
        RequestView {
            host: &self.host,
            path: &self.path,
            method: self.sent.method(),
            headers: self.sent.headers(),
            query: self.sent.uri().query(),
        }
    }

    /// The path as it came.
    pub(super) fn raw_path(&self) -> &str {
        self.sent.uri().path()
    }
}

/// The request in origin form. Where neither the URL nor a field names a host, it is one of
/// HTTP/1.0, which needs none.
fn send(uri: &Uri, method: Method, mut headers: HeaderMap) -> Request<()> {
    let named = uri.authority().map(|authority| match authority.port() {
        Some(port) => format!("{}:{port}", authority.host()),
        None => authority.host().to_owned(),
    });
    if !headers.contains_key(HOST)
        && let Some(host) = named.and_then(|host| HeaderValue::try_from(host).ok())
    {
        headers.insert(HOST, host);
    }
    let mut request = Request::new(());
    *request.version_mut() = if headers.contains_key(HOST) { Version::HTTP_11 } else { Version::HTTP_10 };
    *request.method_mut() = method;
    *request.uri_mut() = uri.path_and_query().cloned().map_or_else(Uri::default, Uri::from);
    *request.headers_mut() = headers;
    request
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
