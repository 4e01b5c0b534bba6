//! The rules of the watches, proven against a fake API server.

use super::{
    ScopeState, Sources, WatchMetrics, WatchSettings,
    fake::{Call, Fake, Reply, status},
};
use crate::{
    control::change::{Change, Object, Scope},
    lifecycle::vital::Vitals,
    model::diagnostic::Kind,
};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex, atomic::AtomicUsize, atomic::Ordering::SeqCst},
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};

const PATIENCE: Duration = Duration::from_secs(10);

fn service(name: &str, ports: &Value) -> Value {
    let metadata = json!({"name": name, "namespace": "shop", "resourceVersion": "7", "generation": 3,
        "managedFields": [{"manager": "kubectl"}]});
    json!({"metadata": metadata, "spec": {"ports": ports}})
}

fn good(name: &str) -> Value {
    service(name, &json!([{"port": 80}]))
}

fn bad(name: &str) -> Value {
    service(name, &json!([{"port": "eighty"}]))
}

/// Only Services, in one namespace: every other path answers an empty list and a silent watch.
struct Rig {
    fake: Fake,
    sources: Sources,
    changes: mpsc::Receiver<Change>,
    metrics: Arc<WatchMetrics>,
}

impl Rig {
    async fn start(settings: &WatchSettings, handler: impl Fn(Call) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let open = Mutex::new(Vec::new());
        let fake = Fake::start(move |call| {
            let watch = call.is_watch();
            let is_discovery = call.path.starts_with("/apis/gateway") && call.path.matches('/').count() == 3;
            handler(call).unwrap_or_else(|| match watch {
                _ if is_discovery => Reply::status(404, "NotFound"),
                true => silent(&open),
                false => Reply::list(&[]),
            })
        })
        .await;
        let (sender, changes) = mpsc::channel(16);
        let metrics = Arc::default();
        let sources = Sources::start(&fake.client(), settings, &sender, &metrics, &Vitals::new().0);
        Self { fake, sources, changes, metrics }
    }

    /// The next change about a kind.
    async fn next(&mut self, kind: Kind) -> Change {
        timeout(PATIENCE, async {
            loop {
                let change = self.changes.recv().await.unwrap();
                if kind_of(&change) == kind {
                    return change;
                }
            }
        })
        .await
        .unwrap()
    }
}

fn silent(open: &Mutex<Vec<mpsc::UnboundedSender<Value>>>) -> Reply {
    let (sender, lines) = mpsc::unbounded_channel();
    open.lock().unwrap().push(sender);
    Reply::Lines(lines)
}

fn lines(events: Vec<Value>) -> Reply {
    let (sender, lines) = mpsc::unbounded_channel();
    events.into_iter().for_each(|event| sender.send(event).unwrap());
    Reply::Lines(lines)
}

fn event(kind: &str, object: &Value) -> Value {
    json!({"type": kind, "object": object})
}

fn kind_of(change: &Change) -> Kind {
    match change {
        Change::Upsert(object) => object.reference().kind,
        Change::Delete(object) | Change::Unreadable { object, .. } => object.kind,
        Change::Replace { scope, .. } => scope.kind,
    }
}

fn shop() -> WatchSettings {
    WatchSettings { namespaces: vec!["shop".into()], tls_namespaces: Some(Vec::new()), ..WatchSettings::default() }
}

#[tokio::test]
async fn a_list_arrives_as_one_replace_and_names_what_it_cannot_read() {
    let mut rig = Rig::start(&shop(), |call| {
        if !call.path.ends_with("/services") {
            return None;
        }
        (!call.is_watch()).then(|| match call.query.contains("continue=more") {
            false => Reply::Json(200, json!({"metadata": {"continue": "more"}, "items": [good("one"), bad("two")]})),
            true => Reply::list(&[good("three")]),
        })
    })
    .await;
    let Change::Replace { scope, objects, unreadable } = rig.next(Kind::Service).await else { panic!("not a list") };
    assert_eq!(scope, Scope { kind: Kind::Service, namespace: Some("shop".into()) });
    let names: Vec<_> = objects.iter().map(|object| object.reference().name.to_string()).collect();
    assert_eq!(names, ["one", "three"]);
    let Object::Service(first) = &objects[0] else { panic!("not a Service") };
    assert_eq!(first.metadata.managed_fields, None);
    assert_eq!(&*unreadable[0].0.name, "two");
    assert!(unreadable[0].1.starts_with("spec.ports[0].port: "), "{}", unreadable[0].1);
    assert_eq!(rig.metrics.relists(Kind::Service), 1);
}

#[tokio::test]
async fn an_object_that_does_not_parse_does_not_stop_its_watch() {
    let served = AtomicUsize::new(0);
    let mut rig = Rig::start(&shop(), move |call| {
        (call.path.ends_with("/services") && call.is_watch() && served.fetch_add(1, SeqCst) == 0).then(|| {
            lines(vec![event("ADDED", &bad("one")), event("MODIFIED", &good("one")), event("DELETED", &bad("one"))])
        })
    })
    .await;
    assert!(matches!(rig.next(Kind::Service).await, Change::Replace { .. }));
    let Change::Unreadable { object, generation, .. } = rig.next(Kind::Service).await else { panic!("readable") };
    assert_eq!((&*object.name, generation), ("one", Some(3)));
    assert!(matches!(rig.next(Kind::Service).await, Change::Upsert(_)));
    assert!(matches!(rig.next(Kind::Service).await, Change::Delete(_)));
}

async fn relists_after(gone: impl Fn() -> Reply + Send + Sync + 'static) {
    let served = AtomicUsize::new(0);
    let mut rig = Rig::start(&shop(), move |call| {
        (call.path.ends_with("/services") && call.is_watch() && served.fetch_add(1, SeqCst) == 0).then(&gone)
    })
    .await;
    assert!(matches!(rig.next(Kind::Service).await, Change::Replace { .. }));
    assert!(matches!(rig.next(Kind::Service).await, Change::Replace { .. }));
    assert_eq!(rig.metrics.errors(Kind::Service), 1);
}

#[tokio::test]
async fn gone_in_a_watch_reads_the_list_anew() {
    relists_after(|| lines(vec![event("ERROR", &status(410, "Expired"))])).await;
}

#[tokio::test]
async fn gone_as_the_answer_to_a_watch_reads_the_list_anew() {
    relists_after(|| Reply::status(410, "Expired")).await;
}

#[tokio::test]
async fn an_absent_optional_kind_counts_as_synced_and_is_read_once_it_is_there() {
    let installed = Arc::new(AtomicUsize::new(0));
    let flag = Arc::clone(&installed);
    let mut rig = Rig::start(&shop(), move |call| {
        let grant = json!({"metadata": {"name": "g", "namespace": "shop", "resourceVersion": "8"},
            "spec": {"from": [], "to": []}});
        match call.path.as_str() {
            "/apis/gateway.networking.k8s.io/v1beta1" if flag.load(SeqCst) == 1 => Some(Reply::Json(
                200,
                json!({"kind": "APIResourceList", "groupVersion": "gateway.networking.k8s.io/v1beta1", "resources":
                    [{"name": "referencegrants", "kind": "ReferenceGrant", "namespaced": true, "singularName": "",
                      "verbs": ["list", "watch"]}]}),
            )),
            path if path.ends_with("/referencegrants") && !call.is_watch() => Some(Reply::list(&[grant])),
            _ => None,
        }
    })
    .await;
    let Change::Replace { objects, .. } = rig.next(Kind::ReferenceGrant).await else { panic!("not a list") };
    assert!(objects.is_empty());
    let mut sync = rig.sources.sync();
    timeout(PATIENCE, sync.wait_for(super::SyncState::is_synced)).await.unwrap().unwrap();
    assert!(sync.borrow().scopes().any(|(_, state)| *state == ScopeState::Absent));
    installed.store(1, SeqCst);
    let Change::Replace { objects, .. } = rig.next(Kind::ReferenceGrant).await else { panic!("not a list") };
    assert_eq!(objects.len(), 1);
    let asked = rig.fake.calls().into_iter().any(|call| call.path.contains("v1beta1/namespaces/shop/referencegrants"));
    assert!(asked);
}

#[tokio::test]
async fn a_missing_right_is_named_with_the_chart_value() {
    let settings = WatchSettings { tls_namespaces: Some(vec!["certs".into()]), ..shop() };
    let rig =
        Rig::start(&settings, |call| call.path.ends_with("/secrets").then(|| Reply::status(403, "Forbidden"))).await;
    let mut sync = rig.sources.sync();
    let found = sync.wait_for(|state| state.waiting().any(|(_, reason)| reason.contains("forbidden")));
    timeout(PATIENCE, found).await.unwrap().unwrap();
    let state = sync.borrow().clone();
    let (_, reason) = state.waiting().find(|(scope, _)| scope.kind == Kind::Secret).unwrap();
    for word in ["list", "secrets", "certs", "tls.namespaces"] {
        assert!(reason.contains(word), "{reason}");
    }
}

#[tokio::test]
async fn a_source_is_synced_within_two_seconds_of_the_api_servers_return() {
    let up = Arc::new(AtomicUsize::new(0));
    let flag = Arc::clone(&up);
    let rig =
        Rig::start(&shop(), move |_| (flag.load(SeqCst) == 0).then(|| Reply::status(503, "ServiceUnavailable"))).await;
    let metrics = Arc::clone(&rig.metrics);
    timeout(PATIENCE, async {
        // Enough failures for the delays to have reached their limit.
        while metrics.errors(Kind::Service) < 7 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    up.store(1, SeqCst);
    let mut sync = rig.sources.sync();
    timeout(Duration::from_secs(2), sync.wait_for(super::SyncState::is_synced)).await.unwrap().unwrap();
}

#[tokio::test]
async fn only_what_is_needed_is_asked_for() {
    let settings = WatchSettings { pod_weights: true, ..WatchSettings::default() };
    let rig = Rig::start(&settings, |_| None).await;
    let mut sync = rig.sources.sync();
    timeout(PATIENCE, sync.wait_for(super::SyncState::is_synced)).await.unwrap().unwrap();
    let calls = rig.fake.calls();
    let of = |suffix: &str| calls.iter().find(|call| call.path.ends_with(suffix)).unwrap();
    assert!(of("/namespaces").accept.contains("PartialObjectMetadata"));
    assert!(of("/secrets").query.contains("fieldSelector=type%3Dkubernetes.io%2Ftls"));
    assert!(of("/services").query.contains("limit=500"));
    assert!(of("/pods").accept.contains("PartialObjectMetadata"));
    assert!(of("/pods").query.contains("labelSelector=paifang.dev%2Fweight"), "{}", of("/pods").query);
}

#[tokio::test]
async fn pods_are_not_asked_for_unless_they_are_wanted() {
    let rig = Rig::start(&WatchSettings::default(), |_| None).await;
    let mut sync = rig.sources.sync();
    timeout(PATIENCE, sync.wait_for(super::SyncState::is_synced)).await.unwrap().unwrap();
    assert!(!rig.fake.calls().iter().any(|call| call.path.contains("/pods")));
}

#[tokio::test]
async fn what_pods_register_is_read_of_running_pods_by_their_metadata() {
    let settings = WatchSettings { pod_registrations: true, ..WatchSettings::default() };
    let value = |address: &str| json!({"name": "a", "nodes": [{"id": "n", "address": address}]}).to_string();
    let annotations = json!({"micro.mu/service-a": value("10.0.0.1:80"), "micro.mu/service-b": value("127.0.0.1:80")});
    let pod = json!({"metadata": {"name": "p", "namespace": "shop", "resourceVersion": "7", "uid": "u",
        "labels": {"micro.mu/type": "service"}, "annotations": annotations}});
    let is_list = |call: &Call| call.path.ends_with("/pods") && !call.is_watch();
    let mut rig =
        Rig::start(&settings, move |call| is_list(&call).then(|| Reply::list(std::slice::from_ref(&pod)))).await;
    let Change::Replace { objects, .. } = rig.next(Kind::PodRegistration).await else { panic!("no list") };
    let [Object::PodRegistration(registration)] = &objects[..] else { panic!("{objects:?}") };
    assert_eq!((&*registration.name, &*registration.uid), ("p", "u"));
    let nodes: Vec<_> = registration.services.iter().map(|service| service.nodes.len()).collect();
    assert_eq!(
        (nodes, registration.problems.len()),
        (vec![1, 0], 1),
        "an address of the gateway's own host is refused"
    );
    let call = rig.fake.calls().into_iter().find(|call| call.path.ends_with("/pods")).unwrap();
    assert!(call.accept.contains("PartialObjectMetadata"));
    assert!(call.query.contains("labelSelector=micro.mu%2Ftype%3Dservice"), "{}", call.query);
    assert!(call.query.contains("fieldSelector=status.phase%3DRunning"), "{}", call.query);
}

#[test]
fn named_namespaces_leave_out_cluster_scoped_kinds() {
    let named = |names: &[&str]| names.iter().map(|name| (*name).into()).collect();
    let (namespaces, tls_namespaces) = (named(&["a", "b"]), Some(named(&["c"])));
    let settings = WatchSettings { namespaces, tls_namespaces, ..WatchSettings::default() };
    let scopes = settings.scopes();
    assert!(scopes.iter().all(|scope| scope.namespace.is_some()));
    assert!(!scopes.iter().any(|scope| matches!(scope.kind, Kind::Namespace | Kind::IngressClass)));
    assert_eq!(scopes.len(), 11);
    assert_eq!(WatchSettings::default().scopes().len(), Kind::ALL.len() - 2, "Pods are asked for alone");
    assert_eq!(WatchSettings { pod_weights: true, ..settings }.scopes().len(), 13);
}
