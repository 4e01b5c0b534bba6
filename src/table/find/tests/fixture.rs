//! Entries and requests, written short.

use crate::table::{Conditions, Entry, HostPattern, PathPattern, RequestView, ValuePattern, anchored};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// Empty for any host, `*.a` for any labels before `a`, `+.a` for one.
pub(super) fn host(text: &str) -> HostPattern {
    match (text, text.strip_prefix("*."), text.strip_prefix("+.")) {
        ("", ..) => HostPattern::Any,
        (_, Some(suffix), _) => HostPattern::Wildcard(suffix.into()),
        (_, _, Some(suffix)) => HostPattern::WildcardLabel(suffix.into()),
        _ => HostPattern::Exact(text.into()),
    }
}

/// `=/a` exact, `~/a.*` expression, `/a/{b}` template, else a prefix.
pub(super) fn path(text: &str) -> PathPattern {
    match (text.strip_prefix('='), text.strip_prefix('~')) {
        (Some(exact), _) => PathPattern::exact(exact),
        (_, Some(regex)) => PathPattern::regex(regex).unwrap(),
        _ if text.contains(['{', '*', ':']) => PathPattern::template(text).unwrap(),
        _ => PathPattern::prefix(text),
    }
}

pub(super) fn entry(name: &'static str, at: &str, on: &str) -> Entry<&'static str> {
    Entry {
        host: host(at),
        path: path(on),
        conditions: Conditions::default(),
        created: 0,
        order: ("ns/name".into(), 0),
        payload: name,
    }
}

pub(super) fn with_methods(mut entry: Entry<&'static str>, methods: &[Method]) -> Entry<&'static str> {
    entry.conditions.methods = methods.into();
    entry
}

pub(super) fn header(name: &'static str, value: &str) -> (HeaderName, ValuePattern) {
    (HeaderName::from_static(name), value_pattern(value))
}

pub(super) fn query(name: &str, value: &str) -> (std::sync::Arc<str>, ValuePattern) {
    (name.into(), value_pattern(value))
}

pub(super) fn value_pattern(text: &str) -> ValuePattern {
    match text.strip_prefix('~') {
        Some(regex) => ValuePattern::Regex(anchored(regex).unwrap()),
        None => ValuePattern::Exact(text.into()),
    }
}

/// A request that owns what a view borrows.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) host: String,
    pub(super) path: String,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) query: Option<String>,
}

impl Request {
    pub(super) fn get(host: &str, path: &str) -> Self {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query.to_owned())));
        Self { host: host.into(), path: path.into(), method: Method::GET, headers: HeaderMap::new(), query }
    }

    pub(super) fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.append(name, HeaderValue::from_static(value));
        self
    }

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
