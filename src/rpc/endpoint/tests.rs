//! Which requests reached which endpoint in three generations, and what ours does otherwise.

use super::{Handler, MAX_LIST, Routing, Rule, Writer};
use crate::{
    rpc::{
        recordings::{Tally, rows},
        registry::Metadata,
    },
    table::{Outcome, RequestView, Table, normalise},
};
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

const FILE: &str = "endpoint-matching.jsonl";

type Payload = (String, Arc<Rule>);
type Captured = BTreeMap<String, String>;
/// Service, endpoint, handler and captures.
pub(crate) type Reached = Option<(String, String, Handler, Captured)>;

fn metadata(value: &Value) -> Metadata {
    serde_json::from_value(value.clone()).unwrap()
}

fn strings(value: &Value) -> Vec<String> {
    serde_json::from_value::<Option<Vec<String>>>(value.clone()).unwrap().unwrap_or_default()
}

fn table(endpoints: &Value) -> Table<Payload> {
    let mut entries = Vec::new();
    for endpoint in endpoints.as_array().unwrap() {
        let service = endpoint["service"].as_str().unwrap();
        // The host that is an expression is refused: later generations fail on it, the first compares it as text.
        let Ok(rule) = Routing::decode(&metadata(&endpoint["metadata"])).compile() else {
            assert_eq!(endpoint["endpoint"], "Host.Re");
            continue;
        };
        let payload = (service.to_owned(), Arc::new(rule));
        entries.extend(payload.1.entries(&service.into(), 0, &payload));
    }
    Table::build(entries)
}

/// What ours finds, asked itself.
fn ours(table: &Table<Payload>, row: &Value) -> Reached {
    let target = row["target"].as_str().unwrap();
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let path = normalise(path).path;
    let host = row["host"].as_str().unwrap().to_ascii_lowercase();
    let request = RequestView {
        host: host.split(':').next().unwrap(),
        path: &path,
        method: &Method::from_bytes(row["method"].as_str().unwrap().as_bytes()).unwrap(),
        headers: &HeaderMap::new(),
        query,
    };
    let Outcome::Found(found) = table.find(&request) else { return None };
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let captures = found.captures(&path);
    let captured = captures.iter().map(|(name, value)| (name.to_owned(), decoded(value))).collect();
    let (service, rule) = found.payload;
    Some((service.clone(), (*rule.name).to_owned(), rule.handler, captured))
}

/// What ours finds on purpose where the recording has something else: set, method, host, target, our endpoint.
/// The reasons, in order: a capture is never empty; a verb is a part of the template; GET serves HEAD; repeated slashes
/// are one; an encoded slash is refused before, or stays within its segment; hosts know no letter case and no port;
/// version 1 searched for expressions anywhere in a path; and templates were expressions to it.
const OTHERWISE: [(&str, &str, &str, &str, &str); 19] = [
    ("templates", "GET", "api.example.com", "/users/", ""),
    ("templates", "POST", "api.example.com", "/users/7", ""),
    ("templates", "POST", "api.example.com", "/users/7:stop", ""),
    ("templates", "HEAD", "api.example.com", "/users", "Users.List"),
    ("templates", "GET", "api.example.com", "/star//end", ""),
    ("templates", "GET", "api.example.com", "/users/a%2Fb", "Users.Get"),
    ("hosts", "GET", "api.example.com", "/h", "Host.One"),
    ("hosts", "GET", "API.example.com", "/h", "Host.One"),
    ("hosts", "GET", "api.example.com:8080", "/h", "Host.One"),
    ("hosts", "GET", "other.com", "/h", ""),
    ("hosts", "GET", "api.example.com:8080", "/hp", "Host.Port"),
    ("hosts", "GET", "api.example.com", "/hp", "Host.Port"),
    ("hosts", "GET", "api.example.com", "/hs", "Host.Star"),
    ("hosts", "GET", "api.example.com", "/hw", "Host.Wild"),
    ("hosts", "GET", "api.example.com", "/hr", ""),
    ("hosts", "GET", "other.com", "/hr", ""),
    ("regex", "GET", "api.example.com", "/openly/more", ""),
    ("regex", "GET", "api.example.com", "/x/open/y", ""),
    ("regex", "GET", "api.example.com", "/opennum/5/6", ""),
];

fn otherwise(row: &Value) -> Option<&'static str> {
    let is = |key: &str, text: &str| row[key] == text;
    if is("target", "/opennum/[0-9]") {
        // An expression to version 1, which does not match its own text; plain text to later ones.
        return Some(if is("generation", "v1.18.0") { "" } else { "Re.OpenNum" });
    }
    let listed = |(set, method, host, target, _): &&(&str, &str, &str, &str, &str)| {
        is("set", set) && is("method", method) && is("host", host) && is("target", target)
    };
    OTHERWISE.iter().find(listed).map(|(.., endpoint)| *endpoint)
}

/// Fields without regard to case, which headers lost.
fn fields(row: &Value) -> Captured {
    let Some(metadata) = row.get("context_metadata") else { return Captured::new() };
    let pairs = metadata.as_object().unwrap().iter();
    let field = |(name, value): (&String, &Value)| {
        let name = name.strip_prefix("X-Api-Field-")?.to_lowercase();
        Some((name, value.as_str().unwrap().to_owned()))
    };
    pairs.filter_map(field).collect()
}

/// A verb is no part of the value, and nothing stands after the slash of `a/**` when that takes nothing.
fn captured_otherwise(recorded: &Captured) -> Captured {
    let mend = |value: &str| value.trim_end_matches(":activate").to_owned();
    recorded.iter().map(|(name, value)| (name.clone(), mend(value))).collect()
}

fn check_request(found: &Reached, row: &Value, place: &str) {
    if let Some(endpoint) = otherwise(row) {
        assert_eq!(found.as_ref().map_or("", |(_, name, ..)| name), endpoint, "{place}");
        return;
    }
    let answers = match row.get("any_of") {
        Some(answers) => answers.as_array().unwrap().clone(),
        None => vec![row.clone()],
    };
    let agrees = |answer: &Value| match found {
        None => answer.get("error").is_some(),
        Some((service, endpoint, handler, captured)) => {
            let recorded = captured_otherwise(&fields(answer));
            let fields: Captured = captured.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
            let slash = |fields: &Captured| {
                fields.values().map(|value| value.trim_end_matches('/').to_owned()).collect::<Vec<_>>()
            };
            answer["service"] == **service
                && answer["endpoint"] == **endpoint
                && Handler::named(answer["handler"].as_str().unwrap()) == *handler
                && recorded.keys().eq(fields.keys())
                && slash(&recorded) == slash(&fields)
        }
    };
    assert!(answers.iter().any(agrees), "{place}: ours {found:?}, recorded {row}");
}

/// What validation says: ours is as strict as later generations, and refuses what can match nothing.
fn check_validation(row: &Value, place: &str) {
    let Some(encoded) = row.get("encoded") else {
        // Validation of an empty path failed; the encoding of it is no path at all.
        assert!(row.get("panic").is_some(), "{place}");
        return;
    };
    let routing = Routing::decode(&metadata(encoded));
    let compiled = routing.compile();
    let endpoint = &row["endpoint"];
    assert_eq!(routing.name, endpoint["name"].as_str().unwrap(), "{place}");
    let paths: Vec<String> = strings(&endpoint["path"]).into_iter().filter(|path| !path.is_empty()).collect();
    assert_eq!(routing.paths, paths, "{place}");
    let nonsense = paths.iter().any(|path| path == "a" || path == "/{x");
    assert_eq!(compiled.is_ok(), row["valid"] == true && !nonsense, "{place}: {compiled:?}");
}

fn check_decoded(row: &Value, place: &str) {
    let (routing, decoded) = (Routing::decode(&metadata(&row["metadata"])), &row["decoded"]);
    assert_eq!(decoded["name"], *routing.name, "{place}");
    assert_eq!(decoded["description"], *routing.description, "{place}");
    assert_eq!(decoded["handler"], *routing.handler, "{place}");
    assert_eq!(strings(&decoded["method"]), routing.methods, "{place}");
    assert_eq!(strings(&decoded["host"]), routing.hosts, "{place}");
    assert_eq!(strings(&decoded["path"]), routing.paths, "{place}");
}

/// Asks every recorded request of what was made of the endpoints before it.
pub(crate) fn replay<T>(module: &'static str, made: impl Fn(&Value) -> T, ours: impl Fn(&T, &Value) -> Reached) {
    let rows = rows(FILE);
    let mut tally = Tally::new(FILE, module);
    let mut current = None;
    // Version 1 searched for the text of a template; later ones tell what the same request should come to.
    let later = |row: &Value| {
        let same = |other: &&(usize, Value)| {
            other.1["generation"] == "v2.9.1"
                && ["set", "method", "host", "target"].iter().all(|key| other.1[*key] == row[*key])
        };
        rows.iter().find(same).map(|(_, row)| row.clone())
    };
    for (line, row) in &rows {
        let place = format!("{FILE}:{line}");
        let (first, set) = (row["generation"] == "v1.18.0", row["set"].as_str().unwrap());
        match set {
            _ if row.get("endpoints").is_some() => current = Some(made(&row["endpoints"])),
            "validation" => check_validation(row, &place),
            "decode" => check_decoded(row, &place),
            _ => {
                let meant =
                    if first && matches!(set, "templates" | "precedence") { later(row).unwrap() } else { row.clone() };
                check_request(&ours(current.as_ref().unwrap(), &meant), &meant, &place);
            }
        }
        tally.ran();
    }
    tally.finish(rows.len());
}

#[test]
fn requests_reach_the_recorded_endpoints() {
    replay("endpoint", table, ours);
}

fn of(pairs: &[(&str, &str)]) -> Routing {
    Routing::decode(&pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
}

fn finds(table: &Table<Payload>, path: &str) -> String {
    let row = serde_json::json!({"method": "GET", "host": "h", "target": path});
    ours(table, &row).map_or(String::new(), |(service, name, ..)| format!("{service} {name}"))
}

#[test]
fn the_most_specific_path_wins_and_then_the_first_name() {
    let endpoint = |service: &str, name: &str, path: &str| {
        serde_json::json!({"service": service, "endpoint": name,
            "metadata": {"endpoint": name, "handler": "rpc", "method": "GET", "path": path}})
    };
    let table = table(&serde_json::json!([
        endpoint("p2", "P.Regex", "^/p/.*$"),
        endpoint("p2", "P.Fixed", "/p/fixed"),
        endpoint("p1", "P.Deep", "/p/{x=**}"),
        endpoint("p1", "P.Var", "/p/{x}"),
        endpoint("p1", "P.Fixed", "/p/fixed"),
    ]));
    assert_eq!(finds(&table, "/p/fixed"), "p1 P.Fixed");
    assert_eq!(finds(&table, "/p/other"), "p1 P.Var");
    assert_eq!(finds(&table, "/p/a/b"), "p1 P.Deep");
}

#[test]
fn the_first_generation_is_known_by_its_empty_keys() {
    let all = |host| {
        of(&[
            ("description", "d"),
            ("endpoint", "A.B"),
            ("handler", "rpc"),
            ("host", host),
            ("method", "GET"),
            ("path", "/a"),
        ])
    };
    assert_eq!(all("").writer, Writer::First);
    assert_eq!(all("a.example").writer, Writer::First);
    assert_eq!(all("*").writer, Writer::Later);
    assert_eq!(of(&[("endpoint", "A.B"), ("handler", "rpc"), ("host", "")]).writer, Writer::Later);
}

#[test]
fn an_expression_of_the_first_generation_may_be_open_at_its_end_alone() {
    let takes = |expression: &str, path: &str| {
        let keys = ["description", "endpoint", "handler", "host", "method", "path"];
        let pairs: Vec<(&str, &str)> = keys.into_iter().zip(["", "A.B", "rpc", "", "", expression]).collect();
        of(&pairs).compile().unwrap().paths[0].takes(path)
    };
    assert!(takes("^/open", "/openly/more") && !takes("^/open", "/x/open"));
    assert!(takes("/open[0-9]$", "/open1") && !takes("/open[0-9]$", "/x/open1"));
    assert!(takes("/open[0-9]", "/open1") && !takes("/open[0-9]", "/open1/more"));
}

#[test]
fn nothing_to_route_by_is_no_error() {
    assert!(!of(&[("stream", "true")]).is_given());
    assert!(of(&[("endpoint", "A.B")]).is_given());
}

#[test]
fn errors_name_the_key_and_the_mend() {
    let error = |extra: (&'static str, &str)| {
        of(&[("endpoint", "A.B"), ("handler", "rpc"), ("method", "GET"), extra]).compile().unwrap_err().to_string()
    };
    assert_eq!(
        error(("path", "^/a")),
        r#"path: "^/a" has only one of ^ and $: write both for an expression, none for a template"#
    );
    assert!(error(("path", "/{x")).starts_with(r#"path: "/{x" is no template, at byte 1"#));
    let open =
        [("description", ""), ("endpoint", "A.B"), ("handler", "rpc"), ("host", ""), ("method", ""), ("path", "^a)(b")];
    assert!(of(&open).compile().is_err());
    assert!(error(("path", "^/a($")).starts_with(r#"path: "^/a($" is no regular expression"#));
    assert_eq!(error(("host", "^.*$")), r#"host: "^.*$" is no host: write a name, *.suffix, or * for all"#);
    assert_eq!(error(("method", "GET,A B")), r#"method: "A B" is no method"#);
    assert_eq!(error(("path", &"/a,".repeat(MAX_LIST + 1))), "path: it lists more than 32");
}

proptest! {
    #[test]
    fn no_metadata_breaks_it(host in ".{0,20}", method in "[A-Z, ]{0,12}", path in "[/a-z{}*^$()\\[\\]=:,.%]{0,24}", description in "d?") {
        let routing = of(&[("endpoint", "A.B"), ("handler", "rpc"), ("host", &host), ("method", &method), ("path", &path), ("description", &description)]);
        if let Ok(rule) = routing.compile() {
            let entries: Vec<_> = rule.entries(&"s".into(), 0, &()).collect();
            prop_assert_eq!(entries.len(), rule.hosts.len() * rule.paths.len());
        }
    }
}
