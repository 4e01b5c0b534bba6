use super::*;
use crate::{
    control::{settle::Settler, testing::object},
    lifecycle::Readiness,
    metrics::Metrics,
    table::swap::{Numbered, Subscriber, channel},
};
use http::{Method, StatusCode};
use tokio::task::JoinHandle;

/// A controller and a settler as they run, with the one core played by the test.
struct World {
    changes: mpsc::Sender<Change>,
    _synced: watch::Sender<bool>,
    core: Subscriber<Generation>,
    metrics: Metrics,
    reports: watch::Receiver<Arc<Vec<crate::control::report::ObjectReport>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl World {
    fn start() -> Self {
        let metrics = Metrics::new(1, 10).unwrap();
        let (tables, mut cores, installed) = channel(1);
        let (changes, changed) = mpsc::channel(10);
        let (synced, is_synced) = watch::channel(true);
        let (published, newest) = watch::channel(None);
        let (endpoint_epoch, endpoint_changes) = watch::channel(0);
        let (reports, reported) = watch::channel(Arc::default());
        let routes = Arc::clone(&metrics.routes);
        let controller = Controller::new(Context::default(), tables, routes, published, endpoint_epoch);
        let settler = Settler {
            published: newest,
            endpoint_epoch: endpoint_changes,
            installed,
            reports,
            readiness: Readiness::default(),
            metrics: metrics.control.clone(),
        };
        let tasks = vec![tokio::spawn(controller.run(changed, is_synced)), tokio::spawn(settler.run())];
        Self { changes, _synced: synced, core: cores.remove(0), metrics, reports: reported, tasks }
    }

    async fn put(&self, text: &str) {
        self.changes.send(Change::Upsert(object(text))).await.unwrap();
    }

    async fn next(&mut self) -> Arc<Numbered<Generation>> {
        tokio::time::timeout(Duration::from_secs(10), self.core.next()).await.expect("a table must come").unwrap()
    }

    /// Until the settler has told of a number of objects.
    async fn told(&mut self, objects: usize) {
        let told = self.reports.wait_for(|reports| reports.len() == objects);
        drop(tokio::time::timeout(Duration::from_secs(10), told).await.expect("it must be told").unwrap());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn route(name: &str) -> String {
    format!(
        "
apiVersion: paifang.dev/v1alpha1
kind: GatewayRoute
metadata: {{namespace: shop, name: {name}}}
spec: {{rules: [{{backends: [{{service: cart, port: 80}}]}}]}}"
    )
}

#[tokio::test(start_paused = true)]
async fn a_route_that_is_newer_than_the_table_that_settles_keeps_its_counts() {
    let mut world = World::start();
    drop(world.next().await);
    world.put(&route("a")).await;
    let older = world.next().await;
    world.put(&route("b")).await;
    let newer = world.next().await;
    assert_eq!((older.value.stats.len(), newer.value.stats.len()), (1, 2));
    // The core skips the older table, which the settler still waits for and then tells of.
    world.core.acknowledge(newer.number);
    world.told(2).await;
    newer.value.stats.iter().for_each(|stats| stats.count(0, &Method::GET, StatusCode::OK));
    let text = String::from_utf8(world.metrics.text()).unwrap();
    for name in ["a", "b"] {
        let series = format!("namespace=\"shop\",route=\"{name}\"}} 1");
        assert!(text.contains(&series), "{name}:\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_controller_outlives_a_panic_of_one_object() {
    let mut world = World::start();
    let empty = world.next().await;
    world.core.acknowledge(empty.number);
    world.put(&route("a").replace("name: a", "name: a, annotations: {test/panic: ''}")).await;
    world.told(1).await;
    world.put(&route("b")).await;
    let last = world.next().await;
    assert_eq!(last.value.snapshot.rules.len(), 1);
    world.core.acknowledge(last.number);
    world.told(2).await;
}

#[tokio::test(start_paused = true)]
async fn what_serves_the_same_is_not_published_again_but_told() {
    let mut world = World::start();
    drop(world.next().await);
    world.put(&route("a")).await;
    let table = world.next().await;
    world.core.acknowledge(table.number);
    world.told(1).await;
    let newer = route("a").replace("name: a", "name: a, generation: 7");
    world.put(&newer).await;
    let told = world.reports.wait_for(|reports| reports[0].generation == 7);
    drop(tokio::time::timeout(Duration::from_secs(10), told).await.expect("it must be told").unwrap());
    assert_eq!(world.metrics.control.generation.get(), i64::try_from(table.number).unwrap());
    world
        .put(&newer.replace("rules:", "hostnames: [a.example], rules:").replace("generation: 7", "generation: 8"))
        .await;
    assert_eq!(world.next().await.number, table.number + 1);
}
