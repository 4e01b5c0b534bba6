//! What is wrong with a file, and where.

use crate::model::diagnostic::Severity;
use std::{fmt, path::PathBuf};

/// Something wrong with a file or an object in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1, where it is known.
    pub line: Option<usize>,
    /// The kind of the object, empty where the file is broken before that is known.
    pub kind: String,
    /// The namespace of the object.
    pub namespace: String,
    /// The name of the object.
    pub name: String,
    /// The field, as in `spec.rules[0].backends[1].port`.
    pub field: String,
    /// An error makes the file unusable.
    pub severity: Severity,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl Problem {
    /// Something wrong with a file as a whole.
    pub(super) fn of_file(file: PathBuf, severity: Severity, message: String) -> Self {
        let none = String::new;
        Self { file, line: None, kind: none(), namespace: none(), name: none(), field: none(), severity, message }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(": ")?;
        match (self.kind.as_str(), self.namespace.as_str(), self.name.as_str()) {
            ("", ..) => {}
            (kind, _, "") => write!(f, "{kind}: ")?,
            (kind, "", name) => write!(f, "{kind} {name}: ")?,
            (kind, namespace, name) => write!(f, "{kind} {namespace}/{name}: ")?,
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}
