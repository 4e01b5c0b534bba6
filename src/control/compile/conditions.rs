//! Conditions besides host and path: methods, headers, query parameters.

use super::{Finding, paths::not_an_expression};
use crate::{
    resource::{RouteMatch, ValueMatch, ValueMatchType},
    table::{Conditions, ValuePattern, anchored},
};
use http::{HeaderName, Method};

/// The conditions of a match; `None` where one of them cannot be used, with the reason noted.
pub(super) fn compile(condition: &RouteMatch, field: &str, findings: &mut Vec<Finding>) -> Option<Conditions> {
    let before = findings.len();
    let methods = methods(&condition.methods, field, findings);
    let headers = values(&condition.headers, &format!("{field}.headers"), findings, |name| {
        HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is not a header name"))
    });
    let query = values(&condition.query_params, &format!("{field}.queryParams"), findings, |name| Ok(name.into()));
    (findings.len() == before).then_some(Conditions { methods, headers, query })
}

fn methods(methods: &[String], field: &str, findings: &mut Vec<Finding>) -> Box<[Method]> {
    let parse = |(index, method): (usize, &String)| {
        Method::from_bytes(method.as_bytes())
            .map_err(|_| {
                let message = format!("`{method}` is not an HTTP method: write it in capitals, such as GET");
                findings.push(Finding::error(format!("{field}.methods[{index}]"), message));
            })
            .ok()
    };
    methods.iter().enumerate().filter_map(parse).collect()
}

fn values<N>(
    conditions: &[ValueMatch],
    field: &str,
    findings: &mut Vec<Finding>,
    name_of: impl Fn(&str) -> Result<N, String>,
) -> Box<[(N, ValuePattern)]> {
    let mut compiled = Vec::with_capacity(conditions.len());
    for (index, condition) in conditions.iter().enumerate() {
        match (name_of(&condition.name), pattern(condition)) {
            (Ok(name), Ok(pattern)) => compiled.push((name, pattern)),
            (Err(message), _) => findings.push(Finding::error(format!("{field}[{index}].name"), message)),
            (_, Err(message)) => findings.push(Finding::error(format!("{field}[{index}].value"), message)),
        }
    }
    compiled.into()
}

fn pattern(condition: &ValueMatch) -> Result<ValuePattern, String> {
    match condition.type_ {
        ValueMatchType::Exact => Ok(ValuePattern::Exact(condition.value.as_str().into())),
        ValueMatchType::RegularExpression => anchored(&condition.value)
            .map(ValuePattern::Regex)
            .map_err(|error| not_an_expression(&condition.value, &error)),
    }
}
