//! Paths as users write them, to patterns.

use crate::{
    model::rule::PathSafety,
    resource::PathMatchType,
    table::{PathPattern, PatternError, normalise},
};

/// The pattern of a path, or what is wrong with it.
pub(super) fn parse(type_: PathMatchType, value: &str, safety: PathSafety) -> Result<PathPattern, String> {
    match type_ {
        PathMatchType::Exact => check(value, safety).map(|()| PathPattern::exact(value)),
        PathMatchType::PathPrefix => check(value, safety).map(|()| PathPattern::prefix(value)),
        PathMatchType::Template => PathPattern::template(value).map_err(|error| format!("`{value}`: {error}")),
        PathMatchType::RegularExpression => PathPattern::regex(value).map_err(|error| not_an_expression(value, &error)),
    }
}

/// A path that no request may have would make a rule that never takes one.
fn check(value: &str, safety: PathSafety) -> Result<(), String> {
    if !value.starts_with('/') {
        return Err(format!("`{value}` must start with a slash, as in /greeter"));
    }
    match normalise(value).ambiguity {
        Some(ambiguity) if !safety.permits(ambiguity) => {
            Err(format!("`{value}`: {ambiguity}, and pathSafety {safety:?} refuses requests with it"))
        }
        _ => Ok(()),
    }
}

/// What is wrong with a regular expression, on one line and without our anchors.
pub(super) fn not_an_expression(value: &str, error: &PatternError) -> String {
    let reason = match error {
        PatternError::TooLarge => error.to_string(),
        PatternError::Syntax(text) => {
            let last = text.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").to_owned()
        }
    };
    format!("`{value}` cannot be used as a regular expression: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_no_request_may_have_is_refused() {
        let parse = |value, safety| parse(PathMatchType::Exact, value, safety).map(|_| ());
        assert_eq!(parse("/a/b", PathSafety::Strict), Ok(()));
        assert!(parse("/a%2Fb", PathSafety::Strict).unwrap_err().contains("encoded slash"));
        assert_eq!(parse("/a%2Fb", PathSafety::AllowEncodedSlash), Ok(()));
        assert!(parse("/a;b", PathSafety::AllowEncodedSlash).is_err());
        assert_eq!(parse("/a;b", PathSafety::Raw), Ok(()));
        assert!(parse("a", PathSafety::Raw).is_err());
    }
}
