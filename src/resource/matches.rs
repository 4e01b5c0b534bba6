//! The part of a rule that says which requests it takes.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Conditions on one request. All that are set must hold. An empty match takes every request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteMatch {
    /// The request path. Default: the prefix `/`, that is every path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathMatch>,
    /// HTTP methods, in capitals as RFC 9110 writes them. Empty: any method. At most 9.
    /// A rule that takes GET takes HEAD too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 9), inner(regex(pattern = r"^[A-Z][A-Z0-9_-]{0,31}$"), length(max = 32)), extend("x-kubernetes-list-type" = "set"))]
    pub methods: Vec<String>,
    /// Header conditions; all must hold. At most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub headers: Vec<ValueMatch>,
    /// Query parameter conditions; all must hold. The first value of a repeated parameter counts.
    /// At most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub query_params: Vec<ValueMatch>,
}

/// A condition on the request path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.type == 'RegularExpression' || self.value.startsWith('/')").message("path.value must start with a slash, as in /greeter").field_path(".value"),
    validation = Rule::new("self.type == 'RegularExpression' || !self.value.contains('//')").message("path.value must not contain empty segments (//)").field_path(".value"),
    validation = Rule::new("self.type == 'RegularExpression' || !self.value.matches('[?#;\\\\\\\\]')").message("path.value must not contain a query, a fragment, a semicolon or a backslash").field_path(".value"),
    validation = Rule::new("self.type == 'RegularExpression' || !self.value.matches('/[.]{1,2}(/|$)')").message("path.value must not contain dot segments (/./ or /../)").field_path(".value"),
    validation = Rule::new("self.type == 'Template' || self.type == 'RegularExpression' || !self.value.matches('[{}*]')").message("path.value has braces or a star: set path.type to Template").field_path(".value")
)]
pub struct PathMatch {
    /// How `value` is compared with the path. Default: PathPrefix.
    #[serde(default, rename = "type")]
    pub type_: PathMatchType,
    /// The path to compare with, at most 1024 bytes. Exact and PathPrefix: a path such as
    /// `/greeter`. Template: a path with captures, such as `/users/{id}/files/{path=**}`.
    /// RegularExpression: an expression of the `regex` crate that must match the whole path.
    #[schemars(length(min = 1, max = 1024))]
    pub value: String,
}

/// How a path condition compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PathMatchType {
    /// The path is the same, byte for byte, after normalisation.
    Exact,
    /// The path is the same or continues after a slash: `/a` takes `/a` and `/a/b`, not `/ab`.
    #[default]
    PathPrefix,
    /// The whole path matches a regular expression.
    RegularExpression,
    /// The path matches a template with captures, as in `google.api.http`.
    Template,
}

/// A condition on a named value: a header or a query parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValueMatch {
    /// How `value` is compared. Default: Exact.
    #[serde(default, rename = "type")]
    pub type_: ValueMatchType,
    /// The name. Header names are compared without regard to case, parameter names as they are.
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^[A-Za-z0-9!#$%&'*+.^_|~-]+$"))]
    pub name: String,
    /// The value to compare with, at most 4096 bytes.
    #[schemars(length(max = 4096))]
    pub value: String,
}

/// How a value condition compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ValueMatchType {
    /// The value is the same, byte for byte.
    #[default]
    Exact,
    /// The whole value matches a regular expression of the `regex` crate.
    RegularExpression,
}
