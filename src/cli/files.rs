//! The files that a command is given, read and translated as the gateway would.

use crate::{
    control::{
        cache::Cache,
        change::{Change, Object},
        translate::{Context, Translation, translate},
        watch::file::{self, Item, Listing, Loaded, Problem},
    },
    model::diagnostic::{Kind, ObjectRef},
};
use k8s_openapi::{
    api::networking::v1::{IngressClass, IngressClassSpec},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Some files and what they become.
#[derive(Debug)]
pub(super) struct Files {
    /// How many there are.
    pub(super) count: usize,
    /// What is wrong with them as files.
    pub(super) problems: Vec<Problem>,
    /// What they become.
    pub(super) translation: Translation,
    /// The objects, with the endpoints behind their Services.
    pub(super) cache: Cache,
    places: HashMap<ObjectRef, Item>,
}

impl Files {
    /// Reads files and folders. A folder means its own files, as for `kubectl apply -f`.
    ///
    /// # Errors
    ///
    /// Nothing is named, a file or folder cannot be read, or a folder has no file to read.
    pub(super) fn read(paths: &[PathBuf], context: &Context) -> Result<Self, String> {
        let Listing { files, ignored } = expand(paths)?;
        let mut loaded = load(&files)?;
        let (changes, mut clashes) = file::join(&mut loaded);
        let mut cache = Cache::default();
        for change in changes {
            cache.apply(change);
        }
        add_class(&mut cache, context);
        let translation = translate(&cache, context);
        let mut problems = ignored;
        let mut places = HashMap::new();
        for Loaded { items, problems: found } in loaded {
            problems.extend(found);
            for item in items {
                places.entry(item.object.reference()).or_insert(item);
            }
        }
        problems.append(&mut clashes);
        Ok(Self { count: files.len(), problems, translation, cache, places })
    }

    /// The file and line of a field of an object.
    pub(super) fn place(&self, object: &ObjectRef, field: &str) -> Option<(&Path, usize)> {
        self.places.get(object).map(|item| (item.file(), item.line(field)))
    }

    /// How many objects there are.
    pub(super) fn objects(&self) -> usize {
        self.places.len()
    }

    /// Whether any object is of a kind.
    pub(super) fn has(&self, kind: Kind) -> bool {
        self.places.keys().any(|object| object.kind == kind)
    }
}

/// Loads every file, or tells of all that cannot be read.
fn load(files: &[PathBuf]) -> Result<Vec<Loaded>, String> {
    let (mut loaded, mut unreadable) = (Vec::new(), Vec::new());
    for path in files {
        match file::load(path) {
            Ok(file) => loaded.push(file),
            Err(problem) => unreadable.push(problem.to_string()),
        }
    }
    if unreadable.is_empty() { Ok(loaded) } else { Err(unreadable.join("\n")) }
}

fn expand(paths: &[PathBuf]) -> Result<Listing, String> {
    if paths.is_empty() {
        return Err("name the files or folders to read".to_owned());
    }
    let mut all = Listing::default();
    for path in paths {
        if !path.is_dir() {
            all.files.push(path.clone());
            continue;
        }
        let found = file::list(path).map_err(|error| format!("{}: cannot be read: {error}", path.display()))?;
        if found.files.is_empty() {
            return Err(format!("{}: has no *.yaml, *.yml or *.json file", path.display()));
        }
        all.files.extend(found.files);
        all.ignored.extend(found.ignored);
    }
    Ok(all)
}

/// Files rarely hold the IngressClass that the chart installs. Where they hold none, the class of
/// the gateway stands in for it, and for Ingresses without a class.
fn add_class(cache: &mut Cache, context: &Context) {
    if !cache.classes.is_empty() {
        return;
    }
    let annotation = ("ingressclass.kubernetes.io/is-default-class".to_owned(), "true".to_owned());
    let class = IngressClass {
        metadata: ObjectMeta {
            name: Some(context.class_name.clone()),
            annotations: Some(BTreeMap::from([annotation])),
            ..ObjectMeta::default()
        },
        spec: Some(IngressClassSpec { controller: Some(context.controller_name.clone()), parameters: None }),
    };
    cache.apply(Change::Upsert(Object::IngressClass(Arc::new(class))));
}
