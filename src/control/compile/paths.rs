//! Paths and expressions as users write them, to patterns.

use crate::{
    resource::PathMatchType,
    table::{PathPattern, Template, anchored, canonical_pattern},
};
use regex::Regex;
use std::sync::Arc;

/// The pattern of a path, or what is wrong with it.
pub(super) fn parse(type_: PathMatchType, value: &str) -> Result<PathPattern, String> {
    Ok(match type_ {
        PathMatchType::Exact => PathPattern::Exact(canonical(value)?),
        PathMatchType::PathPrefix => prefix(value)?,
        PathMatchType::Template => PathPattern::Template(Arc::new(template(value)?)),
        PathMatchType::RegularExpression => PathPattern::Regex(expression(value)?),
    })
}

/// A prefix. The root prefix is empty, and a trailing slash means nothing.
pub(super) fn prefix(value: &str) -> Result<PathPattern, String> {
    let path = canonical(value)?;
    Ok(PathPattern::Prefix(path.trim_end_matches('/').into()))
}

/// An expression that the whole text must match.
pub(super) fn expression(value: &str) -> Result<Regex, String> {
    anchored(value).map_err(|error| error.to_string())
}

fn canonical(value: &str) -> Result<Arc<str>, String> {
    if !value.starts_with('/') {
        return Err(format!("`{value}` must start with a slash, as in /greeter"));
    }
    Ok(canonical_pattern(value).into())
}

fn template(value: &str) -> Result<Template, String> {
    Template::parse(value).map_err(|error| error.to_string())
}
