//! Why a rule does not take a request.

use crate::{
    model::snapshot::RuleId,
    table::{Conditions, Entry, HostPattern, Lost, PathPattern, Rank},
};
use http::Method;

/// One sentence on a loser, with the winner's entry if there is a winner.
pub(super) fn lost(loser: &Entry<RuleId>, reason: Lost<'_>, winner: Option<&Entry<RuleId>>) -> String {
    match reason {
        Lost::Path => format!("the path is not {} {}", loser.path.kind(), path(&loser.path)),
        Lost::Header(name) => format!("the header {name} is not as it asks for"),
        Lost::Query(name) => format!("the query parameter {name} is not as it asks for"),
        Lost::Method => format!("it only takes {}", methods(&loser.conditions.methods)),
        Lost::Outranked => {
            winner.map_or_else(|| "another rule comes first".to_owned(), |winner| outranked(winner, loser))
        }
    }
}

/// Names the first thing that decides between two rules that both take a request.
fn outranked(winner: &Entry<RuleId>, loser: &Entry<RuleId>) -> String {
    let counts = |entry: &Entry<RuleId>| (entry.conditions.headers.len(), entry.conditions.query.len());
    let reason = if winner.host != loser.host {
        "the winner's host is more specific"
    } else if winner.path.kind() != loser.path.kind() {
        return format!("{} comes before {}", winner.path.kind(), loser.path.kind());
    } else if Rank::of(&path_alone(winner)) < Rank::of(&path_alone(loser)) {
        "the winner's path is more specific"
    } else if winner.conditions.methods.is_empty() != loser.conditions.methods.is_empty() {
        "the winner names methods"
    } else if counts(winner) != counts(loser) {
        "the winner has more conditions"
    } else if winner.created != loser.created {
        "the winner's object is older"
    } else {
        "the winner comes first by name, or earlier in the same object"
    };
    reason.to_owned()
}

fn path_alone(entry: &Entry<RuleId>) -> Entry<RuleId> {
    Entry {
        host: HostPattern::Any,
        path: entry.path.clone(),
        conditions: Conditions::default(),
        created: 0,
        order: ("".into(), 0),
        payload: entry.payload,
    }
}

/// The host of an entry, as users write it.
pub(super) fn host(host: &HostPattern) -> String {
    match host {
        HostPattern::Exact(name) => name.to_string(),
        HostPattern::Wildcard(suffix) | HostPattern::WildcardLabel(suffix) => format!("*.{suffix}"),
        HostPattern::Any => "*".to_owned(),
    }
}

/// The path of an entry, as users write it.
pub(super) fn path(path: &PathPattern) -> String {
    match path {
        PathPattern::Prefix(prefix) if prefix.is_empty() => "/".to_owned(),
        PathPattern::Exact(path) | PathPattern::Prefix(path) => path.to_string(),
        PathPattern::Template(template) => template.as_str().to_owned(),
        PathPattern::Regex(regex) => {
            let text = regex.as_str();
            let inner = text.strip_prefix(r"\A(?:").and_then(|text| text.strip_suffix(r")\z"));
            inner.unwrap_or(text).to_owned()
        }
    }
}

fn methods(methods: &[Method]) -> String {
    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
}
