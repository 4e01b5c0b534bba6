//! A real service of grpc-go behind the gateway, and real clients before it.

use std::process::Output;

use serde_json::{Value, json};

use crate::harness::{Folder, Gateway, GrpcGo, Reply, grpc_web, grpcurl};

/// Calls pass as they are.
const PASSING: &str = "{rules: [{backends: [{service: shop}]}]}";
/// Calls are made of requests.
const CALLING: &str = "{rules: [{handler: {type: Rpc}, backends: [{service: shop}]}]}";

async fn start(route: &str, reflection: &str) -> (Gateway, GrpcGo) {
    let shop = GrpcGo::start(reflection).await;
    let folder = Folder::new();
    folder.service_speaking("shop", "grpc", &[shop.address()]);
    folder.route("web", route);
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

/// A request with fields such as `accept: text/event-stream`.
async fn ask(gateway: &Gateway, head: &str, fields: &str, body: &str) -> Reply {
    let length = body.len();
    gateway.ask(format!("{head} HTTP/1.1\r\nhost: a.example\r\n{fields}content-length: {length}\r\n\r\n{body}")).await
}

fn item(id: u32) -> Value {
    json!({"id": id.to_string(), "displayName": format!("item {id}")})
}

#[tokio::test]
#[ignore = "needs a service of grpc-go: make test TIERS=grpc"]
async fn all_four_shapes_of_a_call_pass() {
    let (gateway, _shop) = start(PASSING, "v1").await;
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
    let (gateway, _shop) = start(PASSING, "v1alpha").await;
    let failed = call(&gateway, "GetItem", r#"{"id": 404}"#).await;
    let told = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(told.contains("Code: NotFound") && told.contains(r#"Message: no item "404""#), "{told}");
    assert!(told.contains("google.rpc.ErrorInfo"), "{told}");
    let cut = call(&gateway, "Watch", r#"{"id": 404}"#).await;
    assert_eq!(messages(&cut).len(), 3);
    assert!(String::from_utf8_lossy(&cut.stderr).contains("no more items"));
}

#[tokio::test]
#[ignore = "needs a service of grpc-go: make test TIERS=grpc"]
async fn json_calls_a_method_under_every_path_that_it_has() {
    for reflection in ["v1", "v1alpha"] {
        let (gateway, _shop) = start(CALLING, reflection).await;
        let plain =
            ask(&gateway, "POST /shop.v1.Shop/GetItem", "x-tenant: t1\r\n", r#"{"id": 7, "shelf": "top"}"#).await;
        assert_eq!((plain.status, plain.field("content-type")), (200, Some("application/json")), "{}", plain.text());
        let told = plain.json();
        assert_eq!((&told["id"], &told["labels"]["shelf"]), (&json!("7"), &json!("top")));
        assert_eq!((&told["labels"]["x-tenant"], &told["labels"]["seconds"]), (&json!("t1"), &json!("60")));
        let by_rule = gateway.get("/v1/shelves/low/items/8").await.json();
        assert_eq!((&by_rule["id"], &by_rule["labels"]["shelf"]), (&json!("8"), &json!("low")));
        let put = ask(&gateway, "PUT /v1/items/9", "", r#"{"display_name": "cup", "size": "SIZE_LARGE"}"#).await;
        assert_eq!(put.json(), json!({"id": "9", "displayName": "cup", "size": "SIZE_LARGE"}));
        assert_eq!(gateway.get("/v1/shelves/a/items:list?page_size=2").await.json(), json!([item(1), item(2)]));
        let by_name = gateway.get("/v1/orders?page_size=1").await.json();
        assert_eq!(by_name, json!({"items": [item(1)]}));
    }
}

#[tokio::test]
#[ignore = "needs a service of grpc-go: make test TIERS=grpc"]
async fn errors_are_told_in_the_words_of_http_with_their_details() {
    let (gateway, _shop) = start(CALLING, "v1").await;
    let missing = gateway.get("/v1/items/404").await;
    assert_eq!(missing.status, 404);
    let told = missing.json();
    assert_eq!((&told["code"], &told["message"]), (&json!(5), &json!(r#"no item "404""#)));
    assert_eq!(told["details"][0]["@type"], "type.googleapis.com/google.rpc.ErrorInfo");
    assert_eq!(gateway.get("/v1/items/500").await.status, 500);
    let cases = [
        ("POST /v1/items", r#"{"item": {"price": "much"}}"#, 400, "item.price"),
        ("POST /v1/items", r#"{"item": {"prize": 1}}"#, 400, "prize"),
        ("POST /v1/items", "{", 400, "the body"),
        ("GET /v1/items/seven", "", 400, "id"),
        ("GET /v1/items/7?color=red", "", 400, "color"),
        ("DELETE /v1/items/7", "", 405, "method"),
        ("GET /v1/nothing", "", 404, "method"),
    ];
    for (head, body, status, word) in cases {
        let reply = ask(&gateway, head, "", body).await;
        assert_eq!(reply.status, status, "{head}: {}", reply.text());
        assert!(reply.text().contains(word), "{head}: {}", reply.text());
    }
    assert_eq!(ask(&gateway, "DELETE /v1/items/7", "", "").await.field("allow"), Some("GET, HEAD, PUT"));
}

#[tokio::test]
#[ignore = "needs a service of grpc-go: make test TIERS=grpc"]
async fn streams_are_lines_or_events() {
    let (gateway, _shop) = start(CALLING, "v1").await;
    let lines = ask(&gateway, "POST /shop.v1.Shop/Watch", "", r#"{"id": 3}"#).await;
    assert_eq!(lines.field("content-type"), Some("application/x-ndjson"));
    let told: Vec<Value> =
        lines.text().lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    assert_eq!(told, [item(1), item(2), item(3)]);
    let events = ask(&gateway, "POST /shop.v1.Shop/Watch", "accept: text/event-stream\r\n", r#"{"id": 1}"#).await;
    assert_eq!(events.field("content-type"), Some("text/event-stream"));
    let told = r#"{"id":"1","displayName":"item 1"}"#;
    assert_eq!(events.text(), format!("data: {told}\n\nevent: end\ndata: {{}}\n\n"));
    let cut = ask(&gateway, "POST /shop.v1.Shop/Watch", "", r#"{"id": 404}"#).await;
    let last: Value = serde_json::from_str(cut.text().lines().last().expect("lines")).expect("JSON");
    assert_eq!((cut.text().lines().count(), &last["error"]["message"]), (4, &json!("no more items")));
    let two = "{\"display_name\": \"a\"}\n{\"display_name\": \"b\"}\n";
    let uploaded = ask(&gateway, "POST /shop.v1.Shop/Upload", "", two).await;
    assert_eq!(uploaded.json(), json!({"items": [{"displayName": "a"}, {"displayName": "b"}]}));
    let chatted = ask(&gateway, "POST /shop.v1.Shop/Chat", "", two).await;
    assert_eq!(chatted.text(), "{\"displayName\":\"echo a\"}\n{\"displayName\":\"echo b\"}\n");
}

#[tokio::test]
#[ignore = "needs a service of grpc-go: make test TIERS=grpc"]
async fn clients_of_grpc_reach_the_same_route() {
    let (gateway, _shop) = start(CALLING, "v1").await;
    assert_eq!(messages(&call(&gateway, "Watch", r#"{"id": 2}"#).await), [item(1), item(2)]);
    assert_eq!(messages(&call(&gateway, "Chat", r#"{"display_name": "a"}"#).await), [json!({"displayName": "echo a"})]);
}

#[tokio::test]
#[ignore = "needs a service of grpc-go: make test TIERS=grpc"]
async fn a_service_that_does_not_describe_itself_is_502_and_the_log_says_why() {
    let (gateway, _shop) = start(CALLING, "none").await;
    let refused = gateway.get("/v1/items/7").await;
    assert_eq!(refused.status, 502);
    assert_eq!(refused.json()["error"]["code"], "NotDescribed");
    assert!(gateway.log().contains("it has no server reflection"), "{}", gateway.log());
    assert_eq!(messages(&call_without_reflection(&gateway).await)[0]["displayName"], "item 7");
}

/// A call of gRPC needs no description.
async fn call_without_reflection(gateway: &Gateway) -> Output {
    let protos = ["-import-path", "tests/data/grpc", "-proto", "shop.proto", "-d", r#"{"id": 7}"#];
    grpcurl(gateway.address("http"), &protos, &["shop.v1.Orders/Order"]).await
}

#[tokio::test]
#[ignore = "needs a service of grpc-go: make test TIERS=grpc"]
async fn grpc_web_has_its_trailers_in_the_body() {
    let (gateway, _shop) = start(CALLING, "none").await;
    // A frame with the field 2 of the message, which is 2: two items.
    let watch = |type_: &'static str, body: &'static str| ask(&gateway, "POST /shop.v1.Shop/Watch", type_, body);
    let binary =
        watch("content-type: application/grpc-web+proto\r\nx-grpc-web: 1\r\n", "\0\0\0\0\u{2}\u{10}\u{2}").await;
    assert_eq!((binary.status, binary.field("content-type")), (200, Some("application/grpc-web+proto")));
    let text = String::from_utf8_lossy(&binary.body).into_owned();
    assert!(text.contains("item 1") && text.contains("item 2"), "{text:?}");
    assert!(text.ends_with("grpc-status: 0\r\n") || text.contains("grpc-status: 0\r\n"), "{text:?}");
    let in_text =
        watch("content-type: application/grpc-web-text\r\naccept: application/grpc-web-text\r\n", "AAAAAAIQAg==").await;
    assert_eq!(in_text.field("content-type"), Some("application/grpc-web-text+proto"));
    assert!(in_text.body.is_ascii() && !in_text.body.is_empty());
    let failed =
        ask(&gateway, "POST /shop.v1.Shop/Nothing", "content-type: application/grpc-web\r\n", "\0\0\0\0\0").await;
    assert_eq!((failed.status, failed.field("grpc-status")), (200, Some("12")));
}

#[tokio::test]
#[ignore = "needs a service of grpc-go: make test TIERS=grpc"]
async fn a_call_has_the_time_of_its_route_and_head_has_no_body() {
    let route = "{proxy: {requestTimeout: 1s}, rules: [{handler: {type: Rpc}, backends: [{service: shop}]}]}";
    let (gateway, _shop) = start(route, "v1").await;
    let late = gateway.get("/v1/items/408").await;
    assert_eq!(late.status, 504, "{}", late.text());
    let mut wire = gateway.open().await;
    wire.send("HEAD /v1/items/7 HTTP/1.1\r\nhost: a.example\r\n\r\n").await;
    let head = wire.reply_to_head().await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

async fn call_by_web(gateway: &Gateway, method: &str, message: &str) -> Vec<Value> {
    messages(&grpc_web(gateway.address("http"), method, message).await)
}

#[tokio::test]
#[ignore = "needs a client of gRPC-Web: make test TIERS=grpc"]
async fn a_client_of_grpc_web_gets_replies_and_errors() {
    let (gateway, _shop) = start(CALLING, "none").await;
    let got = call_by_web(&gateway, "getItem", r#"{"id": 7, "shelf": "top"}"#).await;
    assert_eq!((got.len(), &got[0]["id"], &got[0]["labels"]["shelf"]), (1, &json!("7"), &json!("top")), "{got:?}");
    let seconds = got[0]["labels"]["seconds"].as_str().and_then(|seconds| seconds.parse::<u32>().ok());
    assert!(seconds.is_some_and(|seconds| seconds <= 10), "the client's own deadline: {got:?}");
    let failed = call_by_web(&gateway, "getItem", r#"{"id": 404}"#).await;
    let told = json!({"code": "NotFound", "message": "no item \"404\"", "details": ["google.rpc.ErrorInfo"]});
    assert_eq!(failed, [told]);
}

#[tokio::test]
#[ignore = "needs a client of gRPC-Web: make test TIERS=grpc"]
async fn a_client_of_grpc_web_gets_a_stream_up_to_its_error() {
    let (gateway, _shop) = start(CALLING, "none").await;
    assert_eq!(call_by_web(&gateway, "watch", r#"{"id": 3}"#).await, [item(1), item(2), item(3)]);
    let mut cut = call_by_web(&gateway, "watch", r#"{"id": 404}"#).await;
    let end = cut.pop().expect("an error");
    assert_eq!((cut, &end["message"]), (vec![item(1), item(2), item(3)], &json!("no more items")));
}
