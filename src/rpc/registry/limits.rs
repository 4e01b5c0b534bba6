//! Reading one service from JSON, within limits.

use super::{Endpoint, Metadata, Node, Service, Value};
use serde_json::error::Category;

/// The most bytes of one service: what the annotations of an object may hold together.
pub const MAX_BYTES: usize = 256 * 1024;

/// The most nodes of one service. A pod writes itself alone.
pub const MAX_NODES: usize = 256;

/// The most endpoints of one service.
pub const MAX_ENDPOINTS: usize = 1024;

/// The most names and values of one metadata map.
pub const MAX_PAIRS: usize = 64;

/// The most bytes of one name, address or value.
pub const MAX_TEXT: usize = 4096;

/// How deep a description of types may be nested.
pub const MAX_DEPTH: usize = 16;

/// Why a text is no service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct ServiceError {
    /// The field, as `nodes[0].address`; a dot for the whole text.
    pub field: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a field of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The text is not JSON, or cut short.
    #[error("line {line}, column {column} is not JSON")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// The value is a number where a text is due, or the like.
    #[error("the value is of another type than go-micro writes")]
    Type,
    /// There is no text where there must be one.
    #[error("it is empty, and must be given")]
    Empty,
    /// A text is too long.
    #[error("it has more than {0} bytes")]
    TooLong(usize),
    /// A list or a map has too many elements.
    #[error("it has more than {0} elements")]
    TooMany(usize),
    /// A description of types is nested too deep.
    #[error("it is nested more than {0} deep")]
    TooDeep(usize),
}

impl Problem {
    fn at(self, field: impl Into<String>) -> ServiceError {
        ServiceError { field: field.into(), problem: self }
    }
}

/// Reads one service as go-micro writes it, of any generation.
///
/// # Errors
/// When it is not JSON, not a service, without a name or without an address of a node, or over a limit. The error
/// names the field.
pub fn parse(text: &str) -> Result<Service, ServiceError> {
    let service = read(text)?;
    each("nodes", &service.nodes, |at, node| given(&format!("{at}.address"), &node.address))?;
    Ok(service)
}

/// Reads the service in a request to remove nodes, which are named by their identity.
///
/// # Errors
/// As for [`parse`], and when a node has no identity. An address is not needed.
pub fn parse_removal(text: &str) -> Result<Service, ServiceError> {
    let service = read(text)?;
    each("nodes", &service.nodes, |at, node| given(&format!("{at}.id"), &node.id))?;
    Ok(service)
}

fn read(text: &str) -> Result<Service, ServiceError> {
    if text.len() > MAX_BYTES {
        return Err(Problem::TooLong(MAX_BYTES).at("."));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let service: Service =
        serde_path_to_error::deserialize(&mut json).map_err(|error| match problem(error.inner()) {
            syntax @ Problem::Syntax { .. } => syntax.at("."),
            other => other.at(error.path().to_string()),
        })?;
    json.end().map_err(|error| problem(&error).at("."))?;
    check(&service)?;
    Ok(service)
}

fn problem(error: &serde_json::Error) -> Problem {
    match error.classify() {
        Category::Data => Problem::Type,
        Category::Io | Category::Syntax | Category::Eof => {
            Problem::Syntax { line: error.line(), column: error.column() }
        }
    }
}

type Checked = Result<(), ServiceError>;

fn check(service: &Service) -> Checked {
    given("name", &service.name)?;
    text("version", &service.version)?;
    pairs("metadata", &service.metadata)?;
    count("nodes", service.nodes.len(), MAX_NODES)?;
    count("endpoints", service.endpoints.len(), MAX_ENDPOINTS)?;
    each("nodes", &service.nodes, check_node)?;
    each("endpoints", &service.endpoints, check_endpoint)
}

fn check_node(at: &str, node: &Node) -> Checked {
    text(&format!("{at}.address"), &node.address)?;
    text(&format!("{at}.id"), &node.id)?;
    pairs(&format!("{at}.metadata"), &node.metadata)
}

fn check_endpoint(at: &str, endpoint: &Endpoint) -> Checked {
    text(&format!("{at}.name"), &endpoint.name)?;
    pairs(&format!("{at}.metadata"), &endpoint.metadata)?;
    for (name, value) in [("request", &endpoint.request), ("response", &endpoint.response)] {
        if value.as_ref().is_some_and(|value| is_deeper(value, MAX_DEPTH)) {
            return Err(Problem::TooDeep(MAX_DEPTH).at(format!("{at}.{name}")));
        }
    }
    Ok(())
}

fn is_deeper(value: &Value, than: usize) -> bool {
    than == 0 || value.values.iter().any(|inner| is_deeper(inner, than - 1))
}

fn each<T>(list: &str, elements: &[T], check: impl Fn(&str, &T) -> Checked) -> Checked {
    elements.iter().enumerate().try_for_each(|(index, element)| check(&format!("{list}[{index}]"), element))
}

fn given(field: &str, value: &str) -> Checked {
    if value.is_empty() { Err(Problem::Empty.at(field)) } else { text(field, value) }
}

fn text(field: &str, value: &str) -> Checked {
    if value.len() > MAX_TEXT { Err(Problem::TooLong(MAX_TEXT).at(field)) } else { Ok(()) }
}

fn count(field: &str, found: usize, most: usize) -> Checked {
    if found > most { Err(Problem::TooMany(most).at(field)) } else { Ok(()) }
}

fn pairs(field: &str, metadata: &Metadata) -> Checked {
    count(field, metadata.len(), MAX_PAIRS)?;
    metadata.iter().try_for_each(|(name, value)| {
        text(field, name)?;
        text(&format!("{field}.{name}"), value)
    })
}
