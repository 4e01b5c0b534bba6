//! `explain URL`: which rule of some files takes a request, where it goes, and why every other rule
//! of its host does not take it.
//!
//! JSON, an object that only ever gains fields: `request` (`method`, `scheme`, `host`, `path` as it
//! is matched, `query`), `admitted` (false where it is refused before any rule is looked at),
//! `status` (the answer of the gateway itself, absent where a backend answers), `reason` (why it
//! answers itself), `allow` (the methods of a 405), `winner` (absent where no rule takes the
//! request; what it would do is not done where there is a `status`) and `losers`, both with `object`, `rule`, `name`, `file`,
//! `line`, `host`, `pathType`, `path`; the winner also with `handler`, `resolver` (`type`, `namespace`),
//! `service`, `method`, `dialect` (where it names what is called), `captures`, `forwardedPath`, `limits`, `mirror` (`service`, `port`, `percent`, and the place that sets it) and `backends`
//! (`service`, `port`, `weight`, `share` in percent, `ready`, `endpoints`, `settings`, and `invalid`
//! with a reason word where it cannot be used); a loser with `why`; and `omitted`, how many more
//! losers there are. Members of `limits` and `settings` have `setting`, the field without `spec.`,
//! and `value` (`none` where it is not set), and where it is not a default `object`, `field`,
//! `file` and `line`.

mod answer;
mod called;
mod own;
mod request;
mod settings;
mod text;
mod why;
mod words;

use super::{OutputForm, args::ExplainArgs, files::Files};
use crate::{control::translate::Context, model::diagnostic::Severity};
use answer::Answer;
use request::Asked;
use std::io::Write;

/// The exit code where the gateway itself answers an error.
const ERROR: u8 = 1;

/// Explains a request and writes the answer. Returns the exit code: 1 where the gateway itself
/// answers an error.
///
/// # Errors
///
/// The request or a file cannot be read, or `out` cannot be written.
pub fn run(args: &ExplainArgs, out: &mut dyn Write) -> Result<u8, String> {
    let asked = Asked::parse(&args.url, &args.method, &args.headers)?;
    let context = Context {
        class_name: args.class_name.clone(),
        controller_name: args.controller_name.clone(),
        ..Context::default()
    };
    let files = Files::read(&args.files, &context)?;
    refuse_broken(&files)?;
    let answer = Answer::of(&files, &asked);
    let written = match args.output {
        OutputForm::Text => text::write(&answer, out),
        OutputForm::Json => {
            serde_json::to_writer_pretty(&mut *out, &answer).map_err(std::io::Error::from).and_then(|()| writeln!(out))
        }
    };
    written.map_err(|error| error.to_string())?;
    Ok(if answer.is_error() { ERROR } else { 0 })
}

/// An answer about half of the files would mislead.
fn refuse_broken(files: &Files) -> Result<(), String> {
    let errors = files.problems.iter().filter(|problem| problem.severity == Severity::Error);
    let errors: Vec<String> = errors.map(ToString::to_string).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.join("\n")) }
}

#[cfg(test)]
mod tests;
