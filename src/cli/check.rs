//! `check FILES|DIR...`: what is wrong with files, found by the gateway's own compiler.
//!
//! Text, one line per finding:
//! `routes.yaml:12: error: GatewayRoute shop/cart: spec.rules[0].backends[0].service: ... (BackendNotFound)`,
//! and one for each route of another class, which is skipped.
//!
//! JSON, an array of objects that only ever gain fields: `file` and `line` (absent where unknown),
//! `kind`, `namespace` and `name` (empty where unknown), `field` (empty for the whole object),
//! `severity` (`error` or `warning`), `reason` (as in a status condition) and `message`.

use super::{OutputForm, args::CheckArgs, files::Files};
use crate::{
    control::{translate::Context, watch::file::Problem},
    model::{
        condition::{ConditionType, Reason},
        diagnostic::{Diagnostic, Kind, ObjectRef, Severity},
    },
};
use serde::Serialize;
use std::{
    fmt,
    io::{self, Write},
    path::PathBuf,
};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The line, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The kind of the object.
    pub kind: String,
    /// The namespace of the object.
    pub namespace: String,
    /// The name of the object.
    pub name: String,
    /// The field, as in `spec.rules[0].backends[1].port`.
    pub field: String,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// The reason word, as in a status condition.
    pub reason: &'static str,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}", file.display())?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{}: ", self.severity)?;
        match (self.kind.as_str(), self.namespace.as_str(), self.name.as_str()) {
            ("", ..) => {}
            (kind, _, "") => write!(f, "{kind}: ")?,
            (kind, "", name) => write!(f, "{kind} {name}: ")?,
            (kind, namespace, name) => write!(f, "{kind} {namespace}/{name}: ")?,
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        write!(f, "{} ({})", self.message, self.reason)
    }
}

const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// Checks files and writes what is wrong. Returns the exit code: 1 where there is an error.
///
/// # Errors
///
/// A file or folder cannot be read, or `out` cannot be written.
pub fn run(args: &CheckArgs, out: &mut dyn Write) -> Result<u8, String> {
    let context = Context {
        class_name: args.class_name.clone(),
        controller_name: args.controller_name.clone(),
        ..Context::default()
    };
    let files = Files::read(&args.paths, &context)?;
    let findings = find(&files);
    let written = match args.output {
        OutputForm::Text => write_text(&files, &findings, &args.class_name, out),
        OutputForm::Json => write_json(&findings, out),
    };
    written.map_err(|error| error.to_string())?;
    Ok(u8::from(findings.iter().any(|finding| finding.severity == word(Severity::Error))))
}

/// What is wrong with some files, by file and line.
///
/// # Errors
///
/// A file or folder cannot be read, or a folder has no file to read.
pub fn check(paths: &[PathBuf], context: &Context) -> Result<Vec<Finding>, String> {
    Files::read(paths, context).map(|files| find(&files))
}

fn find(files: &Files) -> Vec<Finding> {
    let problems = files.problems.iter().map(of_problem);
    // What is not programmed is not because of something that is found anyhow.
    let diagnostics =
        files.translation.diagnostics.iter().filter(|diagnostic| diagnostic.condition != ConditionType::Programmed);
    let diagnostics = diagnostics.map(|diagnostic| of_diagnostic(files, diagnostic));
    let mut findings: Vec<Finding> = problems.chain(diagnostics).collect();
    findings.sort_by(|a, b| (&a.file, a.line, &a.field).cmp(&(&b.file, b.line, &b.field)));
    findings
}

fn of_problem(problem: &Problem) -> Finding {
    Finding {
        file: Some(problem.file.clone()),
        line: problem.line,
        kind: problem.kind.clone(),
        namespace: problem.namespace.clone(),
        name: problem.name.clone(),
        field: problem.field.clone(),
        severity: word(problem.severity),
        reason: match problem.severity {
            Severity::Error => Reason::Invalid.as_str(),
            Severity::Warning if problem.kind.is_empty() => Reason::Invalid.as_str(),
            Severity::Warning => Reason::InvalidKind.as_str(),
        },
        message: problem.message.clone(),
    }
}

fn of_diagnostic(files: &Files, diagnostic: &Diagnostic) -> Finding {
    let object = &diagnostic.object;
    let place = files.place(object, &diagnostic.field);
    let elsewhere = elsewhere(files, diagnostic.reason);
    let note = elsewhere.map(|kind| format!("; these files hold no {kind}, so it may be in the cluster"));
    Finding {
        file: place.map(|(file, _)| file.to_owned()),
        line: place.map(|(_, line)| line),
        kind: object.kind.to_string(),
        namespace: object.namespace.to_string(),
        name: object.name.to_string(),
        field: diagnostic.field.clone(),
        severity: word(if elsewhere.is_some() { Severity::Warning } else { diagnostic.severity }),
        reason: diagnostic.reason.as_str(),
        message: format!("{}{}", diagnostic.message, note.unwrap_or_default()),
    }
}

/// The kind that is kept somewhere else by whoever checks routes without any object of it.
fn elsewhere(files: &Files, reason: Reason) -> Option<Kind> {
    let kind = match reason {
        Reason::BackendNotFound => Kind::Service,
        Reason::InvalidCertificateRef => Kind::Secret,
        _ => return None,
    };
    (!files.has(kind)).then_some(kind)
}

fn write_text(files: &Files, findings: &[Finding], class: &str, out: &mut dyn Write) -> io::Result<()> {
    for finding in findings {
        writeln!(out, "{finding}")?;
    }
    write_skipped(files, class, out)?;
    let errors = findings.iter().filter(|finding| finding.severity == word(Severity::Error)).count();
    let warnings = findings.len() - errors;
    let (errors, warnings) = (count(errors, "error"), count(warnings, "warning"));
    let (objects, files) = (count(files.objects(), "object"), count(files.count, "file"));
    writeln!(out, "{errors}, {warnings} in {objects} of {files}")
}

/// Routes of other gateways are not looked at, which their authors may not have meant.
fn write_skipped(files: &Files, class: &str, out: &mut dyn Write) -> io::Result<()> {
    for (namespace, name, tracked) in files.cache.routes.iter() {
        let Some(theirs) = tracked.newest().map(|held| &held.object().spec.class_name) else { continue };
        if theirs == class {
            continue;
        }
        let object = ObjectRef::new(Kind::GatewayRoute, namespace, name);
        if let Some((file, line)) = files.place(&object, "spec.className") {
            write!(out, "{}:{line}: ", file.display())?;
        }
        writeln!(
            out,
            "skipped: {object}: spec.className: `{theirs}` is another class than `{class}`; check it with --class-name {theirs}"
        )?;
    }
    Ok(())
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn write_json(findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, findings)?;
    writeln!(out)
}

#[cfg(test)]
mod tests;
