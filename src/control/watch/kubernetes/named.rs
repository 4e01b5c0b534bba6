//! One object by its name, outside the cache: the Service whose addresses are published, or the
//! Secret with ticket keys.

use super::{backoff::Backoff, failure::reason_text};
use futures_util::StreamExt as _;
use kube::{
    Api, Client, Resource,
    runtime::watcher::{self, Event, watcher},
};
use serde::de::DeserializeOwned;
use std::{fmt::Debug, pin::pin, sync::Arc, time::Duration};
use tokio::sync::watch;

/// What is known of a named object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Named<T> {
    /// Not asked yet, or the API server has not answered.
    #[default]
    Unknown,
    /// There is no such object.
    Absent,
    /// The object as it is.
    Found(Arc<T>),
}

/// Follows one object by name, on the current runtime, until every receiver is dropped. It needs
/// the rights to list and watch that one name.
#[must_use]
pub fn watch_named<K>(client: &Client, namespace: &str, name: &str) -> watch::Receiver<Named<K>>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    K: DeserializeOwned + Clone + Debug + Send + Sync + 'static,
{
    let (sender, receiver) = watch::channel(Named::Unknown);
    let api = Api::<K>::namespaced(client.clone(), namespace);
    let label = format!("{} {namespace}/{name}", K::kind(&()));
    tokio::spawn(follow(api, name.to_owned(), label, sender));
    receiver
}

async fn follow<K>(api: Api<K>, name: String, label: String, sender: watch::Sender<Named<K>>)
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + Sync + 'static,
{
    let config = watcher::Config::default().fields(&format!("metadata.name={name}")).timeout(110);
    let mut events = pin!(watcher(api, config));
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
    let mut logged = false;
    let mut found = None;
    loop {
        let event = tokio::select! {
            () = sender.closed() => return,
            event = events.next() => event,
        };
        match event {
            None => return,
            Some(Ok(event)) => {
                (logged, found) = (false, take(event, found, &sender));
                backoff.reset();
            }
            Some(Err(error)) => {
                if !std::mem::replace(&mut logged, true) {
                    tracing::warn!(object = label, "cannot watch it: {}; retrying", reason_text(&error));
                }
                tokio::time::sleep(backoff.next_delay()).await;
            }
        }
    }
}

/// Tells what an event says, and keeps what a list has shown so far.
fn take<K>(event: Event<K>, found: Option<K>, sender: &watch::Sender<Named<K>>) -> Option<K> {
    match event {
        Event::Init => {}
        Event::InitApply(object) => return Some(object),
        Event::InitDone => {
            sender.send_replace(found.map_or(Named::Absent, |object| Named::Found(Arc::new(object))));
        }
        Event::Apply(object) => {
            sender.send_replace(Named::Found(Arc::new(object)));
        }
        Event::Delete(_) => {
            sender.send_replace(Named::Absent);
        }
    }
    None
}
