//! One file to its objects and its problems.

use super::{
    document::{self, Document},
    lines::Lines,
    object::{self, Recognised},
    problem::Problem,
};
use crate::{
    control::change::Object,
    model::diagnostic::{Kind, Severity},
};
use serde_json::Value;
use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};
use twox_hash::XxHash3_64;

/// The largest file that is read, in bytes. An object in a cluster has at most 1.5 MiB.
const LARGEST: u64 = 16 << 20;

/// An object of a file.
#[derive(Clone, Debug)]
pub struct Item {
    /// The object.
    pub object: Object,
    /// What stands in the file, with the namespace filled in, as a hash: the text itself would be the
    /// larger part of a gateway's memory.
    pub(super) content: u64,
    /// Whether the file says when it was created.
    pub(super) is_dated: bool,
    file: Arc<Path>,
    line: usize,
    /// `None` where only the line of the name is known.
    lines: Option<Arc<Lines>>,
    prefix: String,
}

/// Which lines of an object are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// Those of all fields, for who explains what is wrong with them.
    Fields,
    /// That of the name, of which alone something is said while serving. Those of all fields
    /// would take more memory than the objects.
    Name,
}

impl Item {
    /// The file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The line on which a field of the object stands, or the object where the field is not there.
    #[must_use]
    pub fn line(&self, field: &str) -> usize {
        let lines = self.lines.as_ref();
        lines.and_then(|lines| lines.at(&format!("{}{field}", self.prefix))).unwrap_or(self.line)
    }

    /// Forgets all lines but that of the name.
    fn forget_lines(&mut self) {
        self.line = self.line("metadata.name");
        (self.lines, self.prefix) = (None, String::new());
    }
}

/// What a file holds.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The objects that can be used, in the order of the file.
    pub items: Vec<Item>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

impl Loaded {
    /// Whether the whole file can be used.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.problems.iter().all(|problem| problem.severity < Severity::Error)
    }
}

/// Reads one file.
///
/// # Errors
///
/// The file itself cannot be read, whatever it holds.
pub fn load(path: &Path) -> Result<Loaded, Box<Problem>> {
    read(path).map(|text| parse(path, &text, Keep::Fields))
}

/// The text of a file.
pub(super) fn read(path: &Path) -> Result<String, Box<Problem>> {
    let unreadable = |cause: io::Error| {
        Box::new(Problem::of_file(path.to_owned(), Severity::Error, format!("cannot be read: {}", reason(&cause))))
    };
    read_text(path).map_err(unreadable)
}

/// Reads as much as is allowed, whatever the size that the system tells: that of a pipe is 0.
fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    if fs::File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)? as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {} MiB", LARGEST >> 20)));
    }
    String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}

fn reason(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::InvalidData => "it is not UTF-8".to_owned(),
        _ => cause.to_string(),
    }
}

/// The objects in a text.
pub(super) fn parse(path: &Path, text: &str, keep: Keep) -> Loaded {
    let mut file = File::new(path, keep);
    for document in document::read(text) {
        file.add_document(document);
    }
    file.loaded
}

struct File {
    path: Arc<Path>,
    line: usize,
    lines: Arc<Lines>,
    keep: Keep,
    loaded: Loaded,
}

impl File {
    fn new(path: &Path, keep: Keep) -> Self {
        Self { path: path.into(), line: 1, lines: Arc::default(), keep, loaded: Loaded::default() }
    }

    fn add_document(&mut self, document: Document) {
        self.line = document.line;
        self.lines = Arc::new(document.lines);
        match document.value {
            Ok(Value::Null) => {}
            Ok(value) => self.add_value(value, String::new()),
            Err((line, message)) => {
                self.line = line;
                self.problem(None, String::new(), Severity::Error, format!("is no YAML: {message}"));
            }
        }
    }

    fn add_value(&mut self, mut value: Value, prefix: String) {
        let names = Names::of(&value);
        match object::recognise(&value) {
            Recognised::List => self.add_list(value, &prefix),
            Recognised::Known(kind) => {
                object::complete(kind, &mut value);
                self.add_object(kind, &value, prefix);
            }
            Recognised::WrongVersion(wanted) => {
                let message = format!("`{}` is not read: write {wanted}", names.version);
                self.problem(Some(&names), format!("{prefix}apiVersion"), Severity::Error, message);
            }
            Recognised::Foreign if names.kind.is_empty() => {
                let message = "is no Kubernetes object: it needs apiVersion, kind and metadata".to_owned();
                self.problem(Some(&names), prefix, Severity::Error, message);
            }
            Recognised::Foreign => {
                let message =
                    format!("apiVersion `{}` with this kind means nothing to the gateway: ignored", names.version);
                self.problem(Some(&names), prefix, Severity::Warning, message);
            }
        }
    }

    fn add_list(&mut self, mut value: Value, prefix: &str) {
        let items = value["items"].take();
        for (index, item) in items.as_array().into_iter().flatten().enumerate() {
            self.add_value(item.clone(), format!("{prefix}items[{index}]."));
        }
    }

    fn add_object(&mut self, kind: Kind, value: &Value, prefix: String) {
        let names = Names::of(value);
        match object::read(kind, value) {
            Ok(object) => {
                let line = self.lines.at(prefix.trim_end_matches('.')).unwrap_or(self.line);
                let (file, lines) = (Arc::clone(&self.path), Some(Arc::clone(&self.lines)));
                let content = XxHash3_64::oneshot(value.to_string().as_bytes());
                let is_dated = !value["metadata"]["creationTimestamp"].is_null();
                let mut item = Item { object, content, is_dated, file, line, lines, prefix };
                if self.keep == Keep::Name {
                    item.forget_lines();
                }
                self.loaded.items.push(item);
            }
            Err(violations) => {
                for violation in violations {
                    let field = format!("{prefix}{}", violation.field);
                    self.problem(Some(&names), field, Severity::Error, violation.message);
                }
            }
        }
    }

    fn problem(&mut self, names: Option<&Names>, field: String, severity: Severity, message: String) {
        let names = names.cloned().unwrap_or_default();
        self.loaded.problems.push(Problem {
            file: PathBuf::from(&*self.path),
            line: Some(self.lines.at(&field).unwrap_or(self.line)),
            kind: names.kind,
            namespace: names.namespace,
            name: names.name,
            field,
            severity,
            message,
        });
    }
}

/// What an object is called, as far as it says so.
#[derive(Clone, Debug, Default)]
struct Names {
    version: String,
    kind: String,
    namespace: String,
    name: String,
}

impl Names {
    fn of(value: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            version: text(&value["apiVersion"]),
            kind: text(&value["kind"]),
            namespace: text(&value["metadata"]["namespace"]),
            name: text(&value["metadata"]["name"]),
        }
    }
}
