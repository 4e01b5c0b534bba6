//! The proof of the index: it finds what a plain scan in rank order finds.

use super::fixture::{Request, entry, header, query};
use crate::table::{Conditions, Entry, Lost, Outcome, Rank, Table, Verdict};
use http::Method;
use proptest::{collection::vec, prelude::*, sample::select};

fn any_entry() -> impl Strategy<Value = Entry<&'static str>> {
    let hosts = vec!["", "", "a.com", "x.a.com", "[::1]", "*.a.com", "+.a.com", "*.com", "*.x.a.com", "+.com"];
    let paths = vec![
        "=/",
        "=/a",
        "=/a/b",
        "=/a/b/",
        "=/a:v",
        "/",
        "/a",
        "/a/b",
        "/a/b/c",
        "/{x}",
        "/a/{x}",
        "/{x}/b",
        "/{x}/{y}",
        "/{x=a/b}",
        "/{x}/{y=**}",
        "/a/b/{z=**}",
        "/b",
        "/{x=c}/d",
        "/{x=d}",
        "/{x=e}",
        "/a/{x}/",
        "/{x=**}",
        "/a/{x=**}",
        "/{x=**}/b",
        "/a/{x=**}/b",
        "/{x=**}/{y}",
        "/{x}/{y=**}/c",
        "/a/{x=**}/b/{y}",
        "/a/{x}:v",
        "/a:v",
        "/{x}:v",
        "/{x=**}:v",
        "/{x=b:v}",
        "/a/b:w",
        "~/a.*",
        "~.*",
        "~/a/[bc]",
        "~/(a|b)/?",
        "~.*:v",
    ];
    let methods = vec![vec![], vec![], vec![Method::GET], vec![Method::POST], vec![Method::HEAD, Method::PUT]];
    let headers = vec![vec![], vec![], vec![header("h", "1")], vec![header("h", "~[12]"), header("i", "1")]];
    let queries = vec![vec![], vec![], vec![query("q", "1")], vec![query("q", "~[12]"), query("r", "")]];
    (select(hosts), select(paths), select(methods), select(headers), select(queries), 0..3_i64, 0..3_u32).prop_map(
        |(at, on, methods, headers, queries, created, order)| {
            let mut entry = entry("", at, on);
            entry.conditions = Conditions { methods: methods.into(), headers: headers.into(), query: queries.into() };
            entry.created = created;
            entry.order.1 = order;
            entry
        },
    )
}

/// A table whose payloads tell its entries apart.
fn any_table() -> impl Strategy<Value = Table<usize>> {
    vec(any_entry(), 0..40).prop_map(|entries| {
        let numbered = entries.into_iter().enumerate().map(|(payload, one)| Entry {
            host: one.host,
            path: one.path,
            conditions: one.conditions,
            created: one.created,
            order: one.order,
            payload,
        });
        Table::build(numbered.collect())
    })
}

fn any_request() -> impl Strategy<Value = Request> {
    let hosts = vec!["", "a.com", "x.a.com", "y.x.a.com", "b.com", "[::1]", ".a.com", "com", "a..com"];
    let segments = vec(select(vec!["a", "b", "c", "a:v", "b:v", "b:w", ":v"]), 0..5);
    let paths = (segments, any::<bool>()).prop_map(|(segments, slash)| match (segments.join("/"), slash) {
        (joined, true) if !joined.is_empty() => format!("/{joined}/"),
        (joined, _) => format!("/{joined}"),
    });
    let not_rooted = select(vec!["", "a", "a/b", ":v", "*"]).prop_map(str::to_owned);
    let paths = prop_oneof![9 => paths, 1 => not_rooted];
    let methods = vec![Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE];
    let queries = vec![None, Some("q=1"), Some("q=2&r"), Some("q=3&q=1"), Some("%71=%31")];
    let headers = vec![vec![], vec![("h", "1")], vec![("h", "2"), ("i", "1")], vec![("h", "3"), ("h", "1")]];
    (select(hosts), paths, select(methods), select(queries), select(headers)).prop_map(
        |(host, path, method, query, headers)| {
            let request = Request { query: query.map(str::to_owned), ..Request::get(host, &path) };
            headers.into_iter().fold(request.method(method), |request, (name, value)| request.header(name, value))
        },
    )
}

fn naive_allow(table: &Table<usize>, request: &Request) -> Vec<Method> {
    let explanation = table.explain(&request.view());
    let lost = explanation.considered.iter().filter(|one| one.verdict == Verdict::Lost(Lost::Method));
    let mut methods: Vec<_> = lost.flat_map(|one| one.entry.conditions.methods.iter().cloned()).collect();
    if methods.contains(&Method::GET) {
        methods.push(Method::HEAD);
    }
    methods.sort_by_key(|method| method.as_str().to_owned());
    methods.dedup();
    methods
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn find_equals_a_naive_scan_in_rank_order(table in any_table(), requests in vec(any_request(), 1..20)) {
        for request in requests {
            let explanation = table.explain(&request.view());
            let expected = explanation.winner().map(|entry| entry.payload);
            match table.find(&request.view()) {
                Outcome::Found(found) => {
                    prop_assert_eq!(Some(*found.payload), expected, "{:?}", request);
                    prop_assert!(found.prefix_len <= request.path.len());
                }
                Outcome::MethodNotAllowed(methods) => {
                    prop_assert_eq!(expected, None, "{:?}", request);
                    prop_assert_eq!(methods, naive_allow(&table, &request));
                }
                Outcome::NotFound => {
                    prop_assert_eq!(expected, None, "{:?}", request);
                    prop_assert!(naive_allow(&table, &request).is_empty());
                }
            }
        }
    }

    #[test]
    fn order_of_building_does_not_matter(table in any_table(), request in any_request()) {
        let mut entries = table.entries().to_vec();
        entries.reverse();
        let reversed = Table::build(entries);
        match (table.find(&request.view()), reversed.find(&request.view())) {
            (Outcome::Found(one), Outcome::Found(other)) => prop_assert_eq!(Rank::of(one.entry), Rank::of(other.entry)),
            (one, other) => prop_assert_eq!(format!("{one:?}"), format!("{other:?}")),
        }
    }
}
