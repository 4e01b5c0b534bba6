//! Translation, golden: YAML in, a readable summary of everything that it becomes out.
//!
//! `UPDATE=1` writes the summaries anew.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod summary;

use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use paifang::control::{
    cache::Cache,
    change::{Change, Object, with_registrations},
    translate::{Context, Namespaces, translate},
    watch::file::{Loaded, load},
};
use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn context(text: &str) -> Context {
    let mut context =
        Context { now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000), ..Context::default() };
    let set = |value: &str| value.split(',').map(str::to_owned).collect::<BTreeSet<_>>();
    for line in text.lines().filter_map(|line| line.strip_prefix("#! ")) {
        let (key, value) = line.split_once('=').unwrap();
        match key {
            "secrets" => context.secrets = Namespaces::Only(set(value)),
            "watched" => context.watched = Namespaces::Only(set(value)),
            "default-certificate" => {
                context.default_certificate =
                    value.split_once('/').map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
            }
            key => panic!("{key}"),
        }
    }
    context
}

fn cache(loaded: &[Loaded]) -> Cache {
    let mut cache = Cache::default();
    let items = loaded.iter().flat_map(|loaded| &loaded.items);
    let changes = items.map(|item| Change::Upsert(item.object.clone())).collect();
    with_registrations(changes).into_iter().for_each(|change| drop(cache.apply(change)));
    cache
}

/// Samples hold no keys: the Secret that they name is made here.
fn certificate_of_the_samples() -> Object {
    let names = ["example.com".to_owned(), "*.example.com".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let data = [("tls.crt", made.cert.pem()), ("tls.key", made.signing_key.serialize_pem())];
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some("example-com-tls".to_owned()),
            namespace: Some("default".to_owned()),
            ..ObjectMeta::default()
        },
        type_: Some("kubernetes.io/tls".to_owned()),
        data: Some(data.map(|(key, value)| (key.to_owned(), ByteString(value.into_bytes()))).into()),
        ..Secret::default()
    };
    Object::Secret(Arc::new(secret))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

#[test]
fn translations_are_as_written_down() {
    let mut wrong = Vec::new();
    for path in files(&root().join("tests/data/translate")) {
        let loaded = [load(&path).unwrap()];
        assert_eq!(loaded[0].problems, [], "{}", path.display());
        let translation = translate(&cache(&loaded), &context(&fs::read_to_string(&path).unwrap()));
        let summary = summary::of(&translation);
        let golden = path.with_extension("txt");
        if env::var_os("UPDATE").is_some() {
            fs::write(&golden, &summary).unwrap();
        }
        if fs::read_to_string(&golden).unwrap_or_default() != summary {
            wrong.push(format!("{}:\n{summary}", golden.display()));
        }
    }
    assert!(wrong.is_empty(), "not as written down (UPDATE=1 writes it anew):\n{}", wrong.join("\n"));
}

#[test]
fn every_sample_translates_without_a_word() {
    let paths = files(&root().join("manifests/samples"));
    assert!(!paths.is_empty());
    let loaded: Vec<_> = paths.iter().map(|path| load(path).unwrap()).collect();
    for (path, loaded) in paths.iter().zip(&loaded) {
        assert_eq!(loaded.problems, [], "{}", path.display());
    }
    let mut cache = cache(&loaded);
    cache.apply(Change::Upsert(certificate_of_the_samples()));
    let translation = translate(&cache, &context(""));
    assert_eq!(translation.diagnostics, []);
    assert!(!translation.entries.is_empty());
}

#[test]
fn samples_of_the_past_are_valid_for_ever() {
    let paths = files(&root().join("tests/data/crd-history"));
    assert!(!paths.is_empty());
    for path in paths {
        let loaded = load(&path).unwrap();
        assert!(!loaded.items.is_empty(), "{}", path.display());
        assert_eq!(loaded.problems, [], "{}", path.display());
    }
}
