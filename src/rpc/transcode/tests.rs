use super::*;
use crate::rpc::fault::{Any, RpcStatus};
use bytes::Bytes;
use http::{HeaderMap, Method};
use prost::Message as _;
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};

/// The descriptors of `tests/data/grpc/shop.proto`.
pub(crate) fn shop_set() -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/grpc");
    let mut compiler = protox::Compiler::new([folder]).unwrap();
    compiler.include_imports(true).open_file("shop.proto").unwrap();
    compiler.encode_file_descriptor_set()
}

fn shop() -> Services {
    Services::of_set(&shop_set()).unwrap()
}

fn find<'t>(services: &'t Services, method: &Method, path: &str) -> Outcome<'t, Arc<Binding>> {
    services.find(&RequestView { host: "", path, method, headers: &HeaderMap::new(), query: None })
}

fn binding<'t>(services: &'t Services, method: &Method, path: &str) -> &'t Arc<Binding> {
    match find(services, method, path) {
        Outcome::Found(found) => found.payload,
        other => panic!("{other:?}"),
    }
}

/// The method that a request calls and its message as JSON, or why there is none.
fn call(method: &Method, target: &str, body: &str) -> Result<(String, Value), String> {
    let services = shop();
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    match find(&services, method, path) {
        Outcome::NotFound => Err("nothing".to_owned()),
        Outcome::MethodNotAllowed(methods) => Err(format!("only {methods:?}")),
        Outcome::Found(found) => {
            let (binding, captures) = (found.payload, found.captures(path));
            let message = binding.message(captures.iter(), query, &Bytes::from(body.to_owned()));
            let message = message.map_err(|error| error.to_string())?;
            let message = DynamicMessage::decode(binding.input(), message).unwrap();
            Ok((binding.path(), serde_json::to_value(&message).unwrap()))
        }
    }
}

#[test]
fn a_rule_leads_to_its_method_and_the_fields_of_its_path_are_in_the_message() {
    let item = |message| Ok(("/shop.v1.Shop/GetItem".to_owned(), message));
    assert_eq!(call(&Method::GET, "/v1/shelves/a%20b/items/7", ""), item(json!({"shelf": "a b", "id": "7"})));
    assert_eq!(call(&Method::GET, "/v1/items/7", ""), item(json!({"id": "7"})));
    assert_eq!(call(&Method::GET, "/v1/items/7?shelf=top", ""), item(json!({"id": "7", "shelf": "top"})));
    assert_eq!(call(&Method::GET, "/v1/items/7?id=8", ""), item(json!({"id": "7"})), "the path wins");
    assert_eq!(call(&Method::DELETE, "/v1/items/7", ""), Err("only [GET, HEAD, PUT]".to_owned()));
    assert_eq!(call(&Method::GET, "/v2/items/7", ""), Err("nothing".to_owned()));
}

#[test]
fn a_body_is_one_field_or_all_of_the_message() {
    let put = call(&Method::PUT, "/v1/items/7?dry_run=true", r#"{"displayName": "cup", "size": "SIZE_LARGE"}"#);
    let item = json!({"id": "7", "displayName": "cup", "size": "SIZE_LARGE"});
    assert_eq!(put, Ok(("/shop.v1.Shop/PutItem".to_owned(), json!({"item": item, "dryRun": true}))));
    let whole = call(&Method::POST, "/v1/items", r#"{"item": {"display_name": "cup"}, "dryRun": true}"#);
    assert_eq!(whole.unwrap().1, json!({"item": {"displayName": "cup"}, "dryRun": true}));
    assert_eq!(call(&Method::POST, "/v1/items", " ").unwrap().1, json!({}));
    let closed = call(&Method::PUT, "/v1/items/7", r#"{}, "dry_run": true, "item": {}"#);
    assert_eq!(closed.unwrap_err(), "the body: trailing characters at line 1 column 3");
}

#[test]
fn every_method_has_the_path_of_grpc() {
    let (path, message) = call(&Method::POST, "/shop.v1.Shop/Watch", r#"{"id": 3}"#).unwrap();
    assert_eq!((path.as_str(), message), ("/shop.v1.Shop/Watch", json!({"id": "3"})));
    assert_eq!(call(&Method::GET, "/shop.v1.Shop/Watch", "").unwrap_err(), "only [POST]");
}

#[test]
fn a_name_stands_for_a_path_where_no_rule_is_given() {
    let called = |method, target, body| call(method, target, body).map(|(path, _)| path);
    let order = |name: &str| Ok(format!("/shop.v1.Orders/{name}"));
    assert_eq!(called(&Method::GET, "/v1/orders?page_size=3", ""), order("Orders"));
    assert_eq!(called(&Method::GET, "/v1/orders/7", ""), order("Order"));
    assert_eq!(called(&Method::POST, "/v1/orders", "{}"), order("CreateOrder"));
    assert_eq!(called(&Method::PUT, "/v1/orders/7", "{}"), order("UpdateOrder"));
    assert_eq!(called(&Method::DELETE, "/v1/orders/7", ""), order("DeleteOrder"));
    assert_eq!(called(&Method::POST, "/shop.v1.Orders/ShipOrder", "{}"), order("ShipOrder"));
    assert_eq!(called(&Method::GET, "/v1/orders", "{}"), Err(BadRequest::NoBody.to_string()));
}

#[test]
fn a_query_has_every_kind_of_field_that_is_one_text() {
    let target = "/v1/shelves/a/items:list?pageSize=5&tags=x&tags=y&like.size=SIZE_LARGE&like.picture=_-8&like.price=1.5\
                  &like.sold=true&like.part.stock=9&since=2026-01-02T03:04:05Z&within=1.5s&most=4";
    let (path, message) = call(&Method::GET, target, "").unwrap();
    assert_eq!(path, "/shop.v1.Shop/ListItems");
    let like = json!({"size": "SIZE_LARGE", "picture": "/+8=", "price": 1.5, "sold": true, "part": {"stock": "9"}});
    let expected = json!({"parent": "shelves/a", "pageSize": 5, "tags": ["x", "y"], "like": like,
        "since": "2026-01-02T03:04:05Z", "within": "1.500s", "most": 4});
    assert_eq!(message, expected);
}

#[test]
fn what_is_wrong_is_told_with_the_path_of_the_field() {
    let refused = |method, target, body| call(method, target, body).unwrap_err();
    let cases = [
        (refused(&Method::GET, "/v1/items/seven", ""), "the path: field \"id\": a number of 64 bits is expected"),
        (
            refused(&Method::GET, "/v1/items/7?shelves=a", ""),
            "the query: field \"shelves\": message shop.v1.ItemRequest has no such field",
        ),
        (
            refused(&Method::GET, "/v1/orders?like.made.seconds.x=1", ""),
            "the query: field \"like.made.seconds.x\": \"seconds\" is not a message, so nothing is in it",
        ),
        (
            refused(&Method::GET, "/v1/orders?like=1", ""),
            "the query: field \"like\": a message, a map or a group cannot be written as text",
        ),
        (
            refused(&Method::GET, "/v1/orders?like.labels=1", ""),
            "the query: field \"like.labels\": a message, a map or a group cannot be written as text",
        ),
        (
            refused(&Method::GET, "/v1/orders?like.size=SMALL", ""),
            "the query: field \"like.size\": a name of the enumeration is expected",
        ),
        (
            refused(&Method::GET, "/v1/orders?since=today", ""),
            "the query: field \"since\": a value of this type as JSON writes it is expected",
        ),
    ];
    for (message, expected) in cases {
        assert_eq!(message, expected);
    }
    let wrong_type = refused(&Method::POST, "/v1/items", r#"{"item": {"part": {"displayName": 5}}}"#);
    assert!(wrong_type.starts_with("the body: field \"item.part.displayName\": "), "{wrong_type}");
    let unknown = refused(&Method::POST, "/v1/items", r#"{"item": {"part": {"prise": 5}}}"#);
    assert!(unknown.starts_with("the body: field \"item.part"), "{unknown}");
    assert!(unknown.contains("prise"), "{unknown}");
    let no_json = refused(&Method::POST, "/v1/items", "{");
    assert!(no_json.starts_with("the body: "), "{no_json}");
    let deep = format!("{}{{}}{}", r#"{"part": "#.repeat(200), "}".repeat(200));
    let deep = refused(&Method::POST, "/shop.v1.Orders/CreateOrder", &deep);
    assert!(deep.contains("recursion limit"), "{deep}");
    let many = format!("/v1/orders?{}", "tags=a&".repeat(1025));
    assert_eq!(refused(&Method::GET, &many, ""), BadRequest::TooMany.to_string());
}

#[test]
fn a_reply_is_canonical_json_and_a_response_body_is_one_field_of_it() {
    let services = shop();
    let get = binding(&services, &Method::GET, "/v1/items/7");
    let mut item = DynamicMessage::new(get.output());
    item.set_field_by_name("id", prost_reflect::Value::I64(i64::MAX));
    item.set_field_by_name("display_name", prost_reflect::Value::String("cup".to_owned()));
    let json: Value = serde_json::from_slice(&get.json(&item.encode_to_vec()).unwrap()).unwrap();
    assert_eq!(json, json!({"id": "9223372036854775807", "displayName": "cup"}));
    assert_eq!(get.json(&[]).unwrap(), b"{}");
    assert_eq!(get.json(&[0xff]), Err(BadReply::OtherType("shop.v1.Item".to_owned())));

    let list = binding(&services, &Method::GET, "/v1/shelves/a/items:list");
    let mut items = DynamicMessage::new(list.output());
    let one = prost_reflect::Value::List(vec![prost_reflect::Value::Message(item)]);
    items.set_field_by_name("items", one);
    let json: Value = serde_json::from_slice(&list.json(&items.encode_to_vec()).unwrap()).unwrap();
    assert_eq!(json, json!([{"id": "9223372036854775807", "displayName": "cup"}]));
    assert_eq!(list.json(&[]).unwrap(), b"[]", "an empty field is there");
}

#[test]
fn a_rule_that_leads_nowhere_is_told_and_the_method_is_still_found() {
    let services = shop();
    let told: Vec<String> = services.problems().iter().map(ToString::to_string).collect();
    let expected = "method shop.v1.Shop.Lost: path \"/v1/{nothing}/lost\": field \"nothing\": message \
                    shop.v1.ItemRequest has no such field";
    assert_eq!(told, [expected]);
    assert_eq!(call(&Method::POST, "/shop.v1.Shop/Lost", "{}").unwrap().0, "/shop.v1.Shop/Lost");
    assert_eq!(services.methods(), 13);
}

#[test]
fn shapes_of_calls_are_known() {
    let services = shop();
    let shapes = ["GetItem", "Watch", "Upload", "Chat"].map(|name| {
        let binding = binding(&services, &Method::POST, &format!("/shop.v1.Shop/{name}"));
        (binding.is_client_streaming(), binding.is_server_streaming())
    });
    assert_eq!(shapes, [(false, false), (false, true), (true, false), (true, true)]);
}

#[test]
fn details_of_a_status_are_json_where_their_type_is_known() {
    let services = shop();
    let request = services.pool().get_message_by_name("shop.v1.ItemRequest").unwrap();
    let mut known = DynamicMessage::new(request);
    known.set_field_by_name("shelf", prost_reflect::Value::String("top".to_owned()));
    let any = |name: &str, value| Any { type_url: format!("type.googleapis.com/{name}"), value };
    let details = vec![any("shop.v1.ItemRequest", known.encode_to_vec()), any("other.Thing", vec![1])];
    let status = RpcStatus { code: 5, message: "no \"cup\"".to_owned(), details };
    let json: Value = serde_json::from_slice(&status_json(services.pool(), &status)).unwrap();
    let expected = json!({"code": 5, "message": "no \"cup\"", "details": [
        {"@type": "type.googleapis.com/shop.v1.ItemRequest", "shelf": "top"},
        {"@type": "type.googleapis.com/other.Thing"},
    ]});
    assert_eq!(json, expected);
}

#[test]
fn a_set_that_describes_nothing_is_refused() {
    assert!(matches!(Services::of_set(&[]), Err(BadSet::NoService)));
    assert!(matches!(Services::of_set(&[0xff; 10]), Err(BadSet::Unreadable(_))));
    assert!(matches!(Services::of_set(&vec![0; MAX_SET + 1]), Err(BadSet::TooLarge(_))));
    let mut set = prost_types::FileDescriptorSet::decode(shop_set().as_slice()).unwrap();
    set.file.retain(|file| file.name() != "google/api/http.proto");
    assert!(matches!(Services::of_set(&set.encode_to_vec()), Err(BadSet::Unreadable(_))));
}
