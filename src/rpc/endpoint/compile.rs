//! From written metadata to patterns.

use super::{Handler, Routing, Rule, Writer};
use crate::table::{HostPattern, PathPattern, PatternError, TemplateError};
use http::Method;

/// The most methods, hosts or paths of one endpoint.
pub const MAX_LIST: usize = 32;

/// Why metadata routes nothing.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct RuleError {
    /// The key of the metadata.
    pub key: &'static str,
    /// What is wrong with its value.
    pub problem: RuleProblem,
}

/// What is wrong with the value of a key.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RuleProblem {
    /// There must be a value.
    #[error("it is empty, and must be given")]
    Empty,
    /// Too many elements.
    #[error("it lists more than {MAX_LIST}")]
    TooMany,
    /// Not a method of HTTP.
    #[error("{0:?} is no method")]
    Method(String),
    /// Not a host.
    #[error("{0:?} is no host: write a name, *.suffix, or * for all")]
    Host(String),
    /// A regular expression that is open at one end.
    #[error("{0:?} has only one of ^ and $: write both for an expression, none for a template")]
    HalfAnchored(String),
    /// Not a template.
    #[error("{0:?} is no {1}")]
    Template(String, TemplateError),
    /// Not a regular expression.
    #[error("{0:?} is no {1}")]
    Regex(String, PatternError),
}

type Compiled<T> = Result<T, RuleProblem>;

pub(super) fn compile(routing: &Routing) -> Result<Rule, RuleError> {
    let at = |key| move |problem| RuleError { key, problem };
    given(&routing.name).map_err(at("endpoint"))?;
    given(&routing.handler).map_err(at("handler"))?;
    let methods = each(&routing.methods, method).map_err(at("method"))?;
    let hosts = each(&routing.hosts, host).map_err(at("host"))?;
    let paths = each(&routing.paths, |text| path(text, routing.writer)).map_err(at("path"))?;
    let unreachable = routing.writer == Writer::Later && methods.is_empty();
    Ok(Rule {
        name: routing.name.as_str().into(),
        handler: Handler::named(&routing.handler),
        stream: routing.stream,
        methods: methods.into(),
        hosts: if hosts.is_empty() { [HostPattern::Any].into() } else { hosts.into() },
        paths: if unreachable { [].into() } else { paths.into() },
    })
}

fn given(value: &str) -> Compiled<()> {
    if value.is_empty() { Err(RuleProblem::Empty) } else { Ok(()) }
}

fn each<T>(list: &[String], compile: impl Fn(&str) -> Compiled<T>) -> Compiled<Vec<T>> {
    if list.len() > MAX_LIST {
        return Err(RuleProblem::TooMany);
    }
    list.iter().map(|element| compile(element)).collect()
}

fn method(name: &str) -> Compiled<Method> {
    Method::from_bytes(name.as_bytes()).map_err(|_| RuleProblem::Method(name.to_owned()))
}

/// The port is not compared: which one a client sees is the business of what stands in front of the gateway.
fn host(text: &str) -> Compiled<HostPattern> {
    let (name, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let is_name = |name: &str| {
        name.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        })
    };
    let pattern = match name.strip_prefix("*.") {
        _ if name == "*" => Some(HostPattern::Any),
        Some(suffix) if is_name(suffix) => Some(HostPattern::Wildcard(suffix.into())),
        None if is_name(&name) => Some(HostPattern::Exact(name.as_str().into())),
        _ => None,
    };
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    pattern.filter(|_| digits).ok_or_else(|| RuleProblem::Host(text.to_owned()))
}

/// A path of either generation. What version 1 searches for anywhere in a path must be the whole path here, but for an
/// expression that is open at its end: else a service could take the requests of another.
fn path(text: &str, writer: Writer) -> Compiled<PathPattern> {
    match (text.strip_prefix('^'), text.strip_suffix('$'), writer) {
        (Some(rest), Some(_), _) => regex(text, rest.strip_suffix('$').unwrap_or(rest)),
        (None, None, Writer::Later) => template(text),
        (None, None, Writer::First) if !is_expression(text) => template(text),
        // Wrapping must not mend what is broken by itself: `a)(b` is no expression.
        (Some(rest), None, Writer::First) => regex(text, rest).and_then(|_| regex(text, &format!("(?:{rest})(?s:.*)"))),
        (None, open, Writer::First) => regex(text, open.unwrap_or(text)),
        _ => Err(RuleProblem::HalfAnchored(text.to_owned())),
    }
}

/// Whether a path of version 1 has signs that only an expression has. Braces and stars are a template's too, as
/// services were written for later versions that way.
fn is_expression(text: &str) -> bool {
    text.contains(['[', ']', '(', ')', '|', '+', '?', '\\']) || text.contains(".*")
}

fn template(text: &str) -> Compiled<PathPattern> {
    // Text without variables is a path, which is found sooner.
    let exact = !text.contains(['{', '}', '*', ':']);
    match PathPattern::template(text) {
        Ok(_) if exact => Ok(PathPattern::exact(text)),
        Ok(template) => Ok(template),
        Err(error) => Err(RuleProblem::Template(text.to_owned(), error)),
    }
}

fn regex(text: &str, whole: &str) -> Compiled<PathPattern> {
    PathPattern::regex(whole).map_err(|error| RuleProblem::Regex(text.to_owned(), error))
}
