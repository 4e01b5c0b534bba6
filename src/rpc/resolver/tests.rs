//! The recorded table of resolvers, cell by cell, and what ours does otherwise.

use super::{Kind, Resolved, Resolver, Unresolved, Wanted};
use crate::rpc::recordings::{Tally, rows, text};
use proptest::prelude::*;
use serde_json::Value;

const FILE: &str = "resolver-table.json";

/// One cell of the table: a question, and what a generation answered.
pub(crate) struct Cell<'a> {
    generation: &'a str,
    pub(crate) kind: Kind,
    pub(crate) wanted: Wanted,
    namespace: &'a str,
    pub(crate) method: &'a str,
    pub(crate) host: &'a str,
    pub(crate) target: &'a str,
    /// Service and method, `None` for an error.
    answer: Option<(&'a str, &'a str)>,
}

fn kind(name: &str) -> Kind {
    match name {
        "micro" => Kind::Micro,
        "path" => Kind::Path,
        "vpath" => Kind::VPath,
        "host" => Kind::Host,
        "grpc" => Kind::Grpc,
        other => panic!("resolver {other}"),
    }
}

fn cell<'a>(column: &'a str, row: &'a Value, answer: &'a Value) -> Cell<'a> {
    let [generation, resolver, handler, namespace] = column.split('|').collect::<Vec<_>>()[..] else {
        panic!("column {column}")
    };
    let answer = match (answer[0].as_str().unwrap(), answer.get(1).and_then(Value::as_str)) {
        ("error" | "panic", _) => None,
        (service, method) => Some((service, method.unwrap())),
    };
    Cell {
        generation,
        kind: kind(resolver),
        wanted: if handler == "http" { Wanted::Service } else { Wanted::Method },
        namespace,
        method: row["method"].as_str().unwrap(),
        host: row["host"].as_str().unwrap(),
        target: row["target"].as_str().unwrap(),
        answer,
    }
}

/// What ours answers, asked itself.
fn ours(cell: &Cell<'_>) -> Answered {
    let path = cell.target.split(['?', '#']).next().unwrap();
    let resolver = Resolver::new(cell.kind, namespace(cell));
    let Resolved { service, method } = resolver.resolve(cell.host, path, cell.wanted).map_err(|why| match why {
        Unresolved::NoService => "no service",
        Unresolved::NoMethod => "no method",
        Unresolved::BadName => "bad name",
    })?;
    Ok((service, method))
}

/// Why a cell is not one that ours follows.
fn not_followed(cell: &Cell<'_>) -> Option<&'static str> {
    let first = cell.generation == "v1.18.0";
    match cell.kind {
        _ if cell.target.contains('#') => Some("a request target has no fragment"),
        Kind::VPath if first => Some("v1.18 drops the version of vpath, ours keeps it as later ones do"),
        Kind::Micro | Kind::Path | Kind::VPath if !first && cell.namespace != "go.micro.api" => {
            Some("later ones know one way to join a namespace, with a dot")
        }
        _ => None,
    }
}

/// The namespace that ours needs for the same answer: later ones add none to hosts and gRPC paths.
pub(crate) fn namespace<'a>(cell: &Cell<'a>) -> &'a str {
    let adds_none = cell.generation != "v1.18.0" && matches!(cell.kind, Kind::Host | Kind::Grpc);
    if adds_none { "" } else { cell.namespace }
}

/// Whether the recorded service differs on purpose, and how.
fn other_service(cell: &Cell<'_>) -> bool {
    let path = cell.target.split('?').next().unwrap();
    let unclean = path.contains("//") || path.contains("/.") || path.contains('%') || path.ends_with('/');
    // A host is a name without its port, and there is nothing to call without one.
    (cell.kind == Kind::Host && (cell.host.contains(':') || cell.host.is_empty()))
        // A path is cleaned for every resolver and handler, not for `micro` with a call alone.
        || (unclean && (cell.kind != Kind::Micro || cell.wanted == Wanted::Service))
}

/// The method that ours computes: as recorded, but for one segment, where v1.18 has no word to call (as v2.9 does it).
/// `None` where the original left the verb of the request to the handler.
fn expected_method(cell: &Cell<'_>, recorded: &str) -> Option<String> {
    let one = cell.target.trim_matches('/').split('/').count() == 1;
    match recorded {
        "" => None,
        _ if recorded == cell.method => None,
        // v4.10 joins segments as they are, which Go's methods never are called by.
        _ if cell.generation == "v4.10.2" => None,
        // v2.9 adds the word itself.
        _ if one && recorded.ends_with(".Call") => Some(recorded.to_owned()),
        _ if one => Some(format!("{recorded}.Call")),
        _ => Some(recorded.to_owned()),
    }
}

fn check(cell: &Cell<'_>, ours: &Answered) {
    let place = format!(
        "{:?} {:?} {:?}: {} {} {}",
        cell.kind, cell.wanted, cell.namespace, cell.method, cell.host, cell.target
    );
    // An empty name is one too in the original: the namespace alone.
    let bare_name = |service: &str| service.trim_start_matches(namespace(cell)).trim_matches('.').is_empty();
    let named = cell.answer.filter(|(service, _)| !bare_name(service));
    let Some((service, method)) = named else {
        if !other_service(cell) {
            assert!(ours.is_err(), "{place}: recorded nothing to call, ours {ours:?}");
        }
        return;
    };
    let bare = cell.target.trim_matches('/').is_empty();
    match ours {
        Ok((ours, computed)) => {
            if !other_service(cell) {
                assert_eq!(ours, service, "{place}");
            }
            if let (Wanted::Method, Some(expected)) = (cell.wanted, expected_method(cell, method)) {
                assert_eq!(*computed, expected, "{place}");
            }
            assert_eq!(computed.is_empty(), cell.wanted == Wanted::Service, "{place}");
        }
        // A call without a path has no method, and a gRPC path has two segments.
        Err("no method") => assert!(bare || cell.kind == Kind::Grpc, "{place}"),
        Err(reason) => assert!(other_service(cell), "{place}: {reason}, recorded {service}"),
    }
}

/// Service and method, or why there is none: `no service`, `no method` or `bad name`.
pub(crate) type Answered = Result<(String, String), &'static str>;

/// Asks every cell of the recorded table.
pub(crate) fn replay(module: &'static str, mut ours: impl FnMut(&Cell<'_>) -> Answered) {
    let table: Value = serde_json::from_str(&text(FILE)).unwrap();
    let columns = table["columns"].as_array().unwrap();
    let mut tally = Tally::new(FILE, module);
    let mut all = 0;
    for row in table["rows"].as_array().unwrap() {
        for (column, answer) in columns.iter().zip(row["results"].as_array().unwrap()) {
            let cell = cell(column.as_str().unwrap(), row, answer);
            all += 1;
            match not_followed(&cell) {
                Some(reason) => tally.leave(reason),
                None => {
                    check(&cell, &ours(&cell));
                    tally.ran();
                }
            }
        }
    }
    tally.finish(all);
}

#[test]
fn services_and_methods_are_those_of_the_recorded_table() {
    replay("resolver, by cell", ours);
}

/// The service and method that a server called, if it called one by a method.
fn called(request: &Value) -> Option<(String, String)> {
    let value = |name: &str| {
        let pair = request["headers"].as_array()?.iter().find(|pair| pair[0] == name)?;
        pair[1].as_str().map(str::to_owned)
    };
    value("Micro-Service").zip(value("Micro-Endpoint")).or_else(|| {
        let path = value(":path")?;
        let (service, method) = path[1..].split_once('/')?;
        let (package, receiver) = service.rsplit_once('.')?;
        Some((package.to_owned(), format!("{receiver}.{method}")))
    })
}

#[test]
fn whole_servers_called_what_ours_resolves() {
    for file in ["apiserver-v1.18.jsonl", "apiserver-v2.9.jsonl"] {
        let rows = rows(file);
        let mut tally = Tally::new(file, "resolver");
        for (line, row) in &rows {
            let target = row["http"]["request"]["start"].as_str().and_then(|start| start.split(' ').nth(1));
            match (called(&row["request"]), target) {
                (Some(_), None | Some("/rpc")) => tally.leave("a call that names its service itself"),
                (None, _) => tally.leave("no method was called"),
                (Some((service, method)), Some(target)) => {
                    let path = target.split('?').next().unwrap();
                    let found = Resolver::new(Kind::Micro, "go.micro.api").resolve("", path, Wanted::Method).unwrap();
                    // v1.18 has one word for one segment, and nothing to call by it.
                    let method = if method.contains('.') { method } else { format!("{method}.Call") };
                    assert_eq!((found.service, found.method), (service, method), "{file}:{line}");
                    tally.ran();
                }
            }
        }
        tally.finish(rows.len());
    }
}

fn resolved(kind: Kind, path: &str) -> (String, String) {
    let resolved = Resolver::new(kind, "go.micro.api").resolve("shop.example:8080", path, Wanted::Method).unwrap();
    (resolved.service, resolved.method)
}

fn pair(service: &str, method: &str) -> (String, String) {
    (service.to_owned(), method.to_owned())
}

#[test]
fn every_kind_computes_a_method() {
    assert_eq!(resolved(Kind::Micro, "/foo"), pair("go.micro.api.foo", "Foo.Call"));
    assert_eq!(resolved(Kind::Path, "/foo/bar/baz-xyz"), pair("go.micro.api.foo", "Bar.BazXyz"));
    assert_eq!(resolved(Kind::VPath, "/v1/foo"), pair("go.micro.api.v1.foo", "Foo.Call"));
    assert_eq!(resolved(Kind::VPath, "/v1/foo/bar"), pair("go.micro.api.v1.foo", "Foo.Bar"));
    assert_eq!(resolved(Kind::VPath, "/foo/bar"), pair("go.micro.api.foo", "Foo.Bar"));
    assert_eq!(resolved(Kind::Host, "/foo/bar"), pair("go.micro.api.shop.example", "Foo.Bar"));
    assert_eq!(resolved(Kind::Grpc, "/a.greeter.Say/Hello"), pair("go.micro.api.a.greeter", "Say.Hello"));
}

#[test]
fn what_names_nothing_says_what_is_missing() {
    let ask = |kind, path, wanted| Resolver::new(kind, "").resolve("", path, wanted);
    assert_eq!(ask(Kind::Micro, "/", Wanted::Method), Err(Unresolved::NoService));
    assert_eq!(ask(Kind::Host, "/foo/bar", Wanted::Method), Err(Unresolved::NoService));
    assert_eq!(ask(Kind::Grpc, "/greeter/Hello", Wanted::Method), Err(Unresolved::NoService));
    assert_eq!(ask(Kind::Grpc, "/greeter.Say", Wanted::Method), Err(Unresolved::NoMethod));
    assert_eq!(ask(Kind::Micro, "/favicon.ico", Wanted::Service), Err(Unresolved::BadName));
}

#[test]
fn an_address_of_version_six_is_a_host() {
    let host = |host| Resolver::new(Kind::Host, "").resolve(host, "/", Wanted::Service).map(|found| found.service);
    assert_eq!(host("[::1]:80"), Ok("[::1]".to_owned()));
    assert_eq!(host("[::1]"), Ok("[::1]".to_owned()));
    assert_eq!(host("a:80"), Ok("a".to_owned()));
}

proptest! {
    #[test]
    fn no_request_breaks_it(host in ".{0,40}", path in ".{0,80}", namespace in "[a-z.-]{0,9}") {
        for kind in [Kind::Micro, Kind::Path, Kind::VPath, Kind::Host, Kind::Grpc] {
            for wanted in [Wanted::Method, Wanted::Service] {
                if let Ok(found) = Resolver::new(kind, namespace.as_str()).resolve(&host, &path, wanted) {
                    prop_assert_eq!(found.method.is_empty(), wanted == Wanted::Service);
                    prop_assert!(!found.service.is_empty());
                }
            }
        }
    }
}
