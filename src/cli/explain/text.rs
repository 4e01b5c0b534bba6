//! The answer for people.

use super::{
    answer::{Answer, Backend, Mirror, Row, Winner},
    called::Called,
    settings::{Set, Source},
    words::NONE,
};
use std::io::{self, Write};

/// Writes an answer.
pub(super) fn write(answer: &Answer, out: &mut dyn Write) -> io::Result<()> {
    let request = &answer.request;
    let query = request.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    writeln!(out, "{} {}://{}{}{query}", request.method, request.scheme, request.host, request.path)?;
    match (&answer.winner, answer.status) {
        (Some(winner), None) => write_winner(winner, out)?,
        // Whatever a rule would do with it is not done.
        (Some(winner), Some(status)) => {
            write_own(answer, status, out)?;
            writeln!(out, "  matched by {}, handler {}", row(&winner.row), winner.handler)?;
        }
        (None, Some(status)) => write_own(answer, status, out)?,
        (None, None) => {}
    }
    if !answer.losers.is_empty() {
        writeln!(out, "not taken by")?;
    }
    for loser in &answer.losers {
        writeln!(out, "  {}: {}", row(&loser.row), loser.why)?;
    }
    if answer.omitted > 0 {
        writeln!(out, "  and {} more", answer.omitted)?;
    }
    Ok(())
}

fn write_own(answer: &Answer, status: u16, out: &mut dyn Write) -> io::Result<()> {
    let early = if answer.admitted { "" } else { ", before any rule is looked at" };
    write!(out, "  the gateway answers {status} itself{early}: {}", answer.reason.as_deref().unwrap_or_default())?;
    if !answer.allow.is_empty() {
        write!(out, "; it takes {}", answer.allow.join(", "))?;
    }
    writeln!(out)
}

fn write_winner(winner: &Winner, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  taken by {}, handler {}", row(&winner.row), winner.handler)?;
    if !winner.captures.is_empty() {
        let captures: Vec<_> = winner.captures.iter().map(|(field, value)| format!("{field}={value}")).collect();
        writeln!(out, "  captures {}", captures.join(", "))?;
    }
    match (call(&winner.called), &winner.called.lists) {
        (Some(call), _) => writeln!(out, "  {call}")?,
        (None, Some(namespace)) => writeln!(out, "  lists the services of namespace {namespace}")?,
        (None, None) => writeln!(out, "  reaches the backend as {}", winner.forwarded_path)?,
    }
    for limit in &winner.limits {
        writeln!(out, "  {}", describe_set(limit))?;
    }
    for backend in &winner.backends {
        writeln!(out, "  {}", describe(backend))?;
        write_settings(&backend.settings, out)?;
    }
    if let Some(Mirror { service, port, percent, source }) = &winner.mirror {
        writeln!(out, "  {percent} % copied to Service {service} port {port} ({})", origin(source))?;
    }
    Ok(())
}

/// What is called, where a method is.
fn call(called: &Called) -> Option<String> {
    let Called { method, service, dialect, resolver, .. } = called;
    let found = resolver.as_ref().map(|finder| {
        let namespace = if finder.namespace.is_empty() { String::new() } else { format!(" in {}", finder.namespace) };
        format!(", found by resolver {}{namespace}", finder.kind)
    });
    let service = service.as_deref().unwrap_or_default();
    // A message of JSON-RPC names its method itself.
    let method = method.as_deref().unwrap_or("the method that the message names");
    Some(format!("calls {method} of {service} by {}{}", dialect.as_ref()?, found.unwrap_or_default()))
}

/// What is not set shares one line.
fn write_settings(settings: &[Set], out: &mut dyn Write) -> io::Result<()> {
    let is_unset = |set: &&Set| set.value == NONE && set.source.is_none();
    for set in settings.iter().filter(|set| !is_unset(set)) {
        writeln!(out, "    {}", describe_set(set))?;
    }
    let unset: Vec<_> = settings.iter().filter(is_unset).map(|set| set.setting.as_str()).collect();
    if unset.is_empty() { Ok(()) } else { writeln!(out, "    not set: {}", unset.join(", ")) }
}

fn describe_set(Set { setting, value, source }: &Set) -> String {
    let from = source.as_ref().map_or_else(|| "default".to_owned(), origin);
    format!("{setting}: {value} ({from})")
}

fn origin(source: &Source) -> String {
    match (&source.file, source.line) {
        (Some(file), Some(line)) => format!("{} at {}:{line}", source.object, file.display()),
        _ => source.object.clone(),
    }
}

fn row(row: &Row) -> String {
    let name = if row.name.is_empty() { String::new() } else { format!(" ({})", row.name) };
    let place = match (&row.file, row.line) {
        (Some(file), Some(line)) => format!(" at {}:{line}", file.display()),
        _ => String::new(),
    };
    format!("{} rule {}{name}, host {}, {} {}{place}", row.object, row.rule, row.host, row.path_type, row.path)
}

fn describe(backend: &Backend) -> String {
    match (&backend.service, backend.port, backend.invalid) {
        (Some(service), port, _) => {
            let target = match port {
                Some(port) => format!("Service {service} port {port}"),
                None => format!("the registered service {service}"),
            };
            format!("{} % to {target}, {} of {} endpoints ready", backend.share, backend.ready, backend.endpoints)
        }
        (.., reason) => {
            let reason = reason.unwrap_or_default();
            format!("{} % to a backend that cannot be used ({reason}): 500", backend.share)
        }
    }
}
