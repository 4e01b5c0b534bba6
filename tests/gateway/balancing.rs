//! Shares: who gets how many requests.

use std::collections::BTreeMap;

use serde_json::json;

use crate::harness::{Backend, DEADLINE, Folder, Gateway, Script, Wire, eventually, with_policy};

/// A folder with Pods behind the endpoints of `echo`, each with its label.
fn pods(backends: &[Backend], weights: &[&str]) -> Folder {
    let folder = Folder::new();
    let addresses: Vec<_> = backends.iter().map(Backend::address).collect();
    folder.service("echo", &addresses);
    let text = std::fs::read_to_string(folder.path().join("echo.service.json")).expect("the file must be there");
    let mut list: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for at in 0..backends.len() {
        list["items"][at + 1]["endpoints"][0]["targetRef"] = json!({"kind": "Pod", "name": format!("echo-{at}")});
    }
    folder.write("echo.service.json", &list.to_string());
    label(&folder, weights);
    folder
}

fn label(folder: &Folder, weights: &[&str]) {
    for (at, weight) in weights.iter().enumerate() {
        let metadata = json!({"name": format!("echo-{at}"), "labels": {"paifang.dev/weight": weight}});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": []}});
        folder.write(&format!("echo-{at}.json"), &pod.to_string());
    }
}

/// How many of so many requests each backend answers.
async fn shares(gateway: &Gateway, requests: usize) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for _ in 0..requests {
        let reply = gateway.get("/").await;
        *shares.entry(reply.field("x-backend").unwrap_or_default().to_owned()).or_default() += 1;
    }
    shares
}

#[tokio::test]
async fn a_busy_key_is_spread_once_its_endpoint_has_more_than_its_share() {
    let silent = || Script::start(|mut wire: Wire, _| async move { drop(wire.rest().await) });
    let backends = [silent().await, silent().await, silent().await];
    let addresses = backends.each_ref().map(Script::address);
    let spec = |more: &str| with_policy(&format!("balancing: {{strategy: Hash, {more}}}"));
    for (more, wanted) in [("panicThreshold: 0", [0, 0, 12]), ("hashBalanceFactor: 100", [4, 4, 4])] {
        let before = backends.each_ref().map(Script::connections);
        let gateway = Gateway::over(&addresses, &spec(more)).await;
        let mut held = Vec::new();
        for number in 1..=12 {
            let mut wire = gateway.open().await;
            wire.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
            held.push(wire);
            eventually(DEADLINE, "the request is under way", || async {
                let count = gateway.metric("paifang_upstream_requests_in_flight").await;
                if count.total_cmp(&f64::from(number)).is_eq() { Ok(()) } else { Err(count) }
            })
            .await;
        }
        eventually(DEADLINE, &format!("the requests of one client are shared as {wanted:?}"), || {
            let mut counts: Vec<_> =
                backends.iter().zip(before).map(|(one, before)| one.connections() - before).collect();
            counts.sort_unstable();
            std::future::ready(if counts == wanted { Ok(()) } else { Err(format!("{counts:?}")) })
        })
        .await;
    }
}

#[tokio::test]
async fn pods_have_the_share_that_their_labels_ask_for() {
    let backends = [Backend::echo("a").await, Backend::echo("b").await, Backend::echo("c").await];
    let folder = pods(&backends, &["10", "10", "30"]);
    folder.route("web", &with_policy("balancing: {strategy: WeightedRoundRobin}"));
    let gateway = Gateway::start(folder).await;
    let expected = |shares: [usize; 3]| ["a", "b", "c"].map(str::to_owned).into_iter().zip(shares).collect();
    assert_eq!(shares(&gateway, 50).await, expected([10, 10, 30]));
    label(&gateway.folder, &["0", "10", "many"]);
    gateway.until("a.example", "/", |_| gateway.log().contains("the weight `many` is not used")).await;
    let told: serde_json::Value = gateway
        .log()
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .find(|line: &serde_json::Value| line["field"] == "metadata.labels.paifang.dev/weight")
        .expect("the line must be there");
    assert_eq!(told["object"], "Pod default/echo-2");
    let wanted = [("b".to_owned(), 40), ("c".to_owned(), 4)].into();
    eventually(DEADLINE, "the others have what they ask for, and it counts for 1", || async {
        let shares = shares(&gateway, 44).await;
        if shares == wanted { Ok(()) } else { Err(format!("{shares:?}")) }
    })
    .await;
}
