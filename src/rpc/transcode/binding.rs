//! Bindings: one way to a method, and what of the request makes its message.

use super::{BadRule, MAX_BINDINGS, field, http_rule, http_rule::HttpRule, naming};
use crate::table::{Conditions, Entry, HostPattern, PathPattern, Template};
use http::Method;
use prost_reflect::{MessageDescriptor, MethodDescriptor};
use std::sync::Arc;

/// One way to a method.
#[derive(Debug)]
pub struct Binding {
    method: MethodDescriptor,
    pub(super) body: Body,
    /// The field of the reply that is its body, by its name in JSON; `None` for all of it.
    pub(super) response_body: Option<String>,
}

/// What of the message the body holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing: there must be no body.
    None,
    /// All of it.
    Whole,
    /// One field.
    Field(String),
}

impl Binding {
    /// The path of the call: `/package.Service/Method`.
    #[must_use]
    pub fn path(&self) -> String {
        path_of(&self.method)
    }

    /// The name of the method in full: `package.Service.Method`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.method.full_name()
    }

    /// Whether the client sends any number of messages.
    #[must_use]
    pub fn is_client_streaming(&self) -> bool {
        self.method.is_client_streaming()
    }

    /// Whether the service answers any number of messages.
    #[must_use]
    pub fn is_server_streaming(&self) -> bool {
        self.method.is_server_streaming()
    }

    pub(super) fn input(&self) -> MessageDescriptor {
        self.method.input()
    }

    pub(super) fn output(&self) -> MessageDescriptor {
        self.method.output()
    }
}

fn path_of(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

/// Adds the rows that lead to a method. Of equal rows the method that comes first wins.
pub(super) fn add(
    method: &MethodDescriptor,
    created: i64,
    entries: &mut Vec<Entry<Arc<Binding>>>,
    problems: &mut Vec<BadRule>,
) {
    let name: Arc<str> = method.full_name().into();
    let mut rows = vec![plain(method)];
    let rules = http_rule::of(method);
    if rules.is_empty() {
        rows.extend(naming::of(method).and_then(|named| row_of_name(method, &named)));
    }
    for rule in rules.iter().take(MAX_BINDINGS) {
        match row_of_rule(method, rule) {
            Ok(row) => rows.push(row),
            Err(problem) => problems.push(BadRule { method: name.to_string(), problem }),
        }
    }
    for ((path, methods, binding), index) in rows.into_iter().zip(0..) {
        let conditions = Conditions { methods, ..Conditions::default() };
        let (host, order, payload) = (HostPattern::Any, (Arc::clone(&name), index), Arc::new(binding));
        entries.push(Entry { host, path, conditions, created, order, payload });
    }
}

type Row = (PathPattern, Box<[Method]>, Binding);

/// The path that a client of gRPC uses.
fn plain(method: &MethodDescriptor) -> Row {
    let binding = Binding { method: method.clone(), body: Body::Whole, response_body: None };
    (PathPattern::exact(&path_of(method)), [Method::POST].into(), binding)
}

fn row_of_name(method: &MethodDescriptor, named: &naming::Named) -> Option<Row> {
    let template = Template::parse(&named.path).ok()?;
    let body = if named.has_body { Body::Whole } else { Body::None };
    let binding = Binding { method: method.clone(), body, response_body: None };
    Some((PathPattern::Template(Arc::new(template)), [named.method.clone()].into(), binding))
}

fn row_of_rule(method: &MethodDescriptor, rule: &HttpRule) -> Result<Row, String> {
    let (verb, path) = rule.pattern.as_ref().ok_or("the rule has no path")?.parts();
    let template = Template::parse(path).map_err(|error| format!("path {path:?}: {error}"))?;
    let input = method.input();
    for variable in template.fields() {
        field::find(&input, variable).map_err(|error| format!("path {path:?}: {error}"))?;
    }
    let methods: Box<[Method]> = match verb {
        "*" => Box::default(),
        verb => [verb.parse().map_err(|_| format!("{verb:?} is no method of HTTP"))?].into(),
    };
    let body = match rule.body.as_str() {
        "" => Body::None,
        "*" => Body::Whole,
        name => Body::Field(field::find(&input, name).map_err(|error| format!("body: {error}"))?.name().to_owned()),
    };
    let response_body = match rule.response_body.as_str() {
        "" => None,
        name => {
            let field = field::find(&method.output(), name).map_err(|error| format!("response_body: {error}"))?;
            Some(field.json_name().to_owned())
        }
    };
    Ok((PathPattern::Template(Arc::new(template)), methods, Binding { method: method.clone(), body, response_body }))
}
