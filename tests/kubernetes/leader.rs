//! Two replicas: one writes status, and another takes over when it dies or leaves.

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use std::time::{Duration, Instant};

use crate::harness::{Backend, Gateway, Objects, Release, eventually, expect, objects::to_service};

/// A dead leader is succeeded after the Lease's 15 seconds and a look every two.
const AFTER_DEATH: Duration = Duration::from_secs(25);
/// A leader that leaves gives the Lease back; the others look at it every two seconds.
const AFTER_LEAVING: Duration = Duration::from_secs(4);

#[tokio::test]
async fn another_replica_takes_over_when_the_leader_dies_or_leaves() {
    let release = Release::of_own_class("leader", &[]).await;
    let objects = release.objects().await;
    let _backend = Backend::start(&objects, "greeter", 1).await;
    let mut first = release.start("paifang-0", &[]).await;
    first.ready().await;
    holder_is(&objects, "paifang-0", AFTER_DEATH).await;
    let mut second = release.start("paifang-1", &[]).await;
    second.ready().await;
    write_status(&objects, &release, "before", &second).await;

    let killed = Instant::now();
    first.kill();
    // Whoever leads, traffic is served.
    expect::pod(second.address("http"), "before.leader.example", "greeter-0").await;
    holder_is(&objects, "paifang-1", AFTER_DEATH).await;
    println!("leader killed: succeeded after {:.1} s", killed.elapsed().as_secs_f64());
    write_status(&objects, &release, "after-kill", &second).await;

    let mut third = release.start("paifang-2", &[]).await;
    third.ready().await;
    let left = Instant::now();
    let leaving = tokio::spawn(second.terminate(Duration::from_secs(60)));
    holder_is(&objects, "paifang-2", AFTER_LEAVING).await;
    println!("leader told to stop: succeeded after {:.1} s", left.elapsed().as_secs_f64());
    write_status(&objects, &release, "after-leaving", &third).await;
    let (status, log) = leaving.await.expect("the leader must end");
    assert!(status.success(), "{status}:\n{log}");
}

/// A new route gets its status, and the gateway serves it.
async fn write_status(objects: &Objects, release: &Release, name: &str, gateway: &Gateway) {
    let host = format!("{name}.leader.example");
    let mut spec = to_service(&host, "greeter");
    spec["className"] = serde_json::json!(release.namespace());
    objects.route(name, spec).await;
    objects.served(name).await;
    expect::pod(gateway.address("http"), &host, "greeter-0").await;
}

/// Waits until the pod holds the Lease.
async fn holder_is(objects: &Objects, pod: &str, deadline: Duration) {
    let leases: Api<Lease> = Api::namespaced(objects.client(), objects.namespace());
    eventually(deadline, &format!("{pod} holds the Lease"), || async {
        let lease = leases.get("paifang").await.map_err(|error| error.to_string())?;
        let holder = lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default();
        if holder.starts_with(pod) { Ok(()) } else { Err(format!("`{holder}` holds it")) }
    })
    .await;
}
