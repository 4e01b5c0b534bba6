//! What the demo tells a newcomer: the routes that run, and a line to try each.

use crate::{
    live::generation::Generation,
    model::snapshot::{RuleId, Snapshot},
    table::{Entry, HostPattern, PathPattern},
};
use std::{fmt::Write as _, net::SocketAddr};

/// More routes than this are only counted.
const MOST_ROWS: usize = 20;

/// The text, for the addresses of the listeners by name.
#[must_use]
pub fn welcome(addresses: &[(String, SocketAddr)], generation: &Generation) -> String {
    let address = |name: &str| {
        let found = addresses.iter().find(|(listener, _)| listener == name);
        found.map_or_else(String::new, |(_, address)| address.to_string())
    };
    let (http, admin) = (address("http"), address("admin"));
    let mut rows = vec![[String::from("ROUTE"), "HOST".into(), "PATH".into(), "TRY".into()]];
    let entries = generation.table.entries();
    rows.extend(entries.iter().take(MOST_ROWS).map(|entry| row(entry, &generation.snapshot, &http)));
    let mut text = format!("\n{}", table(&rows));
    if let Some(more) = entries.len().checked_sub(MOST_ROWS).filter(|more| *more > 0) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  ... and {more} more");
    }
    let _ = write!(
        text,
        "\n  Ready?    curl http://{admin}/readyz\n  Metrics   curl http://{admin}/metrics\n\n  \
         Edit a file in the folder and try again. Ctrl-C stops.\n\n"
    );
    text
}

fn row(entry: &Entry<RuleId>, snapshot: &Snapshot, http: &str) -> [String; 4] {
    let name = snapshot.rules.get(entry.payload.index()).map_or("", |rule| &rule.origin.object.name);
    let (host, path) = (host(&entry.host), path(&entry.path));
    let field = host.as_ref().map_or_else(String::new, |host| format!("-H 'Host: {}' ", host.replace('*', "any")));
    let method = match entry.conditions.methods.first() {
        Some(method) if *method != http::Method::GET => format!("-X {method} "),
        _ => String::new(),
    };
    let try_it = sample(&entry.path).map(|path| format!("curl {method}{field}'http://{http}{path}'"));
    [name.to_owned(), host.unwrap_or_else(|| "any".to_owned()), path, try_it.unwrap_or_default()]
}

fn host(pattern: &HostPattern) -> Option<String> {
    match pattern {
        HostPattern::Exact(host) => Some(host.to_string()),
        HostPattern::Wildcard(suffix) | HostPattern::WildcardLabel(suffix) => Some(format!("*.{suffix}")),
        HostPattern::Any => None,
    }
}

fn path(pattern: &PathPattern) -> String {
    match pattern {
        PathPattern::Exact(path) => path.to_string(),
        PathPattern::Prefix(path) => format!("{path}/*"),
        PathPattern::Template(template) => template.as_str().to_owned(),
        PathPattern::Regex(regex) => regex.to_string(),
    }
}

/// A path that the pattern takes; a regular expression has no obvious one.
fn sample(pattern: &PathPattern) -> Option<String> {
    match pattern {
        PathPattern::Exact(path) => Some(path.to_string()),
        PathPattern::Prefix(path) if path.is_empty() => Some("/".to_owned()),
        PathPattern::Prefix(path) => Some(format!("{path}/a?b=1")),
        PathPattern::Template(template) => Some(fill(template.as_str())),
        PathPattern::Regex(_) => None,
    }
}

/// Puts `42` in the place of each capture.
fn fill(template: &str) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        filled.push_str("42");
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    filled + &rest.replace('*', "42")
}

fn table(rows: &[[String; 4]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths = [width(0), width(1), width(2)];
    let mut text = String::new();
    for [route, host, path, try_it] in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {route:<0$}  {host:<1$}  {path:<2$}  {try_it}", widths[0], widths[1], widths[2]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_of_a_sample_are_filled() {
        assert_eq!(fill("/users/{id}/files/{path=**}"), "/users/42/files/42");
        assert_eq!(fill("/a/*"), "/a/42");
    }
}
