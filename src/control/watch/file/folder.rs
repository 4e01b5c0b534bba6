//! The memory of a folder: what each file held when it was last good, and what was reported.

use super::{
    doubt::Doubts,
    listing::{Listing, list},
    load::{self, Item, Keep, Loaded},
    object,
    problem::Problem,
};
use crate::{
    control::change::{Change, Object},
    model::diagnostic::{ObjectRef, Severity},
};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::{Path, PathBuf},
    time::Instant,
};
use twox_hash::XxHash3_64;

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
    text: Text,
    items: Vec<Item>,
}

/// A text by its length and hash: itself it is not needed any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Text(usize, u64);

impl Text {
    fn of(text: &str) -> Self {
        Self(text.len(), XxHash3_64::oneshot(text.as_bytes()))
    }
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
        let items = self.files.values_mut().flat_map(|file| &mut file.items);
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
        let seen = Text::of(&text);
        if known.is_some_and(|file| file.text == seen) {
            return self.doubts.end(&path);
        }
        let loaded = load::parse(&path, &text, Keep::Name);
        if known.is_some_and(|file| file.would_lose(&loaded)) && !self.doubts.believe(&path, &text, now) {
            return;
        }
        self.doubts.end(&path);
        let is_good = loaded.is_good();
        let Loaded { items, problems: mut found } = loaded;
        problems.append(&mut found);
        let file = self.files.entry(path).or_default();
        file.text = seen;
        if is_good {
            let old = std::mem::replace(&mut file.items, items);
            share(old, &mut file.items);
        }
    }
}

/// What is as it was stays the very same object, which whoever serves it holds as well.
fn share(old: Vec<Item>, new: &mut [Item]) {
    let mut known = HashMap::new();
    for item in old {
        known.entry(item.object.reference()).or_insert(item);
    }
    for item in new {
        if let Some(old) = known.remove(&item.object.reference()).filter(|old| old.content == item.content) {
            item.object = old.object;
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
        items: impl Iterator<Item = &'a mut Item>,
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
                    changes.push(Change::Upsert(known.stamp(item)));
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

    /// The object with what the API server would have added to its metadata. The item shares it
    /// from then on: two of each would be the larger part of a gateway's memory.
    fn stamp(&self, item: &mut Item) -> Object {
        let Some(metadata) = object::metadata(&mut item.object) else { return item.object.clone() };
        metadata.generation = Some(self.generation);
        metadata.resource_version = Some(self.generation.to_string());
        if !item.is_dated {
            metadata.creation_timestamp = Timestamp::from_second(self.created).ok().map(Time);
        }
        item.object.clone()
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, sync::Arc};

    const ROUTES: &str = "
apiVersion: paifang.dev/v1alpha1
kind: GatewayRoute
metadata: {name: a}
spec: {rules: [{backends: [{service: one}]}]}
---
apiVersion: paifang.dev/v1alpha1
kind: GatewayRoute
metadata: {name: b}
spec: {rules: [{backends: [{service: two}]}]}
";

    fn routes(changes: &[Change]) -> Vec<*const ()> {
        let route = |change: &Change| match change {
            Change::Upsert(Object::GatewayRoute(route)) => Arc::as_ptr(route).cast(),
            other => panic!("{other:?}"),
        };
        changes.iter().map(route).collect()
    }

    #[test]
    fn an_object_is_in_memory_once() {
        let written = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(written.path().to_owned());
        let mut scan = |text: &str| {
            fs::write(written.path().join("a.yaml"), text).unwrap();
            let (changes, problems) = folder.scan(Instant::now()).unwrap();
            assert_eq!(problems, []);
            let items = folder.files.values().flat_map(|file| &file.items);
            let held = items.map(|item| Change::Upsert(item.object.clone())).collect::<Vec<_>>();
            (routes(&changes), routes(&held))
        };
        let (first, held) = scan(ROUTES);
        assert_eq!((first.len(), &first), (2, &held));
        let (changed, held) = scan(&ROUTES.replace("two", "three"));
        assert_eq!(changed.len(), 1, "only one has changed");
        assert_eq!(held, [first[0], changed[0]]);
    }
}
