//! The memory of a folder: what each file held when it was last good, and what was reported.

use super::{
    doubt::Doubts,
    listing::{Listing, list},
    load::{self, Item, Loaded},
    object,
    problem::Problem,
};
use crate::{
    control::change::{Change, Object},
    model::diagnostic::{ObjectRef, Severity},
};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    time::Instant,
};

/// 2000-01-01: files have no moment at which their objects were created, only an order.
const FIRST: i64 = 946_684_800;

/// A folder and what is known of it.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    files: BTreeMap<PathBuf, File>,
    doubts: Doubts,
    /// What was said of the folder itself, so that it is said once.
    told: Vec<Problem>,
    memory: Memory,
}

/// What was reported of every object.
#[derive(Debug, Default)]
pub(super) struct Memory(BTreeMap<ObjectRef, Known>);

/// A file as it was when it was last read, and the objects of its last good version.
#[derive(Debug, Default)]
struct File {
    text: String,
    items: Vec<Item>,
}

/// What was reported of an object.
#[derive(Debug)]
struct Known {
    content: u64,
    generation: i64,
    created: i64,
}

impl Folder {
    /// A folder of which nothing is known.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, files: BTreeMap::new(), doubts: Doubts::default(), told: Vec::new(), memory: Memory::default() }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// When to look again though nothing is noticed: a doubtful version may have settled by then.
    pub(super) fn doubtful_until(&self) -> Option<Instant> {
        self.doubts.next()
    }

    /// Reads what is new and says what changed, and what is wrong with files that are new.
    pub(super) fn scan(&mut self, now: Instant) -> io::Result<(Vec<Change>, Vec<Problem>)> {
        let Listing { files: paths, ignored } = list(&self.path)?;
        self.files.retain(|path, _| paths.contains(path));
        self.doubts.retain(&paths);
        let mut problems = self.untold(&paths, ignored);
        for path in paths {
            self.scan_file(path, now, &mut problems);
        }
        let items = self.files.values().flat_map(|file| &file.items);
        let changes = self.memory.changes(items, &mut problems);
        Ok((changes, problems))
    }

    /// What is wrong with the folder itself and was not said before.
    fn untold(&mut self, paths: &[PathBuf], mut wrong: Vec<Problem>) -> Vec<Problem> {
        if paths.is_empty() {
            let message = "has no *.yaml, *.yml or *.json file: every request is answered by 404".to_owned();
            wrong.push(Problem::of_file(self.path.clone(), Severity::Warning, message));
        }
        let told = std::mem::replace(&mut self.told, wrong);
        self.told.iter().filter(|problem| !told.contains(problem)).cloned().collect()
    }

    fn scan_file(&mut self, path: PathBuf, now: Instant, problems: &mut Vec<Problem>) {
        let text = match load::read(&path) {
            Ok(text) => text,
            Err(problem) => return problems.push(*problem),
        };
        let known = self.files.get(&path);
        if known.is_some_and(|file| file.text == text) {
            return self.doubts.end(&path);
        }
        let loaded = load::parse(&path, &text);
        if known.is_some_and(|file| file.would_lose(&loaded)) && !self.doubts.believe(&path, &text, now) {
            return;
        }
        self.doubts.end(&path);
        let is_good = loaded.is_good();
        let Loaded { items, problems: mut found } = loaded;
        problems.append(&mut found);
        let file = self.files.entry(path).or_default();
        file.text = text;
        if is_good {
            file.items = items;
            for item in &mut file.items {
                item.forget_lines();
            }
        }
    }
}

impl File {
    /// Whether a version is broken, or lacks objects of the last good one: as half of a file does.
    fn would_lose(&self, loaded: &Loaded) -> bool {
        let is_left = |item: &Item| {
            let reference = item.object.reference();
            loaded.items.iter().any(|left| left.object.reference() == reference)
        };
        let keeps_all = loaded.is_good() && self.items.iter().all(is_left);
        !self.items.is_empty() && !keeps_all
    }
}

impl Memory {
    /// How these objects differ from those before. Of two with the same name the first one counts.
    pub(super) fn changes<'a>(
        &mut self,
        items: impl Iterator<Item = &'a Item>,
        problems: &mut Vec<Problem>,
    ) -> Vec<Change> {
        let mut old = std::mem::take(&mut self.0);
        let mut changes = Vec::new();
        for (item, created) in items.zip(FIRST..) {
            let reference = item.object.reference();
            if self.0.contains_key(&reference) {
                problems.push(duplicate(item, &reference));
                continue;
            }
            let known = match old.remove(&reference) {
                Some(known) if known.content == item.content && known.created == created => known,
                other => {
                    let known = Known::after(other.as_ref(), item, created);
                    changes.push(Change::Upsert(known.stamp(item.object.clone())));
                    known
                }
            };
            self.0.insert(reference, known);
        }
        changes.extend(old.into_keys().map(Change::Delete));
        changes
    }
}

impl Known {
    /// The generation counts the versions that differ in content.
    fn after(before: Option<&Self>, item: &Item, created: i64) -> Self {
        let generation = match before {
            Some(before) if before.content == item.content => before.generation,
            Some(before) => before.generation + 1,
            None => 1,
        };
        Self { content: item.content, generation, created }
    }

    /// What the API server would have added to the metadata.
    fn stamp(&self, mut object: Object) -> Object {
        let Some(metadata) = object::metadata(&mut object) else { return object };
        metadata.generation = Some(self.generation);
        metadata.resource_version = Some(self.generation.to_string());
        if metadata.creation_timestamp.is_none() {
            metadata.creation_timestamp = Timestamp::from_second(self.created).ok().map(Time);
        }
        object
    }
}

fn duplicate(item: &Item, object: &ObjectRef) -> Problem {
    Problem {
        file: item.file().to_owned(),
        line: Some(item.line("metadata.name")),
        kind: object.kind.to_string(),
        namespace: object.namespace.to_string(),
        name: object.name.to_string(),
        field: "metadata.name".to_owned(),
        severity: Severity::Error,
        message: "an earlier file or document has the same object: that one is used".to_owned(),
    }
}
