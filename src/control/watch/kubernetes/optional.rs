//! ReferenceGrant, whose CRD may be absent, come later, or go.

use super::{
    failure::Failure,
    session::{Context, End, Retry, follow},
};
use crate::control::change::Change;
use gateway_api::apis::standard::referencegrants::ReferenceGrant;
use kube::{Client, api::ApiResource};
use std::time::Duration;

/// How often an absent kind is looked for: from about 1 s, doubling to about 10 s.
const LOOK: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// The versions that can be read, the best first. They have the same fields.
const VERSIONS: [&str; 2] = ["v1", "v1beta1"];
const GROUP: &str = "gateway.networking.k8s.io";
const PLURAL: &str = "referencegrants";

/// Watches ReferenceGrants whenever the API server serves them, until nobody takes changes.
pub(super) async fn run(context: Context) {
    let mut retry = Retry::new(&context);
    let mut look = super::Backoff::new(LOOK.0, LOOK.1);
    let mut told_absent = false;
    loop {
        match served_resource(&context.client).await {
            Err(error) => {
                let failure = Failure::of_request(&context.scope, "discover", &error);
                retry.failed(&context, &failure).await;
            }
            Ok(Some(resource)) => {
                (told_absent, look) = (false, super::Backoff::new(LOOK.0, LOOK.1));
                if follow::<ReferenceGrant>(&context, &resource, &mut retry).await == End::Closed {
                    return;
                }
            }
            Ok(None) => {
                if !told_absent && !tell_absent(&context).await {
                    return;
                }
                told_absent = true;
                tokio::select! {
                    () = context.changes.closed() => return,
                    () = tokio::time::sleep(look.next_delay()) => {}
                }
            }
        }
    }
}

/// Delivers an empty content once. False: nobody takes changes any more.
async fn tell_absent(context: &Context) -> bool {
    tracing::info!(kind = %context.scope.kind, "not installed in this cluster: nothing is granted across namespaces");
    let scope = context.scope.clone();
    let delivered = context.deliver(Change::Replace { scope, objects: Vec::new(), unreadable: Vec::new() }).await;
    context.board.absent(&context.scope);
    delivered
}

/// How to reach ReferenceGrants, if the API server serves them in a version that can be read.
async fn served_resource(client: &Client) -> kube::Result<Option<ApiResource>> {
    for version in VERSIONS {
        match client.list_api_group_resources(&format!("{GROUP}/{version}")).await {
            Ok(list) if list.resources.iter().any(|resource| resource.name == PLURAL) => {
                let api_version = format!("{GROUP}/{version}");
                let resource = ApiResource::erase::<ReferenceGrant>(&());
                return Ok(Some(ApiResource { version: version.to_owned(), api_version, ..resource }));
            }
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
