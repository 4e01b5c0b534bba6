//! Whether the CRDs in the cluster are those of this version.
//!
//! Reading CRDs needs a right that the gateway does not have, but every account may read the
//! published API description, which tells the same.

use super::{Finding, answer};
use crate::resource::crd;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use serde_json::{Value, json};

/// The parts of a schema that decide what is accepted.
const RULES: [&str; 12] = [
    "type",
    "enum",
    "format",
    "pattern",
    "required",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "x-kubernetes-validations",
];
/// Differences named in one line.
const NAMED: usize = 3;
const MEND: &str =
    "chart value crds.install=true and an upgrade, or `paifang crds | kubectl apply --server-side -f -`, brings them";

/// Compares each CRD.
pub(super) async fn check(client: &Client) -> Vec<Finding> {
    let mut findings = Vec::new();
    for crd in crd::all() {
        findings.push(check_one(client, &crd).await);
    }
    findings
}

async fn check_one(client: &Client, crd: &CustomResourceDefinition) -> Finding {
    let name = format!("{}.{}", crd.spec.names.plural, crd.spec.group);
    let Some(ours) = crd.spec.versions.first() else { return Err(format!("CRD {name}: this binary has no version")) };
    let label = format!("CRD {name}/{}", ours.name);
    let published = published(client, crd, &ours.name).await.map_err(|error| format!("{label}: {error}"))?;
    let Some(published) = published else { return Err(format!("{label} is not installed; {MEND}")) };
    let schema = json!(ours.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref()));
    let mut differences = Vec::new();
    for part in ["spec", "status"] {
        compare(part, &schema["properties"][part], &published["properties"][part], &mut differences);
    }
    match differences.len() {
        0 => Ok(format!("{label} is installed and is that of this version")),
        count => {
            differences.truncate(NAMED);
            let more = if count > NAMED { format!(" and {} more", count - NAMED) } else { String::new() };
            Err(format!("{label} differs from that of this version: {}{more}; {MEND}", differences.join(", ")))
        }
    }
}

/// The schema of a kind as the API server publishes it, if it does.
async fn published(client: &Client, crd: &CustomResourceDefinition, version: &str) -> Result<Option<Value>, String> {
    let path = format!("/openapi/v3/apis/{}/{version}", crd.spec.group);
    let request = http::Request::get(path).body(Vec::new()).map_err(|error| error.to_string())?;
    let found = answer(async {
        match client.request::<Value>(request).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            other => other.map(Some),
        }
    });
    let wanted = json!({"group": crd.spec.group, "kind": crd.spec.names.kind, "version": version});
    Ok(found.await?.and_then(|mut document| {
        let schemas = document["components"]["schemas"].as_object_mut()?;
        let is_wanted = |schema: &&mut Value| {
            schema["x-kubernetes-group-version-kind"].as_array().is_some_and(|kinds| kinds.contains(&wanted))
        };
        schemas.values_mut().find(is_wanted).map(Value::take)
    }))
}

/// Notes every field that differs, by its path.
fn compare(path: &str, ours: &Value, theirs: &Value, differences: &mut Vec<String>) {
    if theirs.is_null() {
        differences.push(format!("{path} is missing"));
        return;
    }
    let differing = RULES.iter().filter(|rule| !same(&ours[**rule], &theirs[**rule]));
    differences.extend(differing.map(|rule| format!("{path} has another {rule}")));
    let none = serde_json::Map::new();
    let fields = |schema: &Value| schema["properties"].as_object().unwrap_or(&none).clone();
    let (our_fields, their_fields) = (fields(ours), fields(theirs));
    for (name, schema) in &our_fields {
        compare(&format!("{path}.{name}"), schema, &theirs["properties"][name], differences);
    }
    let unknown = their_fields.keys().filter(|name| !our_fields.contains_key(*name));
    differences.extend(unknown.map(|name| format!("{path}.{name} is unknown to this version")));
    if !ours["items"].is_null() {
        compare(&format!("{path}[]"), &ours["items"], &theirs["items"], differences);
    }
}

/// Equal, where 1 and 1.0 are the same number.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours.as_f64(), theirs.as_f64()) {
        (Some(ours), Some(theirs)) => ours.total_cmp(&theirs).is_eq(),
        _ => ours == theirs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differences(ours: &Value, theirs: &Value) -> Vec<String> {
        let mut found = Vec::new();
        compare("spec", ours, theirs, &mut found);
        found
    }

    #[test]
    fn a_schema_equals_itself_whatever_the_descriptions() {
        let ours =
            json!({"type": "object", "properties": {"n": {"type": "integer", "maximum": 5.0, "description": "a"}}});
        let theirs =
            json!({"type": "object", "properties": {"n": {"type": "integer", "maximum": 5, "description": "b"}}});
        assert_eq!(differences(&ours, &theirs), Vec::<String>::new());
    }

    #[test]
    fn missing_unknown_and_changed_fields_are_named_by_their_path() {
        let ours = json!({"properties": {"list": {"items": {"properties": {"new": {}, "n": {"maxLength": 5}}}}}});
        let theirs = json!({"properties": {"list": {"items": {"properties": {"n": {"maxLength": 6}, "old": {}}}}}});
        assert_eq!(
            differences(&ours, &theirs),
            [
                "spec.list[].n has another maxLength",
                "spec.list[].new is missing",
                "spec.list[].old is unknown to this version"
            ]
        );
    }
}
