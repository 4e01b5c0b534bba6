//! A real service of grpc-go behind the gateway, and real clients before it.

use std::process::Output;

use serde_json::{Value, json};

use crate::harness::{Folder, Gateway, GrpcGo, grpcurl};

const ROUTE: &str = "{rules: [{backends: [{service: shop}]}]}";

async fn passing(reflection: &str) -> (Gateway, GrpcGo) {
    let shop = GrpcGo::start(reflection).await;
    let folder = Folder::new();
    folder.service_speaking("shop", "grpc", &[shop.address()]);
    folder.route("web", ROUTE);
    (Gateway::start(folder).await, shop)
}

/// The messages that a client printed.
fn messages(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = serde_json::Deserializer::from_str(&text).into_iter().collect::<Result<_, _>>();
    messages.unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr)))
}

async fn call(gateway: &Gateway, method: &str, data: &str) -> Output {
    let method = format!("shop.v1.Shop/{method}");
    grpcurl(gateway.address("http"), &["-d", data], &[&method]).await
}

#[tokio::test]
#[ignore = "needs a service of grpc-go: make test TIERS=grpc"]
async fn all_four_shapes_of_a_call_pass() {
    let (gateway, _shop) = passing("v1").await;
    let item = |id: u32| json!({"id": id.to_string(), "displayName": format!("item {id}")});
    let unary = call(&gateway, "GetItem", r#"{"id": 7, "shelf": "top"}"#).await;
    let mut named = item(7);
    named["labels"] = json!({"shelf": "top"});
    let mut got = messages(&unary);
    // What the gateway adds on the way is another test's.
    got[0]["labels"].as_object_mut().expect("labels").retain(|key, _| key == "shelf");
    assert_eq!(got, [named]);
    assert_eq!(messages(&call(&gateway, "Watch", r#"{"id": 3}"#).await), [item(1), item(2), item(3)]);
    let two = r#"{"display_name": "a"} {"display_name": "b"}"#;
    let uploaded = json!({"items": [{"displayName": "a"}, {"displayName": "b"}]});
    assert_eq!(messages(&call(&gateway, "Upload", two).await), [uploaded]);
    let echoed = [json!({"displayName": "echo a"}), json!({"displayName": "echo b"})];
    assert_eq!(messages(&call(&gateway, "Chat", two).await), echoed);
}

#[tokio::test]
#[ignore = "needs a service of grpc-go: make test TIERS=grpc"]
async fn errors_and_their_details_pass() {
    let (gateway, _shop) = passing("v1alpha").await;
    let failed = call(&gateway, "GetItem", r#"{"id": 404}"#).await;
    let told = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(told.contains("Code: NotFound") && told.contains(r#"Message: no item "404""#), "{told}");
    assert!(told.contains("google.rpc.ErrorInfo"), "{told}");
    let cut = call(&gateway, "Watch", r#"{"id": 404}"#).await;
    assert_eq!(messages(&cut).len(), 3);
    assert!(String::from_utf8_lossy(&cut.stderr).contains("no more items"));
}
