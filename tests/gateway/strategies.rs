//! Which endpoint gets a request, by each strategy.

use std::collections::BTreeMap;

use serde_json::json;

use crate::harness::{Backend, DEADLINE, Folder, Gateway, Script, Wire, eventually, get, request, with_policy};

const WEIGHTS: [u32; 3] = [10, 10, 30];

async fn backends() -> [Backend; 3] {
    [Backend::echo("a").await, Backend::echo("b").await, Backend::echo("c").await]
}

/// A gateway with one endpoint of each weight.
async fn weighed(backends: &[Backend], strategy: &str) -> Gateway {
    let folder = Folder::new();
    folder.service("echo", &[]).route("web", &with_policy(&format!("balancing: {{strategy: {strategy}}}")));
    let slices = backends.iter().zip(WEIGHTS).map(|(backend, weight)| {
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {
                "name": format!("echo-{}", backend.address().port()),
                "labels": {"kubernetes.io/service-name": "echo"},
                "annotations": {"paifang.dev/weight": weight.to_string()},
            },
            "addressType": "IPv4", "ports": [{"name": "", "port": backend.address().port()}],
            "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": true}}],
        })
    });
    let list = json!({"apiVersion": "v1", "kind": "List", "items": slices.collect::<Vec<_>>()});
    folder.write("slices.json", &list.to_string());
    Gateway::start(folder).await
}

async fn even(backends: &[Backend], policy: &str) -> Gateway {
    let addresses: Vec<_> = backends.iter().map(Backend::address).collect();
    Gateway::over(&addresses, &with_policy(&format!("balancing: {{{policy}}}"))).await
}

/// How many of so many requests over one connection each backend has answered.
async fn shares(gateway: &Gateway, requests: usize) -> BTreeMap<String, usize> {
    let (mut wire, mut shares) = (gateway.open().await, BTreeMap::new());
    for _ in 0..requests {
        let reply = wire.ask(get("a.example", "/")).await;
        *shares.entry(reply.backend().expect("a backend must answer").to_owned()).or_default() += 1;
    }
    shares
}

fn of(a: usize, b: usize, c: usize) -> BTreeMap<String, usize> {
    [("a", a), ("b", b), ("c", c)].map(|(name, share)| (name.to_owned(), share)).into()
}

#[tokio::test]
async fn turns_are_even_or_go_by_weight_to_the_very_number() {
    let backends = backends().await;
    let gateway = weighed(&backends, "WeightedRoundRobin").await;
    for _ in 0..3 {
        assert_eq!(shares(&gateway, 50).await, of(10, 10, 30));
    }
    assert_eq!(shares(&weighed(&backends, "RoundRobin").await, 30).await, of(10, 10, 10));
}

#[tokio::test]
async fn chance_is_even_or_goes_by_weight() {
    const REQUESTS: usize = 2000;
    let backends = backends().await;
    for (strategy, parts) in [("WeightedRandom", WEIGHTS), ("Random", [1, 1, 1])] {
        let shares = shares(&weighed(&backends, strategy).await, REQUESTS).await;
        let all: u32 = parts.iter().sum();
        for ((name, share), part) in shares.iter().zip(parts) {
            let wanted = REQUESTS * part as usize / all as usize;
            assert!(
                share.abs_diff(wanted) < REQUESTS / 20,
                "{strategy}: {name} has {share} of {REQUESTS}, not {wanted}"
            );
        }
    }
}

#[tokio::test]
async fn less_load_keeps_away_from_an_endpoint_that_does_not_answer() {
    let slow = Script::start(|mut wire: Wire, _| async move { drop(wire.rest().await) }).await;
    let (a, b) = (Backend::echo("a").await, Backend::echo("b").await);
    let endpoints = [slow.address(), a.address(), b.address()];
    let gateway = Gateway::over(&endpoints, &with_policy("balancing: {strategy: LessLoad}")).await;
    // One after the other, so that nobody else is busy when the slow one has got its request.
    let mut waiting = gateway.open().await;
    for attempt in 0.. {
        assert!(attempt < 1000, "ties must be broken fairly");
        waiting.send(get("a.example", "/")).await;
        let has_got_it = eventually(DEADLINE, "the slow one gets a request", || async {
            if slow.connections() > 0 { Ok(()) } else { Err("none yet") }
        });
        tokio::select! {
            _ = waiting.reply() => {}
            () = has_got_it => break,
        }
    }
    let shares = shares(&gateway, 60).await;
    assert_eq!(shares.values().sum::<usize>(), 60, "{shares:?}");
    assert!(shares.len() == 2 && shares.values().all(|share| *share > 10), "{shares:?}");
}

/// Whom each of some clients gets, by a field.
async fn homes(gateway: &Gateway) -> Vec<String> {
    let (mut wire, mut homes) = (gateway.open().await, Vec::new());
    for client in 0..60 {
        let reply = wire.ask(request("GET /", &["Host: a.example", &format!("X-Client: {client}")], "")).await;
        homes.push(reply.backend().expect("a backend must answer").to_owned());
    }
    homes
}

#[tokio::test]
async fn a_hash_is_the_same_on_every_replica_and_after_a_restart() {
    let backends = backends().await;
    let policy = "strategy: Hash, hashOn: {type: Header, name: X-Client}";
    let (one, other) = (even(&backends, policy).await, even(&backends, policy).await);
    let found = homes(&one).await;
    assert_eq!(homes(&one).await, found);
    assert_eq!(homes(&other).await, found);
    drop(one);
    assert_eq!(homes(&even(&backends, policy).await).await, found);
    for name in ["a", "b", "c"] {
        assert!(found.iter().filter(|home| *home == name).count() > 5, "{found:?}");
    }
    let gateway = even(&backends, "strategy: Hash").await;
    assert_eq!(shares(&gateway, 20).await.len(), 1, "one client has one endpoint");
}
