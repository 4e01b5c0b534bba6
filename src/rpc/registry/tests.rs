//! What four generations registered, and what is refused.

use super::{
    Action, Change, Dialect, MAX_DEPTH, MAX_NODES, Node, Service, annotation_key, of_annotations, parse, parse_removal,
    selector_label,
};
use crate::rpc::recordings::{Tally, body, rows};
use proptest::prelude::*;
use serde_json::{Value, json};

const FILE: &str = "registry-annotations.jsonl";

/// What Go writes as `null` for something empty, ours writes as empty.
fn without_nulls(mut value: Value) -> Value {
    match &mut value {
        Value::Array(list) => list.iter_mut().for_each(|element| *element = without_nulls(element.take())),
        Value::Object(map) => {
            for (name, field) in map.iter_mut() {
                *field = match (name.as_str(), field.take()) {
                    ("metadata", Value::Null) => json!({}),
                    ("values" | "endpoints" | "nodes", Value::Null) => json!([]),
                    (_, other) => without_nulls(other),
                };
            }
        }
        _ => {}
    }
    value
}

fn is_the_recorded_service(read: &Service, recorded: &Value, place: &str) {
    assert_eq!(serde_json::to_value(read).unwrap(), without_nulls(recorded.clone()), "{place}");
    let subscribers = read.endpoints.iter().filter(|endpoint| endpoint.is_subscriber());
    assert!(subscribers.clone().all(|subscriber| subscriber.name == "Func"), "{place}");
    if place.contains("registered-service") {
        assert_eq!(subscribers.count(), 1, "{place}");
        let spoken = if place.contains("grpc") { Dialect::Grpc } else { Dialect::Mucp };
        assert!(read.nodes.iter().all(|node| node.dialect() == spoken), "{place}");
    }
}

/// A request that the Kubernetes registry sent: which service it speaks of, in which words.
fn is_in_our_words(request: &Value, name: &str, place: &str) -> Option<Service> {
    let query = request["query"].as_str().unwrap();
    let (annotation, label) = (annotation_key(name), selector_label(name));
    if request["method"] == "GET" {
        let selector = if name.is_empty() { super::TYPE_LABEL } else { &label };
        let sent = format!("labelSelector={selector}={}", super::TYPE_SERVICE);
        let decoded = query.replace("%2F", "/").replace("%3D", "=");
        assert_eq!(decoded, sent, "{place}");
        return None;
    }
    let patch: Value = serde_json::from_str(request["body_text"].as_str().unwrap()).unwrap();
    let (labels, annotations) = (&patch["metadata"]["labels"], &patch["metadata"]["annotations"]);
    assert!(labels.get(&label).is_some(), "{place}");
    let value = annotations.get(&annotation).unwrap();
    let (mut services, errors) = of_annotations(value.as_str().map(|text| (annotation.as_str(), text)));
    assert_eq!(errors, [], "{place}");
    services.pop()
}

#[test]
fn the_registrations_of_four_generations_are_read() {
    let rows = rows(FILE);
    let mut tally = Tally::new(FILE, "registry");
    for (line, row) in &rows {
        let place = format!("{FILE}:{line} {} {}", row["generation"], row["name"]);
        let name = row["name"].as_str().unwrap();
        let about = name.strip_prefix("kubernetes-").map(|rest| rest.split_once('-').map_or("", |(_, name)| name));
        let read = match about {
            Some(service) => is_in_our_words(&row["request"], service, &place),
            None => Some(parse(&row["service"].to_string()).unwrap()),
        };
        assert_eq!(read.is_some(), row.get("service").is_some_and(|service| !service.is_null()), "{place}");
        if let Some(read) = read {
            is_the_recorded_service(&read, &row["service"], &place);
        }
        tally.ran();
    }
    tally.finish(rows.len());
}

/// Messages of one HTTP connection or several, under these keys.
fn messages<'a>(row: &'a Value, one: &str, many: &str) -> Vec<&'a Value> {
    let connections = row.get("http_connections").and_then(Value::as_array);
    let connections = connections.map_or_else(|| vec![&row["http"]], |list| list.iter().collect());
    let of = |connection: &&'a Value| match connection[many].as_array() {
        Some(list) => list.iter().collect(),
        None => connection.get(one).into_iter().collect::<Vec<_>>(),
    };
    connections.iter().flat_map(of).collect()
}

/// Lists that the handler answered, and changes that it told, are written by ours in the same way.
fn check_told(row: &Value, place: &str) -> bool {
    let mut checked = false;
    for response in messages(row, "response", "responses") {
        let Ok(Value::Array(list)) = serde_json::from_slice(&body(response)) else { continue };
        for service in list.into_iter().filter(|service| service["name"] != "") {
            let read = parse(&service.to_string()).unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), without_nulls(service), "{place}");
            checked = true;
        }
    }
    for frame in messages(row, "", "ws_frames")
        .into_iter()
        .filter(|frame| frame["text"].as_str().is_some_and(|text| text.contains("Action")))
    {
        let recorded: Value = serde_json::from_str(frame["text"].as_str().unwrap()).unwrap();
        let read = parse(&recorded["Service"].to_string()).unwrap();
        let action = if recorded["Action"] == "update" { Action::Update } else { Action::Delete };
        let ours = Change { action, service: &read }.frame();
        assert!(ours.ends_with("}\n") && frame["text"].as_str().unwrap().ends_with("}\n"), "{place}");
        assert_eq!(serde_json::from_str::<Value>(&ours).unwrap(), without_nulls(recorded), "{place}");
        checked = true;
    }
    checked
}

/// Bodies that register or remove: what was taken is read, and what was refused is refused.
fn check_asked(row: &Value, place: &str) -> bool {
    let mut checked = false;
    for (request, response) in
        messages(row, "request", "requests").into_iter().zip(messages(row, "response", "responses"))
    {
        let bytes = body(request);
        let text = std::str::from_utf8(&bytes).unwrap();
        let ours = match request["start"].as_str().unwrap().split(' ').next() {
            Some("POST") => parse(text),
            Some("DELETE") => parse_removal(text),
            _ => continue,
        };
        let recorded = response["start"].as_str().is_some_and(|start| start.contains(" 200 "));
        let taken = match row["name"].as_str().unwrap() {
            // A name must be given, in lower-case keys.
            "post-no-name" | "post-unknown-field" => false,
            // JSON under the name of a form was lost before it was read.
            "post-form" => true,
            _ => recorded,
        };
        assert_eq!(ours.is_ok(), taken, "{place}: {ours:?}");
        checked = true;
    }
    checked
}

#[test]
fn the_handler_of_the_registry_is_spoken_as_recorded() {
    const FILE: &str = "registryhandler-v1.18.jsonl";
    let rows = rows(FILE);
    let mut tally = Tally::new(FILE, "registry");
    for (line, row) in &rows {
        let place = format!("{FILE}:{line} {}", row["name"]);
        // Both are to be checked, so neither short-circuits the other.
        match check_told(row, &place) | check_asked(row, &place) {
            true => tally.ran(),
            false => tally.leave("verbs, upgrades and answers without a service, which are the handler's"),
        }
    }
    tally.finish(rows.len());
}

#[test]
fn a_node_from_before_1_8_has_its_port_in_the_address() {
    let service =
        parse(r#"{"name":"a","nodes":[{"id":"n","address":"10.0.0.1","port":80},{"address":"b:1"}]}"#).unwrap();
    let addresses: Vec<&str> = service.nodes.iter().map(|node| &*node.address).collect();
    assert_eq!(addresses, ["10.0.0.1:80", "b:1"]);
    assert_eq!(service.nodes[0].dialect(), Dialect::MucpEnvelope);
}

#[test]
fn what_a_node_speaks_is_in_its_metadata() {
    let speaks = |pairs: &[(&str, &str)]| {
        let metadata = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Node { metadata, ..Node::default() }.dialect()
    };
    assert_eq!(speaks(&[("protocol", "mucp"), ("transport", "http")]), Dialect::Mucp);
    assert_eq!(speaks(&[("protocol", "mucp"), ("transport", "nats")]), Dialect::Other);
    assert_eq!(speaks(&[("protocol", "grpc"), ("transport", "grpc")]), Dialect::Grpc);
    assert_eq!(speaks(&[("protocol", "http")]), Dialect::Other);
}

#[test]
fn errors_name_the_annotation_and_the_field() {
    let error = |text: &str| {
        let (_, errors) = of_annotations([("micro.mu/service-a", text), ("other", "{")]);
        errors[0].to_string()
    };
    let of = |rest: &str| format!("annotation micro.mu/service-a: {rest}");
    assert_eq!(error("{"), of(".: line 1, column 1 is not JSON"));
    assert_eq!(error(r#"{"name":"a"} x"#), of(".: line 1, column 14 is not JSON"));
    assert_eq!(error(r#"{"nodes":[]}"#), of("name: it is empty, and must be given"));
    assert_eq!(
        error(r#"{"name":"a","nodes":[{"address":5}]}"#),
        of("nodes[0].address: the value is of another type than go-micro writes")
    );
    assert_eq!(error(r#"{"name":"a","nodes":[{"id":"n"}]}"#), of("nodes[0].address: it is empty, and must be given"));
}

#[test]
fn what_is_too_much_is_refused() {
    let nodes = vec![json!({"address": "a:1"}); MAX_NODES + 1];
    let many = json!({"name": "a", "nodes": nodes}).to_string();
    assert_eq!(parse(&many).unwrap_err().to_string(), format!("nodes: it has more than {MAX_NODES} elements"));
    let deep = (0..=MAX_DEPTH).fold(json!({}), |inner, _| json!({"values": [inner]}));
    let deep = json!({"name": "a", "endpoints": [{"request": deep}]}).to_string();
    assert!(parse(&deep).unwrap_err().to_string().starts_with("endpoints[0].request: it is nested more than"));
    let bottomless = format!(r#"{{"name":"a","endpoints":[{{"request":{}"#, r#"{"values":["#.repeat(5000));
    assert!(parse(&bottomless).is_err());
}

#[test]
fn registrations_of_one_version_are_one_service() {
    let mut first = parse(r#"{"name":"a","nodes":[{"id":"1","address":"a:1"}],"endpoints":[{"name":"A.B"}]}"#).unwrap();
    let more = r#"{"name":"a","nodes":[{"id":"1","address":"a:2"},{"id":"2","address":"b:1"}],"endpoints":[{"name":"A.B"},{"name":"A.C"}]}"#;
    first.merge(parse(more).unwrap());
    let addresses: Vec<&str> = first.nodes.iter().map(|node| &*node.address).collect();
    assert_eq!(addresses, ["a:1", "b:1"]);
    assert_eq!(first.endpoints.len(), 2);
}

proptest! {
    #[test]
    fn no_text_breaks_it(text in "[{}\\[\\]:,\"a-z0-9 nul]{0,60}", key in ".{0,20}") {
        let _ = parse(&text);
        prop_assert!(annotation_key(&key).is_ascii());
    }
}
