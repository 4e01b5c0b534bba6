//! The writer against a fake API server.

use super::{Publish, PublishAddress, StatusInputs, StatusMetrics, StatusWriter};
use crate::{
    control::{
        report::{ConditionReport, ObjectReport},
        watch::kubernetes::fake::{Call, Fake, Reply},
    },
    lifecycle::vital::Vitals,
    model::{
        condition::{ConditionType, Reason},
        diagnostic::{Kind, ObjectRef},
    },
};
use http::Method;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::watch, time::timeout};

type Reports = watch::Sender<Arc<Vec<ObjectReport>>>;

struct Rig {
    fake: Fake,
    reports: Reports,
    leader: watch::Sender<bool>,
    metrics: Arc<StatusMetrics>,
    _writer: StatusWriter,
}

fn report(kind: Kind, name: &str, generation: i64, holds: bool) -> ObjectReport {
    let reason = if holds { Reason::ResolvedRefs } else { Reason::BackendNotFound };
    ObjectReport {
        object: ObjectRef::new(kind, "shop", name),
        uid: format!("uid-{name}"),
        generation,
        conditions: vec![ConditionReport {
            type_: ConditionType::ResolvedRefs,
            holds,
            reason,
            message: "Service none".to_owned(),
        }],
        endpoints: (2, 3),
    }
}

/// Keeps what is applied, as a real API server does, and refuses the first `failures` patches.
fn store(failures: u32) -> impl Fn(Call) -> Reply + Send + Sync {
    let state = Mutex::new(HashMap::<String, Value>::new());
    let failures = Mutex::new(failures);
    move |call| {
        let name = call.path.trim_end_matches("/status").rsplit('/').next().unwrap().to_owned();
        let mut state = state.lock().unwrap();
        if call.method == Method::PATCH {
            let mut left = failures.lock().unwrap();
            if *left > 0 {
                *left -= 1;
                return Reply::status(500, "InternalError");
            }
            state.insert(name.clone(), call.body["status"].clone());
        }
        let status = state.get(&name).cloned().unwrap_or_else(|| json!({}));
        Reply::Json(
            200,
            json!({"apiVersion": "paifang.dev/v1alpha1", "kind": "GatewayRoute", "status": status,
            "metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}")}}),
        )
    }
}

impl Rig {
    async fn start(fake: Fake, leads: bool, publish: Publish) -> Self {
        let (reports, report_receiver) = watch::channel(Arc::default());
        let (leader, leader_receiver) = watch::channel(leads);
        let metrics: Arc<StatusMetrics> = Arc::default();
        let inputs = StatusInputs {
            reports: report_receiver,
            leader: leader_receiver,
            publish,
            controller: "paifang.dev/ingress-controller".to_owned(),
            pod_name: "paifang-0".to_owned(),
            metrics: Arc::clone(&metrics),
        };
        let writer = StatusWriter::start(&fake.client(), inputs, &Vitals::new().0);
        Self { fake, reports, leader, metrics, _writer: writer }
    }

    fn report(&self, reports: Vec<ObjectReport>) {
        self.reports.send_replace(Arc::new(reports));
    }

    async fn until(&self, holds: impl Fn(&StatusMetrics) -> bool) {
        let waiting = async {
            while !holds(&self.metrics) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(Duration::from_secs(10), waiting).await.unwrap();
    }

    fn calls(&self, method: &Method) -> Vec<Call> {
        self.fake.calls().into_iter().filter(|call| call.method == method).collect()
    }
}

#[tokio::test]
async fn a_status_is_applied_once_under_its_own_manager_and_tied_to_the_uid() {
    let rig = Rig::start(Fake::start(store(0)).await, true, Publish::Nothing).await;
    rig.report(vec![report(Kind::GatewayRoute, "one", 4, true)]);
    rig.until(|metrics| metrics.written() == 1).await;
    let patch = &rig.calls(&Method::PATCH)[0];
    assert_eq!(patch.path, "/apis/paifang.dev/v1alpha1/namespaces/shop/gatewayroutes/one/status");
    assert!(patch.query.contains("fieldManager=paifang-status") && patch.query.contains("force=true"));
    assert_eq!(patch.body["metadata"]["uid"], "uid-one");
    assert_eq!(patch.body["status"]["endpoints"], json!({"ready": 2, "total": 3, "summary": "2/3"}));
    assert_eq!(patch.body["status"]["conditions"][0]["observedGeneration"], 4);
    assert!(rig.calls(&Method::POST).is_empty(), "an Event for a condition that holds");
}

#[tokio::test]
async fn a_new_leader_rewrites_nothing() {
    let rig = Rig::start(Fake::start(store(0)).await, true, Publish::Nothing).await;
    let names = ["one", "two", "three"];
    rig.report(names.map(|name| report(Kind::GatewayRoute, name, 1, true)).to_vec());
    rig.until(|metrics| metrics.written() == 3).await;
    rig.leader.send_replace(false);
    tokio::task::yield_now().await;
    rig.report(names.map(|name| report(Kind::GatewayRoute, name, 1, true)).to_vec());
    rig.leader.send_replace(true);
    rig.until(|metrics| metrics.skipped() == 3).await;
    assert_eq!(rig.calls(&Method::PATCH).len(), 3);
}

#[tokio::test]
async fn nobody_but_the_leader_asks_or_writes() {
    let rig = Rig::start(Fake::start(store(0)).await, false, Publish::Nothing).await;
    rig.report(vec![report(Kind::GatewayRoute, "one", 1, true)]);
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert!(rig.fake.calls().is_empty());
    rig.leader.send_replace(true);
    rig.until(|metrics| metrics.written() == 1).await;
}

#[tokio::test]
async fn a_condition_that_becomes_false_makes_one_event() {
    let rig = Rig::start(Fake::start(store(0)).await, true, Publish::Nothing).await;
    rig.report(vec![report(Kind::GatewayRoute, "one", 1, true)]);
    rig.until(|metrics| metrics.written() == 1).await;
    rig.report(vec![report(Kind::GatewayRoute, "one", 2, false)]);
    rig.until(|metrics| metrics.written() == 2).await;
    rig.report(vec![report(Kind::GatewayRoute, "one", 3, false)]);
    rig.until(|metrics| metrics.written() == 3).await;
    let events = rig.calls(&Method::POST);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].path, "/apis/events.k8s.io/v1/namespaces/shop/events");
    assert_eq!(events[0].body["reason"], "BackendNotFound");
    assert_eq!(events[0].body["regarding"]["uid"], "uid-one");
}

#[tokio::test]
async fn a_failed_write_is_tried_again() {
    let rig = Rig::start(Fake::start(store(1)).await, true, Publish::Nothing).await;
    rig.report(vec![report(Kind::GatewayRoute, "one", 1, true)]);
    rig.until(|metrics| metrics.written() == 1).await;
    assert_eq!(rig.metrics.failed(), 1);
}

#[tokio::test]
async fn an_ingress_gets_the_published_addresses_and_nothing_else() {
    let publish = Publish::Addresses(vec![PublishAddress::from("192.0.2.7"), PublishAddress::from("lb.example.com")]);
    let rig = Rig::start(Fake::start(store(0)).await, true, publish).await;
    rig.report(vec![report(Kind::Ingress, "web", 1, true)]);
    rig.until(|metrics| metrics.written() == 1).await;
    let patch = &rig.calls(&Method::PATCH)[0];
    assert_eq!(patch.path, "/apis/networking.k8s.io/v1/namespaces/shop/ingresses/web/status");
    let points = json!([{"ip": "192.0.2.7"}, {"hostname": "lb.example.com"}]);
    assert_eq!(patch.body["status"], json!({"loadBalancer": {"ingress": points}}));
}

#[tokio::test]
async fn a_successor_under_the_same_name_is_left_alone() {
    let rig = Rig::start(Fake::start(store(0)).await, true, Publish::Nothing).await;
    rig.report(vec![ObjectReport { uid: "old".to_owned(), ..report(Kind::GatewayRoute, "one", 1, true) }]);
    rig.until(|metrics| metrics.skipped() == 1).await;
    assert!(rig.calls(&Method::PATCH).is_empty());
}
