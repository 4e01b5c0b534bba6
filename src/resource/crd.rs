//! The published CRD, generated from the types of this module.

use super::GatewayRoute;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt as _;
use serde_json::Value;

/// Group and version of the CRDs.
pub const API_VERSION: &str = "paifang.dev/v1alpha1";

/// The CRDs of this version, in the order in which they are applied.
#[must_use]
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![gateway_routes()]
}

/// The schema of a GatewayRoute, as the API server checks it.
#[must_use]
pub fn schema() -> Value {
    let schema = gateway_routes().spec.versions.pop().and_then(|version| version.schema);
    let schema = schema.and_then(|schema| schema.open_api_v3_schema);
    serde_json::to_value(schema).expect("a schema must be JSON")
}

fn gateway_routes() -> CustomResourceDefinition {
    let mut crd = GatewayRoute::crd();
    let schemas = crd.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut());
    schemas.filter_map(|schema| schema.open_api_v3_schema.as_mut()).for_each(polish);
    crd
}

/// A field that is null is a field that is not there. The API server takes nulls out by itself
/// where the schema does not allow them, and then `has()` in a CEL rule means what it says.
/// Descriptions lose the line ends of the source: `kubectl explain` wraps them by itself.
fn polish(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.description = schema.description.as_deref().map(unwrap_lines);
    schema.properties.iter_mut().flatten().for_each(|(_, property)| polish(property));
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        polish(items);
    }
}

/// Paragraphs on one line each.
fn unwrap_lines(text: &str) -> String {
    text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n")
}

/// A CRD as YAML, as it is published.
#[must_use]
pub fn to_yaml(crd: &CustomResourceDefinition) -> String {
    serde_saphyr::to_string(crd).expect("a CRD must be YAML")
}
