use super::*;
use crate::control::testing::yaml;
use serde_json::json;

fn meta(labels: &str, annotations: &serde_json::Value) -> ObjectMeta {
    let meta = json!({"namespace": "shop", "name": "greeter-1", "uid": "u", "annotations": annotations});
    let mut meta: ObjectMeta = serde_json::from_value(meta).unwrap();
    meta.labels = yaml(labels);
    meta
}

const LABEL: &str = "{micro.mu/type: service}";

fn of(annotation: &serde_json::Value, addresses: Addresses) -> Registration {
    let annotations = json!({"micro.mu/service-go.micro.api.greeter": annotation.to_string(), "other": "x"});
    Registration::of_pod(&meta(LABEL, &annotations), addresses)
}

fn at(address: &str) -> serde_json::Value {
    json!({"name": "go.micro.api.greeter", "version": "1", "nodes": [{"id": "n", "address": address,
        "metadata": {"protocol": "grpc"}}]})
}

#[test]
fn a_pod_registers_its_node() {
    let registration = of(&at("10.1.2.3:8080"), Addresses::OfPods);
    assert_eq!(registration.problems, []);
    let [registered] = &registration.services[..] else { panic!("{registration:?}") };
    assert_eq!(registered.description.name(), "go.micro.api.greeter");
    assert_eq!(registered.description.service().nodes, []);
    let node = &registered.nodes[0];
    assert_eq!((&*node.id, node.address, node.dialect), ("n", "10.1.2.3:8080".parse().unwrap(), Dialect::Grpc));
}

#[test]
fn only_a_pod_with_the_label_registers() {
    let annotations = json!({"micro.mu/service-a": at("10.1.2.3:80").to_string()});
    for labels in ["{}", "{micro.mu/type: other}", "{type: service}"] {
        assert!(Registration::of_pod(&meta(labels, &annotations), Addresses::Any).is_empty(), "{labels}");
    }
}

#[test]
fn a_bad_annotation_costs_its_own_service() {
    let good = at("10.1.2.3:80").to_string();
    let annotations = json!({"micro.mu/service-bad": r#"{"name": "a", "nodes": 1}"#, "micro.mu/service-good": good});
    let registration = Registration::of_pod(&meta(LABEL, &annotations), Addresses::Any);
    assert_eq!(registration.names().collect::<Vec<_>>(), ["go.micro.api.greeter"]);
    let [problem] = &registration.problems[..] else { panic!("{registration:?}") };
    assert_eq!(problem.field, "metadata.annotations.micro.mu/service-bad");
    let told = "nodes: the value is of another type than go-micro writes: the service in it is left out";
    assert_eq!(problem.message, told);
}

#[test]
fn a_name_must_fit_into_a_header_field() {
    for name in ["a\nb", "a\u{7f}", &"a".repeat(254)] {
        let registration = of(&json!({"name": name}), Addresses::Any);
        assert!(registration.services.is_empty(), "{name}");
        assert!(registration.problems[0].message.starts_with("name: it must have at most 253"), "{registration:?}");
    }
}

#[test]
fn a_pod_may_not_send_the_gateway_to_its_own_host() {
    let refused = |address: &str, addresses| {
        let registration = of(&at(address), addresses);
        assert_eq!(registration.services.len(), 1, "the service is known all the same");
        assert_eq!(registration.services[0].nodes.is_empty(), !registration.problems.is_empty());
        registration.problems.first().map(|problem| problem.message.clone())
    };
    let special =
        ["127.0.0.1:80", "169.254.169.254:80", "[::1]:80", "[::ffff:127.0.0.1]:80", "[fe80::1]:80", "224.0.0.1:80"];
    for address in special {
        let told = format!("nodes[0].address: `{address}` is not an address that a Pod may have: the node is left out");
        assert_eq!(refused(address, Addresses::OfPods), Some(told));
        assert_eq!(refused(address, Addresses::Any), None, "{address}");
    }
    for address in ["0.0.0.0:80", "[::]:80", "10.0.0.1:0"] {
        assert!(refused(address, Addresses::Any).unwrap().contains("is nowhere"), "{address}");
    }
    for address in ["localhost:80", "10.0.0.1", ":80"] {
        assert!(refused(address, Addresses::Any).unwrap().contains("is not an IP address with a port"), "{address}");
    }
    assert_eq!(refused("[fd00::1]:80", Addresses::OfPods), None);
}

#[test]
fn endpoints_that_cannot_be_used_are_named() {
    let endpoint = |name: &str, more: serde_json::Value| {
        let mut metadata = json!({"endpoint": name, "handler": "rpc", "method": "GET"});
        metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"name": name, "metadata": metadata})
    };
    let service = json!({"name": "a", "endpoints": [
        endpoint("A.Good", json!({"path": "/good"})),
        endpoint("A.Bad", json!({"path": "^/bad"})),
        endpoint("A.Event", json!({"path": "/event", "handler": "event"})),
        {"name": "A.Plain", "metadata": {"stream": "true"}},
        {"name": "Func", "metadata": {"subscriber": "true", "topic": "t", "endpoint": "Func", "handler": "rpc"}},
    ]});
    let registration = of(&service, Addresses::Any);
    let description = &registration.services[0].description;
    assert_eq!(description.rules().iter().map(|rule| &*rule.rule.name).collect::<Vec<_>>(), ["A.Good"]);
    let [bad, event] = description.problems() else { panic!("{:?}", description.problems()) };
    assert!(bad.starts_with("endpoint A.Bad: path: \"^/bad\" has only one of ^ and $"), "{bad}");
    assert!(event.starts_with("endpoint A.Event: handler: `event` is not available"), "{event}");
}

#[test]
fn expressions_are_bounded() {
    let endpoints = (0..200).map(|at| {
        let metadata = json!({"endpoint": "A.B", "handler": "rpc", "method": "GET", "path": format!("^/{at}$")});
        json!({"name": format!("A.B{at}"), "metadata": metadata})
    });
    let registration = of(&json!({"name": "a", "endpoints": endpoints.collect::<Vec<_>>()}), Addresses::Any);
    let description = &registration.services[0].description;
    assert_eq!((description.rules().len(), description.problems().len()), (MOST_EXPRESSIONS, 1));
    assert!(description.problems()[0].starts_with("endpoint A.B128: comes after 128 regular expressions"));
}
