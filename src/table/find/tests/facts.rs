//! The rules of precedence and of the look-up, one by one.

use super::fixture::{Request, entry, header, query, with_methods};
use crate::table::{Lost, Match, Outcome, Table, Verdict, anchored};
use http::{HeaderName, Method};

fn found<'t, P: std::fmt::Debug>(table: &'t Table<P>, request: &Request) -> Match<'t, P> {
    match table.find(&request.view()) {
        Outcome::Found(found) => found,
        other => panic!("{other:?} for {request:?}"),
    }
}

#[track_caller]
fn check(table: &Table<&'static str>, at: &str, on: &str, name: &str) {
    assert_eq!(*found(table, &Request::get(at, on)).payload, name, "{at}{on}");
}

#[test]
fn exact_path_beats_template_regex_and_longer_prefix() {
    let mut entries = vec![
        entry("prefix", "", "/a/b"),
        entry("regex", "", "~/a/b.*"),
        entry("template", "", "/a/{x}"),
        entry("exact", "", "=/a/b"),
    ];
    for name in ["exact", "template", "regex", "prefix"] {
        check(&Table::build(entries.clone()), "h", "/a/b", name);
        entries.pop();
    }
}

#[test]
fn longest_prefix_wins_and_ends_at_a_slash() {
    let table = Table::build(vec![entry("a", "", "/a"), entry("a/b", "", "/a/b/"), entry("all", "", "/")]);
    for (on, name, taken) in [
        ("/a/b/c", "a/b", 4),
        ("/a/b/", "a/b", 4),
        ("/a/b", "a/b", 4),
        ("/a/bc", "a", 2),
        ("/ab", "all", 0),
        ("/", "all", 0),
    ] {
        check(&table, "h", on, name);
        assert_eq!(found(&table, &Request::get("h", on)).prefix_len, taken, "{on}");
    }
}

#[test]
fn more_specific_template_wins() {
    let table = Table::build(vec![
        entry("rest", "", "/a/{x=**}"),
        entry("rest raw", "", "/a/{x=**}/raw"),
        entry("single", "", "/a/{x}"),
        entry("two", "", "/a/{x}/{y}"),
        entry("literal", "", "/{v=a/b}"),
        entry("verb", "", "/a/{x=**}:go"),
        entry("all", "", "/{x=**}"),
        entry("all but one", "", "/{x=**}/{y}"),
        entry("b", "", "/{x=b}"),
        entry("below b", "", "/b/{x=**}"),
    ]);
    for (on, name) in [
        ("/a/b", "literal"),
        ("/a/c", "single"),
        ("/a/c/d", "two"),
        ("/a/c/d/e", "rest"),
        ("/a/c/d/raw", "rest raw"),
        ("/a", "rest"),
        ("/a/b:go", "verb"),
        ("/a/b:stop", "single"),
        ("/c/d", "all but one"),
        ("/c/", "all"),
        ("/b", "b"),
        ("/b/c", "below b"),
    ] {
        check(&table, "h", on, name);
    }
}

#[test]
fn captures_are_read_from_the_path() {
    let table = Table::build(vec![entry("t", "", "/users/{id}/{rest=**}"), entry("p", "", "/")]);
    let captures = found(&table, &Request::get("h", "/users/7/a/b")).captures("/users/7/a/b");
    assert_eq!((captures.get("id"), captures.get("rest"), captures.get("x")), (Some("7"), Some("a/b"), None));
    assert!(found(&table, &Request::get("h", "/x")).captures("/x").is_empty());
}

#[test]
fn exact_host_beats_longest_suffix_beats_any() {
    let table = Table::build(vec![
        entry("any", "", "=/"),
        entry("suffix", "*.b.c", "/"),
        entry("label", "+.b.c", "/"),
        entry("long suffix", "*.a.b.c", "/"),
        entry("exact", "x.a.b.c", "/"),
        entry("v6", "[::1]", "/"),
    ]);
    for (at, name) in [
        ("x.a.b.c", "exact"),
        ("y.a.b.c", "long suffix"),
        ("y.x.a.b.c", "long suffix"),
        ("a.b.c", "label"),
        ("a.x.b.c", "suffix"),
        ("b.c", "any"),
        (".b.c", "any"),
        ("", "any"),
        ("[::1]", "v6"),
    ] {
        check(&table, at, "/", name);
    }
}

#[test]
fn request_falls_through_to_a_less_specific_host() {
    let table = Table::build(vec![entry("exact", "a.b", "/x"), entry("suffix", "*.b", "/y"), entry("any", "", "/")]);
    check(&table, "a.b", "/x", "exact");
    check(&table, "a.b", "/y", "suffix");
    check(&table, "a.b", "/z", "any");
}

#[test]
fn method_then_headers_then_query_then_age_then_order_decide() {
    let mut entries = vec![entry("last", "", "/a")];
    entries[0].order.1 = 1;
    entries.push(entry("first", "", "/a"));
    let mut next = entry("old", "", "/a");
    next.created = -1;
    entries.push(next);
    let mut next = entry("query", "", "/a");
    next.conditions.query = [query("q", "1")].into();
    entries.push(next);
    let mut next = entry("header", "", "/a");
    next.conditions.headers = [header("h", "1")].into();
    entries.push(next);
    let mut next = entry("headers", "", "/a");
    next.conditions.headers = [header("h", "1"), header("i", "~[0-9]")].into();
    entries.push(next);
    entries.push(with_methods(entry("method", "", "/a"), &[Method::GET]));
    let request = Request::get("h", "/a?q=1").header("h", "0").header("h", "1").header("i", "2");
    for name in ["method", "headers", "header", "query", "old", "first", "last"] {
        assert_eq!(*found(&Table::build(entries.clone()), &request).payload, name);
        entries.pop();
    }
}

#[test]
fn entry_that_fails_a_condition_leaves_the_request_to_the_next() {
    let mut canary = entry("canary", "", "=/a");
    canary.conditions.headers = [header("x-canary", "~yes|on")].into();
    let mut by_query = entry("query", "", "=/a");
    by_query.conditions.query = [query("v", "a b")].into();
    let table = Table::build(vec![canary, by_query, entry("plain", "", "/a")]);
    for (request, name) in [
        (Request::get("h", "/a"), "plain"),
        (Request::get("h", "/a").header("x-canary", "on"), "canary"),
        (Request::get("h", "/a").header("x-canary", "one"), "plain"),
        (Request::get("h", "/a?v=a+b&v=c"), "query"),
        (Request::get("h", "/a?v=a%20b"), "query"),
        (Request::get("h", "/a?v=c&v=a+b"), "plain"),
    ] {
        assert_eq!(*found(&table, &request).payload, name, "{request:?}");
    }
}

#[test]
fn get_takes_head_and_other_methods_are_named() {
    let put = with_methods(entry("put", "", "/a/b"), &[Method::PUT, Method::DELETE]);
    let table = Table::build(vec![with_methods(entry("get", "", "/a"), &[Method::GET]), put]);
    assert_eq!(*found(&table, &Request::get("h", "/a").method(Method::HEAD)).payload, "get");
    let outcome = |on, method| match table.find(&Request::get("h", on).method(method).view()) {
        Outcome::MethodNotAllowed(methods) => methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", "),
        other => panic!("{other:?}"),
    };
    assert_eq!(outcome("/a", Method::POST), "GET, HEAD");
    assert_eq!(outcome("/a/b", Method::POST), "DELETE, GET, HEAD, PUT");
    assert!(matches!(table.find(&Request::get("h", "/x").view()), Outcome::NotFound));
}

#[test]
fn method_is_not_named_when_a_header_is_wrong_too() {
    let mut put = with_methods(entry("put", "", "/a"), &[Method::PUT]);
    put.conditions.headers = [header("h", "1")].into();
    let table = Table::build(vec![put]);
    assert!(matches!(table.find(&Request::get("h", "/a").view()), Outcome::NotFound));
    let right_header = Request::get("h", "/a").header("h", "1");
    assert!(matches!(table.find(&right_header.view()), Outcome::MethodNotAllowed(methods) if methods == [Method::PUT]));
}

#[test]
fn long_hostile_paths_and_hosts_end() {
    let table = Table::build(vec![entry("a", "*.a", "/a/b"), entry("t", "", "/**/z"), entry("r", "", "~/x(a|b)*")]);
    let request = Request::get(&"a.".repeat(5000), &"/a".repeat(5000));
    assert!(matches!(table.find(&request.view()), Outcome::NotFound));
}

#[test]
fn regex_takes_the_whole_path_and_cannot_escape_its_anchors() {
    let table = Table::build(vec![entry("r", "", "~/a|/b")]);
    check(&table, "h", "/b", "r");
    for on in ["/ab", "/a/b", "x/a"] {
        assert!(matches!(table.find(&Request::get("h", on).view()), Outcome::NotFound), "{on}");
    }
    assert!(anchored("/a)|(/b").is_err());
    let error = anchored(r"\w{300}{300}").unwrap_err().to_string();
    assert!(error.contains("1048576 bytes"), "{error}");
}

#[test]
fn explain_says_why_each_entry_lost() {
    let mut by_header = entry("header", "", "=/a");
    by_header.conditions.headers = [header("h", "1")].into();
    let mut by_query = entry("query", "", "=/a");
    by_query.conditions.query = [query("q", "1")].into();
    let table = Table::build(vec![
        entry("other host", "b", "/"),
        with_methods(entry("method", "", "=/a"), &[Method::PUT]),
        by_header,
        by_query,
        entry("won", "", "/a"),
        entry("path", "", "/b"),
        entry("outranked", "", "/"),
    ]);
    let request = Request::get("h", "/a");
    let explanation = table.explain(&request.view());
    let said: Vec<_> = explanation.considered.iter().map(|one| (one.entry.payload, one.verdict)).collect();
    let name = HeaderName::from_static("h");
    assert_eq!(
        said,
        [
            ("method", Verdict::Lost(Lost::Method)),
            ("header", Verdict::Lost(Lost::Header(&name))),
            ("query", Verdict::Lost(Lost::Query("q"))),
            ("won", Verdict::Won),
            ("path", Verdict::Lost(Lost::Path)),
            ("outranked", Verdict::Lost(Lost::Outranked)),
        ]
    );
    assert_eq!(explanation.omitted, 0);
}

#[test]
fn explain_keeps_the_winner_when_it_omits() {
    let mut entries: Vec<_> = (0..500).map(|n| entry("other", "", &format!("/other/{n:03}"))).collect();
    entries.push(entry("won", "", "/"));
    let table = Table::build(entries);
    let request = Request::get("h", "/");
    let explanation = table.explain(&request.view());
    assert_eq!((explanation.considered.len(), explanation.omitted), (200, 301));
    assert_eq!(explanation.winner().map(|entry| entry.payload), Some("won"));
}
