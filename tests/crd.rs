//! The published CRD: current, small, described throughout, and true to every sample ever given.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use paifang::resource::{crd, schema};
use serde_json::Value;
use std::{env, fs, path::PathBuf};

const LARGEST: usize = 200 * 1024;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_published_crds_are_current() {
    for crd in crd::all() {
        let name = crd.metadata.name.clone().unwrap();
        let path = root().join("crds").join(format!("{}.{}.yaml", crd.spec.names.plural, crd.spec.group));
        assert_eq!(name, format!("{}.{}", crd.spec.names.plural, crd.spec.group));
        let text = crd::to_yaml(&crd);
        if env::var_os("UPDATE").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let published = fs::read_to_string(&path).unwrap_or_default();
        assert!(published == text, "{} is not current: run the tests with UPDATE=1", path.display());
        assert!(text.len() < LARGEST, "{} has {} bytes; the most is {LARGEST}", path.display(), text.len());
    }
}

#[test]
fn every_field_of_ours_is_described_for_users() {
    let mut wrong = Vec::new();
    let schema = crd::schema();
    for part in ["spec", "status"] {
        describe(&schema["properties"][part], part, &mut wrong);
    }
    assert_eq!(wrong, Vec::<String>::new());
}

fn describe(schema: &Value, path: &str, wrong: &mut Vec<String>) {
    let text = schema["description"].as_str().unwrap_or_default();
    let is_item = path.ends_with("[]") && schema["type"] != "object";
    if text.is_empty() && !is_item {
        wrong.push(format!("{path}: no description"));
    }
    for leak in ["::", "Option<", "Vec<", "[`", "`]", "](", "TODO", "serde"] {
        if text.contains(leak) {
            wrong.push(format!("{path}: {leak} in {text:?}"));
        }
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        describe(property, &format!("{path}.{name}"), wrong);
    }
    if schema["items"].is_object() {
        describe(&schema["items"], &format!("{path}[]"), wrong);
    }
}

#[test]
fn every_list_and_text_has_a_limit() {
    let mut wrong = Vec::new();
    limits(&crd::schema()["properties"]["spec"], "spec", &mut wrong);
    assert_eq!(wrong, Vec::<String>::new());
}

fn limits(schema: &Value, path: &str, wrong: &mut Vec<String>) {
    let limit = match schema["type"].as_str() {
        Some("array") => &schema["maxItems"],
        Some("string") if schema["enum"].is_null() => &schema["maxLength"],
        Some("integer") => &schema["maximum"],
        _ => &Value::Bool(true),
    };
    if limit.is_null() {
        wrong.push(path.to_owned());
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        limits(property, &format!("{path}.{name}"), wrong);
    }
    if schema["items"].is_object() {
        limits(&schema["items"], &format!("{path}[]"), wrong);
    }
}

#[test]
fn defaults_satisfy_their_own_schema() {
    let mut wrong = Vec::new();
    defaults(&crd::schema(), "", &mut wrong);
    assert_eq!(wrong, Vec::<String>::new());
}

fn defaults(node: &Value, path: &str, wrong: &mut Vec<String>) {
    if let Some(default) = node.get("default").filter(|_| node["type"].is_string()) {
        wrong.extend(schema::check(node, default).iter().map(|violation| format!("{path}: {violation}")));
    }
    for (name, property) in node["properties"].as_object().into_iter().flatten() {
        defaults(property, &format!("{path}.{name}"), wrong);
    }
    if node["items"].is_object() {
        defaults(&node["items"], &format!("{path}[]"), wrong);
    }
}
