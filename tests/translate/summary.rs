//! A translation as a text that people can check by reading.

use paifang::{
    control::translate::{Translation, reports},
    model::{
        call::Resolution,
        rule::{BackendTarget, Rule, Targets},
        snapshot::{RuleId, Snapshot},
        target::UpstreamId,
        upstream::{Upstream, UpstreamPolicy},
    },
    table::{Conditions, HostPattern, PathPattern, Table, ValuePattern},
};
use std::fmt::Write as _;

/// Entries by rank, upstreams, certificates, diagnostics and reports.
pub(crate) fn of(translation: &Translation) -> String {
    let mut text = String::new();
    let snapshot = &translation.snapshot;
    heading(&mut text, "entries, by rank", table(translation));
    heading(&mut text, "upstreams", snapshot.upstreams.iter().map(policy));
    heading(
        &mut text,
        "certificates",
        snapshot.certificates.iter().map(|certificate| {
            format!("{}/{} for {}", certificate.namespace, certificate.secret, certificate.hostnames.join(", "))
        }),
    );
    heading(
        &mut text,
        "default certificate",
        snapshot
            .default_certificate
            .iter()
            .map(|certificate| format!("{}/{}", certificate.namespace, certificate.secret)),
    );
    heading(
        &mut text,
        "diagnostics",
        translation
            .diagnostics
            .iter()
            .map(|diagnostic| format!("{:?} {} {diagnostic}", diagnostic.severity, diagnostic.condition)),
    );
    let reports = reports(translation, |_| (1, 2));
    heading(
        &mut text,
        "reports",
        reports.iter().flat_map(|report| {
            let head = format!("{} endpoints {}/{}", report.object, report.endpoints.0, report.endpoints.1);
            let conditions = report.conditions.iter().map(|condition| {
                let holds = if condition.holds { "True" } else { "False" };
                format!("  {}={holds} {}: {}", condition.type_, condition.reason, condition.message)
            });
            std::iter::once(head).chain(conditions.collect::<Vec<_>>())
        }),
    );
    text
}

fn heading(text: &mut String, heading: &str, lines: impl IntoIterator<Item = String>) {
    let lines: Vec<_> = lines.into_iter().collect();
    if lines.is_empty() {
        return;
    }
    writeln!(text, "{heading}").unwrap();
    for line in lines {
        writeln!(text, "  {line}").unwrap();
    }
}

fn table(translation: &Translation) -> Vec<String> {
    let (snapshot, table) = (&translation.snapshot, Table::build(translation.entries.clone()));
    table
        .entries()
        .iter()
        .map(|entry| {
            let rule = &snapshot.rules[entry.payload.index()];
            format!(
                "{} {}{} -> {}",
                host(&entry.host),
                path(&entry.path),
                conditions(&entry.conditions),
                describe(snapshot, rule, entry.payload)
            )
        })
        .collect()
}

fn host(host: &HostPattern) -> String {
    match host {
        HostPattern::Exact(name) => name.to_string(),
        HostPattern::Wildcard(suffix) => format!("*.{suffix}"),
        HostPattern::WildcardLabel(suffix) => format!("[*].{suffix}"),
        HostPattern::Any => "any".to_owned(),
    }
}

fn path(path: &PathPattern) -> String {
    match path {
        PathPattern::Exact(path) => format!("= {path}"),
        PathPattern::Prefix(path) => format!("^ {path}/"),
        PathPattern::Template(template) => format!("{{}} {}", template.as_str()),
        PathPattern::Regex(regex) => format!("~ {regex}"),
    }
}

fn conditions(conditions: &Conditions) -> String {
    let value = |value: &ValuePattern| match value {
        ValuePattern::Exact(value) => format!("={value}"),
        ValuePattern::Regex(regex) => format!("~{regex}"),
    };
    let mut text = String::new();
    for method in &conditions.methods {
        write!(text, " {method}").unwrap();
    }
    for (name, pattern) in &conditions.headers {
        write!(text, " {name}{}", value(pattern)).unwrap();
    }
    for (name, pattern) in &conditions.query {
        write!(text, " ?{name}{}", value(pattern)).unwrap();
    }
    text
}

/// What differs from the default, which is the same for all.
fn policy(upstream: &Upstream) -> String {
    let (set, default) = (format!("{:#?}", upstream.policy), format!("{:#?}", UpstreamPolicy::default()));
    let known: Vec<_> = default.lines().collect();
    let own: Vec<_> = set.lines().filter(|line| !known.contains(line)).map(str::trim).collect();
    format!("{} {}", upstream.port, if own.is_empty() { "default".to_owned() } else { own.join(" ") })
}

/// The services that it may find, by name.
fn resolver(snapshot: &Snapshot, resolution: &Resolution) -> String {
    let port = |id: &UpstreamId| {
        let Upstream { port, dialect, .. } = &snapshot.upstreams[id.index()];
        format!("{port} {dialect:?}")
    };
    let mut found: Vec<_> = resolution.services.iter().map(|(name, id)| format!("{name} = {}", port(id))).collect();
    found.sort();
    let resolver = &resolution.resolver;
    format!("{:?} in {:?} [{}]", resolver.kind(), resolver.namespace(), found.join(", "))
}

fn describe(snapshot: &Snapshot, rule: &Rule, id: RuleId) -> String {
    let mut text = format!("{}#{}", rule.origin.object, rule.origin.rule);
    if let Targets::Resolved(resolution) = &rule.targets {
        write!(text, " {}", resolver(snapshot, resolution)).unwrap();
    }
    let backends = rule.targets.backends().iter().map(|backend| match &backend.target {
        BackendTarget::Upstream(id) => format!("{} x{}", snapshot.upstreams[id.index()].port, backend.weight),
        BackendTarget::Invalid(reason) => format!("!{reason} x{}", backend.weight),
    });
    write!(text, " ({}) {:?}", backends.collect::<Vec<_>>().join(", "), rule.options.handler).unwrap();
    assert_eq!(snapshot.rules[id.index()].origin, rule.origin);
    if rule.options.overrides != Default::default() {
        write!(text, " {:?}", rule.options.overrides).unwrap();
    }
    let marks = [
        (rule.options.trim_prefix, "trim"),
        (rule.options.redirect_to_https, "redirect"),
        (rule.broken.is_some(), "BROKEN"),
    ];
    for (_, mark) in marks.iter().filter(|(set, _)| *set) {
        write!(text, " {mark}").unwrap();
    }
    if let Some(hsts) = &rule.options.hsts {
        write!(text, " hsts[{}]", hsts.to_str().unwrap()).unwrap();
    }
    if rule.options.path_safety != Default::default() {
        write!(text, " {:?}", rule.options.path_safety).unwrap();
    }
    text
}
