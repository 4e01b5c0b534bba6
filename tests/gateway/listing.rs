//! The handler Registry: what is registered in a namespace, as a list.

mod recorded;

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::harness::{Folder, Gateway, Reply, request};

const ROUTE: &str = "{rules: [{matches: [{path: {value: /registry}}], handler: {type: Registry}}]}";
const NAME: &str = "go.micro.api.greeter";

/// `<name>.pod.json`: a Pod of a namespace that registers this service.
fn pod(folder: &Folder, namespace: &str, name: &str, service: &Value) {
    let annotation = format!("micro.mu/service-{}", service["name"].as_str().expect("a service has a name"));
    let metadata = json!({"name": name, "namespace": namespace, "labels": {"micro.mu/type": "service"},
        "annotations": {annotation: service.to_string()}});
    folder.write(
        &format!("{name}.pod.json"),
        &json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata}).to_string(),
    );
}

fn greeter(node: &str, address: &str) -> Value {
    json!({"name": NAME, "version": "1", "nodes": [{"id": node, "address": address, "metadata": {"protocol": "mucp"}}]})
}

async fn ask(gateway: &Gateway, line: &str) -> Reply {
    gateway.ask(request(line, &["Host: a.example"], "")).await
}

/// The names and the nodes of what is listed.
fn told(reply: &Reply) -> Vec<(String, Vec<String>)> {
    let list: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let service = |service: &Value| {
        let nodes = service["nodes"].as_array().into_iter().flatten().map(|node| text(&node["id"])).collect();
        (text(&service["name"]), nodes)
    };
    list.as_array().expect("a list must be one").iter().map(service).collect()
}

fn listed(name: &str, nodes: &[&str]) -> (String, Vec<String>) {
    (name.to_owned(), nodes.iter().map(|&node| node.to_owned()).collect())
}

/// Waits until the list is this one.
async fn until(gateway: &Gateway, wanted: &[(String, Vec<String>)]) {
    gateway.until("a.example", "/registry", |reply| told(reply) == wanted).await;
}

#[tokio::test]
async fn all_services_of_the_namespace_are_listed_and_no_others() {
    let folder = Folder::new();
    let address: SocketAddr = ([127, 0, 0, 1], 9).into();
    folder.route("list", ROUTE).service_speaking("cart", "kubernetes.io/h2c", &[address]).service("bare", &[]);
    pod(&folder, "default", "greeter-1", &greeter("g-1", "10.1.2.3:80"));
    pod(&folder, "other", "secret-1", &json!({"name": "go.micro.secret", "nodes": []}));
    let gateway = Gateway::start(folder).await;
    let reply = ask(&gateway, "GET /registry").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.field("content-type"), Some("application/json"));
    assert_eq!(told(&reply), [listed("cart", &["127.0.0.1:9"]), listed(NAME, &["g-1"])]);
    let reply = ask(&gateway, "GET /registry?service=cart").await;
    let node = json!({"id": "127.0.0.1:9", "address": "127.0.0.1:9", "metadata": {"protocol": "grpc"}});
    let cart = json!([{"name": "cart", "version": "", "metadata": {}, "endpoints": [], "nodes": [node]}]);
    assert_eq!(serde_json::from_slice::<Value>(&reply.body).ok(), Some(cart));
    for unknown in ["bare", "go.micro.secret", "cart%20"] {
        let reply = ask(&gateway, &format!("GET /registry?service={unknown}")).await;
        assert_eq!(reply.status, 404, "{unknown}");
        assert_eq!(serde_json::from_slice::<Value>(&reply.body).unwrap_or_default()["detail"], "service not found");
    }
}

#[tokio::test]
async fn a_list_follows_nodes_without_a_new_table() {
    let folder = Folder::new();
    // First of the files, so that others do not change its age, which is a change of the table.
    folder.route("a", ROUTE);
    pod(&folder, "default", "greeter-1", &greeter("g-1", "10.1.2.3:80"));
    let gateway = Gateway::start(folder).await;
    until(&gateway, &[listed(NAME, &["g-1"])]).await;
    let tables = gateway.metric("paifang_config_generation").await;
    pod(&gateway.folder, "default", "greeter-2", &greeter("g-2", "10.1.2.4:80"));
    until(&gateway, &[listed(NAME, &["g-1", "g-2"])]).await;
    gateway.folder.remove("greeter-1.pod.json");
    until(&gateway, &[listed(NAME, &["g-2"])]).await;
    assert_eq!(gateway.metric("paifang_config_generation").await, tables);
    gateway.folder.remove("greeter-2.pod.json");
    until(&gateway, &[]).await;
}

#[tokio::test]
async fn a_service_that_is_said_to_be_another_is_listed_by_both_names() {
    let folder = Folder::new();
    let (one, two): (SocketAddr, SocketAddr) = (([10, 0, 0, 1], 80).into(), ([10, 0, 0, 2], 80).into());
    folder.route("list", ROUTE).service("cart", &[one]);
    let gateway = Gateway::start(folder).await;
    until(&gateway, &[listed("cart", &["10.0.0.1:80"])]).await;
    let metadata = json!({"name": "cart", "annotations": {"micro.mu/service-go.cart": r#"{"name": "go.cart"}"#}});
    let service =
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 80}]}});
    let slice = |address: SocketAddr| {
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "cart-0", "labels": {"kubernetes.io/service-name": "cart"}},
            "ports": [{"name": "", "port": 80}], "endpoints": [{"addresses": [address.ip()]}]})
    };
    let list = |address| json!({"apiVersion": "v1", "kind": "List", "items": [service, slice(address)]}).to_string();
    gateway.folder.write("cart.service.json", &list(one));
    until(&gateway, &[listed("cart", &["10.0.0.1:80"]), listed("go.cart", &["10.0.0.1:80"])]).await;
    gateway.folder.write("cart.service.json", &list(two));
    until(&gateway, &[listed("cart", &["10.0.0.2:80"]), listed("go.cart", &["10.0.0.2:80"])]).await;
}

#[tokio::test]
async fn nothing_is_written_and_other_methods_are_refused_with_those_that_are_not() {
    let folder = Folder::new();
    folder.route("list", ROUTE);
    let gateway = Gateway::start(folder).await;
    for method in ["POST", "DELETE", "PUT", "PATCH"] {
        let body = r#"{"name": "a", "version": "1"}"#;
        let reply = gateway.ask(request(&format!("{method} /registry"), &["Host: a.example"], body)).await;
        assert_eq!((reply.status, reply.field("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    let reply = ask(&gateway, "OPTIONS /registry").await;
    assert_eq!((reply.status, reply.field("allow")), (200, Some("GET, HEAD")));
    assert_eq!(told(&ask(&gateway, "GET /registry").await), []);
}
