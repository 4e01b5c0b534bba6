//! The metadata in which a service says which requests reach its methods, and the patterns made of it.
//!
//! Decoding never fails and keeps what was written. Compiling makes patterns for a routing table out of it: its order
//! of precedence then decides between services, where go-micro left it to the order of a map.

use super::registry::Metadata;
use crate::table::{Conditions, Entry, HostPattern, PathPattern};
use http::Method;
use std::sync::Arc;

mod compile;
#[cfg(test)]
pub(crate) mod tests;

pub use compile::{MAX_LIST, RuleError, RuleProblem};

/// The keys that go-micro's first generation writes always, with empty values too.
const KEYS: [&str; 6] = ["description", "endpoint", "handler", "host", "method", "path"];

/// What is written in the metadata of an endpoint. Lists are trimmed and have no empty elements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    /// The method of the service: `Say.Hello`.
    pub name: String,
    /// For people.
    pub description: String,
    /// The name of the handler.
    pub handler: String,
    /// Methods of HTTP.
    pub methods: Vec<String>,
    /// Hosts.
    pub hosts: Vec<String>,
    /// Templates and regular expressions.
    pub paths: Vec<String>,
    /// Whether requests or replies are streams.
    pub stream: bool,
    /// Who wrote it.
    pub writer: Writer,
}

/// The generations of go-micro that mean different things by the same metadata.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Writer {
    /// Version 1: paths are regular expressions that are searched for; no methods are all of them.
    First,
    /// Version 2 and later: paths are templates, or regular expressions from `^` to `$`; no methods are none.
    #[default]
    Later,
}

/// The handler that an endpoint asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// `api`: the request as a message.
    Api,
    /// `rpc`: the body as the message.
    Rpc,
    /// `event`: the request as an event.
    Event,
    /// `http` or `proxy`: the request as it is.
    Http,
    /// `web`: the same, with WebSockets.
    Web,
    /// Any other name: what the route does with requests that no endpoint takes.
    Fallback,
}

/// What reaches one method of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The method of the service: `Say.Hello`.
    pub name: Arc<str>,
    /// The handler.
    pub handler: Handler,
    /// Whether requests or replies are streams.
    pub stream: bool,
    /// The methods of HTTP, empty for all.
    pub methods: Box<[Method]>,
    /// The hosts, one at least.
    pub hosts: Box<[HostPattern]>,
    /// The paths. Empty when no request reaches the method by its metadata.
    pub paths: Box<[PathPattern]>,
}

impl Routing {
    /// Reads the metadata of an endpoint.
    #[must_use]
    pub fn decode(metadata: &Metadata) -> Self {
        let text = |key: &str| metadata.get(key).map_or("", String::as_str);
        let list = |key: &str| {
            let parts = text(key).split(',').map(str::trim);
            parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        Self {
            name: text("endpoint").to_owned(),
            description: text("description").to_owned(),
            handler: text("handler").to_owned(),
            methods: list("method"),
            hosts: list("host"),
            paths: list("path"),
            stream: text("stream") == "true",
            writer: Writer::of(metadata),
        }
    }

    /// Whether there is anything to route by. Most methods are only called by name.
    #[must_use]
    pub fn is_given(&self) -> bool {
        !(self.name.is_empty() && self.handler.is_empty() && self.paths.is_empty())
    }

    /// The patterns of it.
    ///
    /// # Errors
    /// When it names no method or handler, when a path, host or method is none, or when there are too many.
    pub fn compile(&self) -> Result<Rule, RuleError> {
        compile::compile(self)
    }
}

impl Writer {
    /// Version 1 writes all keys, and nobody else has a reason to write an empty one. A host that is not `*` makes later
    /// versions fail, so all keys with such a host are of version 1 too.
    fn of(metadata: &Metadata) -> Self {
        let mut values = KEYS.iter().map(|key| metadata.get(*key));
        let host = metadata.get("host").map_or("*", |host| host.trim());
        let an_empty_one = values.clone().flatten().any(String::is_empty);
        if values.all(|value| value.is_some()) && (an_empty_one || host != "*") { Self::First } else { Self::Later }
    }
}

impl Handler {
    /// The handler of this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "api" => Self::Api,
            "rpc" => Self::Rpc,
            "event" => Self::Event,
            "http" | "proxy" => Self::Http,
            "web" => Self::Web,
            _ => Self::Fallback,
        }
    }
}

impl Rule {
    /// The rows of a routing table: one for each host and path, all with this payload.
    ///
    /// Between equal patterns the lesser `created` decides, then the name of the service, then the order of the rows.
    pub fn entries<P: Clone>(&self, service: &Arc<str>, created: i64, payload: &P) -> impl Iterator<Item = Entry<P>> {
        let patterns = self.hosts.iter().flat_map(|host| self.paths.iter().map(move |path| (host, path)));
        patterns.zip(0..).map(move |((host, path), index)| Entry {
            host: host.clone(),
            path: path.clone(),
            conditions: Conditions { methods: self.methods.clone(), ..Conditions::default() },
            created,
            order: (Arc::clone(service), index),
            payload: payload.clone(),
        })
    }
}
