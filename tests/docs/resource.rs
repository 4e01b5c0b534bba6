//! The reference of GatewayRoute, from the schema of its CRD.

use paifang::resource::crd;
use serde_json::Value;
use std::fmt::Write as _;

const HEAD: &str = "\
# GatewayRoute

Every field of `paifang.dev/v1alpha1` GatewayRoute, short name `gwr`. Generated from the CRD; do not edit. Examples are
in [routing](../routing.md) and [TLS](../tls.md).

`[]` means a list. A field without a default may be left out, unless it is required.
";

/// The page.
pub(crate) fn page() -> String {
    let schema = crd::schema();
    let mut page = HEAD.to_owned();
    for part in ["spec", "status"] {
        let _ = write!(page, "\n## {part}\n\n{}\n", text(&schema["properties"][part]));
        page.push_str("\n| field | type | default | limits | meaning |\n| --- | --- | --- | --- | --- |\n");
        fields(&schema["properties"][part], "", &mut page);
        let rules = rules(&schema["properties"][part], part);
        if !rules.is_empty() {
            page.push_str("\nRules over several fields:\n\n");
            rules.iter().for_each(|rule| page.push_str(&format!("- {rule}\n")));
        }
    }
    page
}

fn fields(schema: &Value, prefix: &str, page: &mut String) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let is_list = property["type"] == "array";
        let path = format!("{prefix}{name}{}", if is_list { "[]" } else { "" });
        let inner = if is_list { &property["items"] } else { property };
        let mut limits = limits(property);
        if required.contains(&name.as_str()) {
            limits.insert(0, "required".to_owned());
        }
        if is_list {
            limits.extend(self::limits(inner).into_iter().map(|limit| format!("each {limit}")));
        }
        let default = property.get("default").map(|value| format!("`{}`", plain(value))).unwrap_or_default();
        let kind = kind(inner);
        let _ = writeln!(page, "| `{path}` | {kind} | {default} | {} | {} |", limits.join("; "), text(property));
        fields(inner, &format!("{path}."), page);
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn kind(schema: &Value) -> &str {
    match schema["type"].as_str() {
        Some(_) if schema["enum"].is_array() => "choice",
        Some(kind) => kind,
        None if schema["x-kubernetes-int-or-string"] == true => "integer or string",
        None => "any",
    }
}

fn limits(schema: &Value) -> Vec<String> {
    let mut limits = Vec::new();
    if let Some(choices) = schema["enum"].as_array() {
        let choices: Vec<_> = choices.iter().map(|choice| format!("`{}`", plain(choice))).collect();
        limits.push(format!("one of {}", choices.join(", ")));
    }
    let range = |least: &str, most: &str, unit: &str| {
        let (least, most) = (number(&schema[least]), number(&schema[most]));
        match (least, most) {
            (Some(least), Some(most)) => Some(format!("{least} to {most}{unit}")),
            (Some(least), None) => Some(format!("at least {least}{unit}")),
            (None, Some(most)) => Some(format!("at most {most}{unit}")),
            (None, None) => None,
        }
    };
    limits.extend(range("minimum", "maximum", ""));
    limits.extend(range("minLength", "maxLength", " characters"));
    limits.extend(range("minItems", "maxItems", " items"));
    if schema["x-kubernetes-list-type"] == "set" {
        limits.push("no repeats".to_owned());
    }
    limits.extend(schema["pattern"].as_str().map(|pattern| format!("`{}`", pattern.replace('|', "\\|"))));
    limits
}

fn number(value: &Value) -> Option<String> {
    value.as_f64().map(|number| number.to_string())
}

fn text(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// The messages of the CEL rules, each with its place.
fn rules(schema: &Value, path: &str) -> Vec<String> {
    let own = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    let mut found: Vec<String> =
        own.filter_map(|rule| rule["message"].as_str()).map(|message| format!("`{path}`: {message}")).collect();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let is_list = property["type"] == "array";
        let inner = if is_list { &property["items"] } else { property };
        found.extend(rules(inner, &format!("{path}.{name}{}", if is_list { "[]" } else { "" })));
    }
    found
}
