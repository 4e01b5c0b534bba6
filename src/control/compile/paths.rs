//! Paths and expressions as users write them, to patterns.

use crate::{
    resource::PathMatchType,
    table::{PathPattern, template::Template},
};
use regex::{Regex, RegexBuilder};
use std::sync::Arc;

/// How large a compiled expression may be, in bytes.
const REGEX_SIZE: usize = 1 << 20;

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
    RegexBuilder::new(&format!("^(?:{value})$"))
        .size_limit(REGEX_SIZE)
        .build()
        .map_err(|error| format!("`{value}` is not an expression of the regex crate: {error}"))
}

fn canonical(value: &str) -> Result<Arc<str>, String> {
    if !value.starts_with('/') {
        return Err(format!("`{value}` must start with a slash, as in /greeter"));
    }
    Ok(value.into())
}

fn template(value: &str) -> Result<Template, String> {
    canonical(value)?;
    Ok(Template {})
}
