//! What a user sees with kubectl. With `UPDATE=1` the real output is written to docs/kubectl.md.

use serde_json::{Value, json};
use std::{env, fs};

use crate::harness::{Backend, Cluster, FOLLOW, Objects, Release, eventually, objects::to_service};

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/kubectl.md");
const INTRODUCTION: &str = "\
# GatewayRoutes with kubectl

What a cluster prints, as it is. The short name is `gwr`; `gatewayroutes` and `gatewayroute` work too.
The text is written by `make test TIERS=kubernetes` when `UPDATE=1` is set.
";

/// A heading, what it shows, and the arguments of kubectl.
const SHOWN: [(&str, &str, &str); 5] = [
    (
        "The routes of a namespace",
        "`Accepted`: well formed. `Programmed`: installed. `Endpoints`: ready and all behind the route.",
        "get gwr",
    ),
    ("With the reason of what does not hold", "", "get gwr -o wide"),
    ("One route with its conditions", "The message says which field is wrong, and the mend.", "describe gwr checkout"),
    ("The fields of a route", "", "explain gatewayroute.spec"),
    ("The fields of a rule", "", "explain gatewayroute.spec.rules"),
];

#[tokio::test]
async fn output_reads_as_a_user_would_wish() {
    let cluster = Cluster::shared().await;
    let objects = shop(cluster).await;
    let mut printed = Vec::new();
    for (_, _, args) in SHOWN {
        let args: Vec<_> = args.split(' ').chain(["-n", objects.namespace()]).collect();
        printed.push(cluster.kubectl(&args).await);
    }
    if env::var_os("UPDATE").is_some() {
        fs::write(DOCS, document(&printed, objects.namespace())).expect("the docs must be writable");
    }
    let [table, wide, described, spec, rules] = printed.try_into().expect("one output for each command");

    assert_eq!(columns(&table), ["NAME", "HOSTS", "CLASS", "ACCEPTED", "PROGRAMMED", "ENDPOINTS", "AGE"]);
    assert_eq!(columns(&wide).last().copied(), Some("REASON"));
    assert_eq!(cells(&table, "catalogue")[2..6], ["paifang", "True", "True", "3/3"]);
    assert!(cells(&wide, "checkout").contains(&"BackendNotFound"), "{wide}");
    assert!(described.contains("there is no Service `payments` in namespace"), "{described}");
    is_explained(&spec, &["spec"], &["className", "hostnames", "tls", "rules", "policyFor", "proxy", "balancing"]);
    is_explained(&rules, &["spec", "rules"], &["name", "matches", "handler", "backends", "pathSafety"]);
}

/// Two routes of which one works.
async fn shop(cluster: &Cluster) -> Objects {
    Release::shared().await;
    let objects = cluster.scratch("shop").await;
    let backend = Backend::start(&objects, "catalogue", 3).await;
    objects.route("catalogue", to_service("shop.example.com", "catalogue")).await;
    let rule = json!({
        "name": "pay",
        "matches": [{"path": {"type": "PathPrefix", "value": "/checkout"}, "methods": ["POST"]}],
        "backends": [{"service": "payments", "port": 80}],
    });
    objects.route("checkout", json!({"hostnames": ["shop.example.com"], "rules": [rule]})).await;
    objects.served("catalogue").await;
    objects.condition("checkout", "ResolvedRefs", "False", "BackendNotFound").await;
    eventually(FOLLOW, "the endpoints are counted", || async {
        let summary = objects.get_route("catalogue").await.data["status"]["endpoints"]["summary"].clone();
        if summary == "3/3" { Ok(()) } else { Err(summary) }
    })
    .await;
    drop(backend);
    objects
}

fn columns(table: &str) -> Vec<&str> {
    table.lines().next().unwrap_or_default().split_whitespace().collect()
}

fn cells<'a>(table: &'a str, name: &str) -> Vec<&'a str> {
    let row = table.lines().find(|line| line.starts_with(name));
    row.unwrap_or_else(|| panic!("{name} must be in:\n{table}")).split_whitespace().collect()
}

/// `kubectl explain` tells of each of these fields what the published CRD says.
fn is_explained(output: &str, path: &[&str], fields: &[&str]) {
    let mut schema = paifang::resource::crd::schema();
    for step in path {
        schema = schema["properties"][step].clone();
        if schema["items"].is_object() {
            schema = schema["items"].clone();
        }
    }
    let known: Vec<_> = schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    assert!(fields.iter().all(|field| known.contains(field)), "{known:?}");
    let printed = words(output);
    for field in known {
        let description = &schema["properties"][field]["description"];
        let Value::String(description) = description else { panic!("{field} has no description") };
        assert!(printed.contains(&words(description)), "{field}: {description}\nis not in:\n{output}");
    }
}

/// The text on one line, however it was wrapped.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn document(printed: &[String], namespace: &str) -> String {
    let mut text = INTRODUCTION.to_owned();
    for ((heading, note, args), output) in SHOWN.iter().zip(printed) {
        let note = if note.is_empty() { String::new() } else { format!("{note}\n\n") };
        // The tests give namespaces random names.
        let output = output.replace(namespace, "shop");
        let lines: Vec<_> = output.trim_end().lines().map(str::trim_end).collect();
        text.push_str(&format!("\n## {heading}\n\n{note}```console\n$ kubectl {args}\n{}\n```\n", lines.join("\n")));
    }
    text
}
