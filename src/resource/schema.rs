//! The rules of the published CRD, checked without an API server: types, limits, patterns, unknown
//! fields and CEL, so that an offline check says what the server would say.

use super::crd;
use kube::core::cel::{CompiledSchema, Validator, compile_schema};
use regex::Regex;
use serde_json::{Map, Value};
use std::{fmt, sync::OnceLock};

/// A place where an object breaks the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field, as in `spec.rules[0].backends[1].port`; empty for the whole object.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => f.write_str(&self.message),
            field => write!(f, "{field}: {}", self.message),
        }
    }
}

/// What the API server would refuse in a GatewayRoute. CEL rules are only asked where everything
/// else is right, as the server does.
#[must_use]
pub fn check_gateway_route(object: &Value) -> Vec<Violation> {
    static SCHEMA: OnceLock<(Value, CompiledSchema)> = OnceLock::new();
    let (schema, compiled) = SCHEMA.get_or_init(|| {
        let schema = crd::schema();
        let compiled = compile_schema(&schema);
        (schema, compiled)
    });
    let violations = check(schema, object);
    if violations.is_empty() { check_cel(compiled, object) } else { violations }
}

fn check_cel(schema: &CompiledSchema, object: &Value) -> Vec<Violation> {
    let object = &without_nulls(object);
    let errors = Validator::new().validate_compiled(schema, object, None).err();
    let errors = errors.map(kube::core::cel::ValidationErrors::into_vec).unwrap_or_default();
    errors.into_iter().map(|error| Violation { field: error.field_path, message: error.message }).collect()
}

/// A value without the fields that are null, as the API server reads it.
#[must_use]
pub fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(fields.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// What a structural schema refuses in a value, its CEL rules left out.
#[must_use]
pub fn check(schema: &Value, value: &Value) -> Vec<Violation> {
    let mut violations = Vec::new();
    check_node(schema, value, &Path(""), &mut violations);
    violations
}

/// A field's place, written out only for a message.
struct Path<'a>(&'a str);

impl Path<'_> {
    fn key(&self, key: &str) -> String {
        match self.0 {
            "" => key.to_owned(),
            parent => format!("{parent}.{key}"),
        }
    }

    fn index(&self, index: usize) -> String {
        format!("{}[{index}]", self.0)
    }
}

fn check_node(schema: &Value, value: &Value, at: &Path<'_>, out: &mut Vec<Violation>) {
    let mut refuse = |message: String| out.push(Violation { field: at.0.to_owned(), message });
    if let Some(message) = wrong_type(schema, value) {
        return refuse(message);
    }
    if let Some(message) = wrong_choice(schema, value) {
        refuse(message);
    }
    match value {
        Value::String(text) => check_text(schema, text).into_iter().for_each(refuse),
        Value::Number(number) => check_number(schema, number.as_f64()).into_iter().for_each(refuse),
        Value::Array(items) => check_array(schema, items, at, out),
        Value::Object(fields) => check_object(schema, fields, at, out),
        Value::Null | Value::Bool(_) => {}
    }
}

fn wrong_type(schema: &Value, value: &Value) -> Option<String> {
    let (wanted, right) = match schema["type"].as_str() {
        Some("string") => ("a text", value.is_string()),
        Some("integer") => ("a whole number", value.is_i64() || value.is_u64()),
        Some("number") => ("a number", value.is_number()),
        Some("boolean") => ("true or false", value.is_boolean()),
        Some("array") => ("a list", value.is_array()),
        Some("object") => ("an object", value.is_object()),
        _ if schema["x-kubernetes-int-or-string"] == true => {
            ("a whole number or a text", value.is_string() || value.is_i64() || value.is_u64())
        }
        _ => return None,
    };
    (!right).then(|| format!("must be {wanted}, not {}", describe(value)))
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => format!("`{value}`"),
    }
}

fn wrong_choice(schema: &Value, value: &Value) -> Option<String> {
    let choices = schema["enum"].as_array()?;
    if choices.contains(value) {
        return None;
    }
    let choices: Vec<_> = choices.iter().map(|choice| choice.as_str().unwrap_or_default()).collect();
    Some(format!("{} is not supported: use one of {}", describe(value), choices.join(", ")))
}

fn check_text(schema: &Value, text: &str) -> Vec<String> {
    let length = text.chars().count() as u64;
    let mut messages = limits(schema, "Length", length, "characters");
    if let Some(pattern) = schema["pattern"].as_str()
        && Regex::new(pattern).is_ok_and(|regex| !regex.is_match(text))
    {
        messages.push(format!("`{text}` must match {pattern}"));
    }
    messages
}

fn check_number(schema: &Value, number: Option<f64>) -> Vec<String> {
    let number = number.unwrap_or(f64::NAN);
    let mut messages = Vec::new();
    if let Some(least) = schema["minimum"].as_f64().filter(|least| number < *least) {
        messages.push(format!("{number} is too small: the least is {least}"));
    }
    if let Some(most) = schema["maximum"].as_f64().filter(|most| number > *most) {
        messages.push(format!("{number} is too large: the most is {most}"));
    }
    messages
}

fn limits(schema: &Value, what: &str, count: u64, unit: &str) -> Vec<String> {
    let mut messages = Vec::new();
    if let Some(least) = schema[format!("min{what}")].as_u64().filter(|least| count < *least) {
        messages.push(format!("must have at least {least} {unit}, not {count}"));
    }
    if let Some(most) = schema[format!("max{what}")].as_u64().filter(|most| count > *most) {
        messages.push(format!("must have at most {most} {unit}, not {count}"));
    }
    messages
}

fn check_array(schema: &Value, items: &[Value], at: &Path<'_>, out: &mut Vec<Violation>) {
    let counts = limits(schema, "Items", items.len() as u64, "items");
    out.extend(counts.into_iter().map(|message| Violation { field: at.0.to_owned(), message }));
    for (index, item) in items.iter().enumerate() {
        let field = at.index(index);
        if items.iter().take(index).any(|earlier| same_entry(schema, earlier, item)) {
            out.push(Violation { field: field.clone(), message: format!("repeats {}", describe_key(schema, item)) });
        }
        check_node(&schema["items"], item, &Path(&field), out);
    }
}

/// Whether two items may not stand in one list.
fn same_entry(schema: &Value, one: &Value, other: &Value) -> bool {
    match schema["x-kubernetes-list-type"].as_str() {
        Some("set") => one == other,
        Some("map") => keys(schema).all(|key| one[key] == other[key]),
        _ => false,
    }
}

fn keys(schema: &Value) -> impl Iterator<Item = &str> {
    schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn describe_key(schema: &Value, item: &Value) -> String {
    match keys(schema).next() {
        Some(key) => format!("the {key} {}", describe(&item[key])),
        None => describe(item),
    }
}

fn check_object(schema: &Value, fields: &Map<String, Value>, at: &Path<'_>, out: &mut Vec<Violation>) {
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if fields.get(name).is_none_or(Value::is_null) {
            out.push(Violation { field: at.key(name), message: "is required".to_owned() });
        }
    }
    let properties = schema["properties"].as_object();
    // A null is as good as nothing: the API server takes it out first.
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let field = at.key(name);
        match (properties.and_then(|properties| properties.get(name)), &schema["additionalProperties"]) {
            (Some(schema), _) | (None, schema @ Value::Object(_)) => check_node(schema, value, &Path(&field), out),
            (None, _) if is_open(schema, at) => {}
            (None, _) => out.push(Violation { field, message: unknown(name, properties) }),
        }
    }
}

/// Objects without properties hold anything, and the envelope of every object is not ours.
fn is_open(schema: &Value, at: &Path<'_>) -> bool {
    let any = schema["x-kubernetes-preserve-unknown-fields"] == true || schema["properties"].is_null();
    any || (at.0.is_empty() && schema["properties"]["spec"].is_object())
}

fn unknown(name: &str, properties: Option<&Map<String, Value>>) -> String {
    let known: Vec<&str> = properties.into_iter().flat_map(Map::keys).map(String::as_str).collect();
    match known.iter().find(|known| known.eq_ignore_ascii_case(name)) {
        Some(meant) => format!("is no field: write {meant}"),
        None => format!("is no field: the fields here are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn route(spec: &Value) -> Value {
        json!({"apiVersion": "paifang.dev/v1alpha1", "kind": "GatewayRoute", "metadata": {"name": "a"}, "spec": spec})
    }

    fn violations(spec: &Value) -> Vec<String> {
        check_gateway_route(&route(spec)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_good_route_passes() {
        assert_eq!(violations(&json!({"rules": [{"backends": [{"service": "a", "port": 80}]}]})), Vec::<String>::new());
        assert_eq!(violations(&json!({"policyFor": {"service": "a"}, "balancing": {}})), Vec::<String>::new());
        assert_eq!(violations(&json!({"rules": [{"resolver": {}}]})), Vec::<String>::new());
        assert_eq!(violations(&json!({"rules": [{"handler": {"type": "Registry"}}]})), Vec::<String>::new());
    }

    #[test]
    fn each_rule_of_the_schema_names_its_field() {
        let rule = |rule: Value| json!({"rules": [rule]});
        let backend = json!([{"service": "a"}]);
        let cases = [
            (rule(json!({"backends": [{"service": "A"}]})), "spec.rules[0].backends[0].service: `A` must match"),
            (rule(json!({"backends": [{}]})), "spec.rules[0].backends[0].service: is required"),
            (rule(json!({"backends": [{"service": "a", "weight": -1}]})), "too small: the least is 0"),
            (rule(json!({"backends": "a"})), "spec.rules[0].backends: must be a list, not `\"a\"`"),
            (rule(json!({"backends": backend, "pathSafety": "Loose"})), "use one of"),
            (rule(json!({"backends": backend, "handler": {"type": "Event"}})), "use Http, Web, Rpc, Api or Registry"),
            (rule(json!({"backends": backend, "handler": {"rpc": {}}})), "handler.rpc needs handler.type Rpc"),
            (rule(json!({"backends": backend, "resolver": {}})), "set exactly one of backends"),
            (
                rule(json!({"backends": backend, "handler": {"type": "Registry"}})),
                "leave out backends, resolver and mirror",
            ),
            (rule(json!({"resolver": {"namespace": "a b"}})), "spec.rules[0].resolver.namespace: `a b` must match"),
            (rule(json!({"resolver": {"type": "micro"}})), "use one of Micro, Path, VPath, Host, Grpc"),
            (rule(json!({"backends": backend, "backend": "a"})), "spec.rules[0].backend: is no field"),
            (rule(json!({"backends": backend, "pathsafety": "Raw"})), "write pathSafety"),
            (rule(json!({"backends": backend, "matches": [{"path": {"value": "a"}}]})), "path.value must start with"),
            (rule(json!({"backends": backend, "matches": [{"methods": ["GET", "GET"]}]})), "methods[1]: repeats"),
            (rule(json!({"backends": [{"service": "a", "port": 0}]})), "backends[0].port: 0 is too small"),
            (rule(json!({"backends": [{"service": "a", "port": true}]})), "must be a whole number or a text"),
            (json!({"rules": [{"name": "a", "backends": backend}, {"name": "a", "backends": backend}]}), "same name"),
            (json!({"rules": [{"backends": backend}], "tls": {"secretNamespace": "a"}}), "needs tls.secretName"),
            (json!({"policyFor": {"service": "a"}, "hostnames": []}), "spec.hostnames: hostnames cannot be set"),
            (json!({}), "set exactly one of rules"),
            (json!({"rules": []}), "spec.rules: must have at least 1 items, not 0"),
        ];
        for (spec, wanted) in cases {
            let found = violations(&spec).join("\n");
            assert!(found.contains(wanted), "{spec}: {found}");
        }
    }
}
