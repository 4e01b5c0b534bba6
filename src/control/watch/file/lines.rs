//! The line on which each field of a document stands.

use serde_saphyr::granit_parser::{Event, Parser};
use std::collections::BTreeMap;

/// Lines by field, as in `spec.rules[0].backends`.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines(BTreeMap<String, usize>);

/// A collection that is open while the events go by.
enum Open {
    /// A mapping in which the next scalar is a key.
    Key(String),
    /// A mapping in which the value of the field is next.
    Value(String, String),
    /// A list and the index of its next item.
    Items(String, usize),
}

impl Lines {
    /// The lines of a document that starts on the line given. Empty where it cannot be parsed.
    pub(super) fn of(text: &str, first: usize) -> Self {
        let mut lines = Self::default();
        let mut open: Vec<Open> = Vec::new();
        for event in Parser::new_from_str(text) {
            let Ok((event, span)) = event else { break };
            lines.follow(&mut open, &event, span.start.line() + first - 1);
        }
        lines
    }

    /// The line of a field, or of the nearest field that it is a part of.
    pub(super) fn at(&self, field: &str) -> Option<usize> {
        let mut field = field;
        loop {
            if let Some(line) = self.0.get(field) {
                return Some(*line);
            }
            field = field.rfind(['.', '[']).and_then(|end| field.get(..end))?;
        }
    }

    fn follow(&mut self, open: &mut Vec<Open>, event: &Event<'_>, line: usize) {
        match event {
            Event::Scalar(text, ..) if matches!(open.last(), Some(Open::Key(_))) => {
                if let Some(Open::Key(parent)) = open.pop() {
                    let field = if parent.is_empty() { text.to_string() } else { format!("{parent}.{text}") };
                    self.0.entry(field.clone()).or_insert(line);
                    open.push(Open::Value(parent, field));
                }
            }
            Event::Scalar(..) | Event::Alias(..) => {
                self.enter(open, line);
            }
            Event::MappingStart(..) => {
                let field = self.enter(open, line);
                open.push(Open::Key(field));
            }
            Event::SequenceStart(..) => {
                let field = self.enter(open, line);
                open.push(Open::Items(field, 0));
            }
            Event::MappingEnd | Event::SequenceEnd => {
                open.pop();
            }
            _ => {}
        }
    }

    /// Takes the next value of the innermost collection, and returns its field.
    fn enter(&mut self, open: &mut Vec<Open>, line: usize) -> String {
        match open.pop() {
            Some(Open::Value(parent, field)) => {
                open.push(Open::Key(parent));
                field
            }
            Some(Open::Items(parent, index)) => {
                let field = format!("{parent}[{index}]");
                self.0.entry(field.clone()).or_insert(line);
                open.push(Open::Items(parent, index + 1));
                field
            }
            // A mapping as a key has no name of its own; what is below it cannot be asked for.
            Some(Open::Key(parent)) => {
                open.push(Open::Value(parent, "?".to_owned()));
                "?".to_owned()
            }
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_path_or_by_what_it_is_a_part_of() {
        let lines =
            Lines::of("a: 1\nspec:\n  rules:\n  - name: x\n    backends: [{service: a},\n      {port: 1}]\n", 10);
        assert_eq!(lines.at("a"), Some(10));
        assert_eq!(lines.at("spec.rules"), Some(12));
        assert_eq!(lines.at("spec.rules[0].name"), Some(13));
        assert_eq!(lines.at("spec.rules[0].backends[1].port"), Some(15));
        assert_eq!(lines.at("spec.rules[0].matches[2].path"), Some(13));
        assert_eq!(lines.at("status"), None);
    }
}
