//! Outcomes to status: three conditions per object, worded for the person who wrote it.

use super::{Outcome, Translation};
use crate::{
    control::report::{ConditionReport, ObjectReport},
    model::{
        condition::{ConditionType, Reason},
        diagnostic::{Diagnostic, ObjectRef, Severity},
        target::UpstreamId,
    },
};

/// How many explanations a message quotes before it only counts the rest.
const QUOTED: usize = 5;

/// What became of each object, by object. `endpoints` tells the ready and all endpoints of an
/// upstream.
#[must_use]
pub fn reports(translation: &Translation, endpoints: impl Fn(UpstreamId) -> (usize, usize)) -> Vec<ObjectReport> {
    translation.outcomes.iter().map(|outcome| report(translation, outcome, &endpoints)).collect()
}

fn report(
    translation: &Translation,
    outcome: &Outcome,
    endpoints: impl Fn(UpstreamId) -> (usize, usize),
) -> ObjectReport {
    let diagnostics = of_object(&translation.diagnostics, &outcome.object);
    let counts = outcome.upstreams.iter().map(|id| endpoints(*id));
    let counts = counts.fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    let notes = |type_| match type_ {
        ConditionType::Accepted => outcome.notes.clone(),
        ConditionType::Programmed if !outcome.upstreams.is_empty() && counts.0 == 0 => {
            vec!["no endpoint is ready, so requests get 503".to_owned()]
        }
        ConditionType::ResolvedRefs | ConditionType::Programmed => Vec::new(),
    };
    let types = [ConditionType::Accepted, ConditionType::ResolvedRefs, ConditionType::Programmed];
    ObjectReport {
        object: outcome.object.clone(),
        uid: outcome.uid.to_string(),
        generation: outcome.generation,
        conditions: types.into_iter().map(|type_| condition(type_, diagnostics, notes(type_))).collect(),
        endpoints: counts,
    }
}

/// The diagnostics are sorted by object.
fn of_object<'a>(diagnostics: &'a [Diagnostic], object: &ObjectRef) -> &'a [Diagnostic] {
    let start = diagnostics.partition_point(|diagnostic| diagnostic.object < *object);
    let rest = diagnostics.get(start..).unwrap_or_default();
    let length = rest.partition_point(|diagnostic| diagnostic.object == *object);
    rest.get(..length).unwrap_or_default()
}

fn condition(type_: ConditionType, diagnostics: &[Diagnostic], notes: Vec<String>) -> ConditionReport {
    let of = |severity| {
        diagnostics.iter().filter(move |diagnostic| diagnostic.condition == type_ && diagnostic.severity == severity)
    };
    let first_error = of(Severity::Error).next();
    let mut sentences: Vec<String> = of(Severity::Error).map(sentence).collect();
    if first_error.is_none() {
        sentences.push(good_news(type_).to_owned());
        sentences.extend(notes);
    }
    sentences.extend(of(Severity::Warning).map(|warning| format!("warning: {}", sentence(warning))));
    ConditionReport {
        type_,
        holds: first_error.is_none(),
        reason: first_error.map_or(holding(type_), |error| error.reason),
        message: join(&sentences),
    }
}

fn sentence(diagnostic: &Diagnostic) -> String {
    match diagnostic.field.as_str() {
        "" => diagnostic.message.clone(),
        field => format!("{field}: {}", diagnostic.message),
    }
}

fn join(sentences: &[String]) -> String {
    let mut message = sentences.iter().take(QUOTED).cloned().collect::<Vec<_>>().join("; ");
    if sentences.len() > QUOTED {
        message.push_str(&format!("; and {} more", sentences.len() - QUOTED));
    }
    message
}

const fn good_news(type_: ConditionType) -> &'static str {
    match type_ {
        ConditionType::Accepted => "well formed and served by this gateway",
        ConditionType::ResolvedRefs => "everything that it refers to can be used",
        ConditionType::Programmed => "installed on every core",
    }
}

const fn holding(type_: ConditionType) -> Reason {
    match type_ {
        ConditionType::Accepted => Reason::Accepted,
        ConditionType::ResolvedRefs => Reason::ResolvedRefs,
        ConditionType::Programmed => Reason::Programmed,
    }
}
