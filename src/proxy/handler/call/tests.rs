use crate::{
    model::{
        call::{Calls, Resolution},
        diagnostic::{Kind as ObjectKind, ObjectRef},
        rule::{Backend, BackendTarget, Handler, Options, Origin, Rule, Targets},
        target::UpstreamId,
        upstream::TimeLimit,
    },
    proxy::testing::{Answer, Service, on_stage},
    rpc::{
        frame, go_api,
        registry::Dialect,
        resolver::{Kind, Resolver},
    },
    table::PathPattern,
};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use prost::Message as _;
use serde_json::{Value, json};
use std::{collections::HashSet, rc::Rc, sync::Arc, time::Duration};

fn rule(handler: Handler, targets: Targets) -> Rule {
    Rule {
        origin: Origin {
            object: ObjectRef::new(ObjectKind::GatewayRoute, "default", "test"),
            rule: 0,
            name: "".into(),
        },
        targets,
        mirror: None,
        clients: None,
        options: Options { handler, ..Options::default() },
        broken: None,
    }
}

fn first() -> Targets {
    Targets::Backends([Backend { target: BackendTarget::Upstream(UpstreamId(0)), weight: 1 }].into())
}

fn calls(service: &str) -> Calls {
    Calls { service: Some(service.into()), ..Calls::default() }
}

fn rpc() -> Rule {
    rule(Handler::Rpc(calls("go.micro.api.greeter")), first())
}

fn api() -> Rule {
    rule(Handler::Api(calls("go.micro.api.greeter")), first())
}

fn everything() -> PathPattern {
    PathPattern::prefix("/")
}

/// A reply of mucp, with what services repeat of the first request of a connection.
fn mucp(content_type: &str, body: impl Into<Bytes>) -> Option<Answer> {
    let response = Response::builder().header("content-type", content_type);
    let response = response.header("set-cookie", "a=1").header("authorization", "secret");
    Some(response.body((body.into(), HeaderMap::new())).unwrap())
}

fn micro_error(text: &str) -> Option<Answer> {
    let text = http::HeaderValue::from_bytes(text.as_bytes()).unwrap();
    Some(Response::builder().header("micro-error", text).body((Bytes::new(), HeaderMap::new())).unwrap())
}

fn greeter(answer: impl Fn(&Request<Bytes>) -> Option<Answer> + 'static) -> Rc<Service> {
    Rc::new(Service::new("greeter", Dialect::Mucp, answer))
}

/// Says hello in JSON, with the line break of go-micro.
fn hello(_: &Request<Bytes>) -> Option<Answer> {
    mucp("application/json", "{\"key\":\"hello bob\"}\n")
}

fn post(path: &str, content_type: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    let request = Request::post(path).header("host", "a.example").header("content-type", content_type);
    request.body(body.into()).unwrap()
}

fn get(path: &str) -> Request<Bytes> {
    Request::get(path).header("host", "a.example").body(Bytes::new()).unwrap()
}

fn header<'r, B>(message: &'r Request<B>, name: &str) -> &'r str {
    message.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn told(response: &Response<Bytes>) -> (StatusCode, Value) {
    assert_eq!(response.headers()["content-type"], "application/json");
    (response.status(), serde_json::from_slice(response.body()).unwrap())
}

fn fault(id: &str, code: u16, detail: &str) -> (StatusCode, Value) {
    let status = StatusCode::from_u16(code).unwrap();
    (status, json!({"id": id, "code": code, "detail": detail, "status": status.canonical_reason().unwrap()}))
}

#[tokio::test]
async fn a_request_of_json_becomes_a_call_by_mucp() {
    let service = greeter(hello);
    on_stage(everything(), rpc(), &[Rc::clone(&service)], async |stage| {
        let mut request = post("/say/hello", "application/json; charset=UTF-8", r#"{"key":"bob"}"#);
        for (name, value) in
            [("x-one", "1"), ("x-one", "2"), ("micro-topic", "t"), ("timeout", "1"), ("x_micro_a", "1")]
        {
            request.headers_mut().append(name, value.parse().unwrap());
        }
        let response = stage.ask(request).await;
        assert_eq!((response.status(), &**response.body()), (StatusCode::OK, &br#"{"key":"hello bob"}"#[..]));
        assert_eq!(response.headers()["content-type"], "application/json; charset=UTF-8");
        assert!(!response.headers().contains_key("set-cookie") && !response.headers().contains_key("authorization"));
    })
    .await;
    let asked = service.last();
    assert_eq!((asked.method(), asked.uri().path(), &**asked.body()), (&Method::POST, "/", &br#"{"key":"bob"}"#[..]));
    for (name, value) in [
        ("host", "a.example"),
        ("content-type", "application/json"),
        ("micro-service", "go.micro.api.greeter"),
        ("micro-method", "Say.Hello"),
        ("micro-endpoint", "Say.Hello"),
        ("timeout", "60000000000"),
        ("content-length", "13"),
        ("x-one", "1,2"),
        ("method", "POST"),
        ("x-forwarded-for", "192.0.2.1"),
        ("micro-topic", ""),
        ("x_micro_a", ""),
    ] {
        assert_eq!(header(&asked, name), value, "{name}");
    }
}

#[tokio::test]
async fn calls_share_a_connection_and_no_number() {
    let service = greeter(hello);
    on_stage(everything(), rpc(), &[Rc::clone(&service)], async |stage| {
        for _ in 0..20 {
            assert_eq!(stage.ask(get("/say/hello")).await.status(), StatusCode::OK);
        }
    })
    .await;
    assert_eq!(service.connections.get(), 1);
    let asked = service.asked.borrow();
    let numbers: HashSet<_> = asked.iter().map(|call| header(call, "micro-stream")).collect();
    assert_eq!((numbers.len(), numbers.contains("")), (20, false));
    assert!(asked.iter().all(|call| header(call, "micro-id") == header(call, "micro-stream")));
}

#[tokio::test]
async fn fields_of_query_body_and_path_are_merged() {
    let service = greeter(|_| mucp("application/json", ""));
    let template = PathPattern::template("/pair/{key}").unwrap();
    let fixed = Calls { method: Some("Pair.Put".into()), ..calls("pairs") };
    on_stage(template, rule(Handler::Rpc(fixed), first()), &[Rc::clone(&service)], async |stage| {
        let asked = |request| async {
            let response = stage.ask(request).await;
            assert_eq!((response.status(), response.body().len()), (StatusCode::NO_CONTENT, 0));
            assert!(!response.headers().contains_key("content-type"));
            serde_json::from_slice::<Value>(service.last().body()).unwrap()
        };
        assert_eq!(
            asked(get("/pair/abc?n=1&values[]=a&values[]=b")).await,
            json!({"key":"abc","n":1,"values":["a","b"]})
        );
        let request = post("/pair/a%20c?key=q&n=1&m=2", "application/json", r#"{"key":"body","n":null}"#);
        assert_eq!(asked(request).await, json!({"key":"a c","m":2}));
        let form = post("/pair/x", "application/x-www-form-urlencoded", "a=1&a=2&key=f");
        assert_eq!(asked(form).await, json!({"key":"x","a":"1,2"}));
    })
    .await;
    assert_eq!(
        (header(&service.last(), "micro-method"), header(&service.last(), "micro-service")),
        ("Pair.Put", "pairs")
    );
}

#[tokio::test]
async fn errors_of_a_service_are_told_in_full() {
    for (error, expected) in [
        (r#"{"id":"greeter","code":400,"detail":"bad","status":"Bad Request"}"#, fault("greeter", 400, "bad")),
        (r#"{"id":"greeter","code":0,"detail":"bad"}"#, fault("greeter", 500, "bad")),
        ("boom", fault("go.micro.api", 500, "error during request: boom")),
        ("rpc: can't find method Nope", fault("go.micro.api", 404, "rpc: can't find method Nope")),
    ] {
        for rule in [rpc(), api()] {
            let service = greeter(move |_| micro_error(error));
            on_stage(everything(), rule, &[service], async |stage| {
                assert_eq!(told(&stage.ask(post("/say/x", "application/json", "{}")).await), expected, "{error}");
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_reply_that_is_none_is_a_bad_gateway() {
    let replies: [fn() -> Option<Answer>; 3] = [
        || mucp("text/html", "<p>"),
        || mucp("text/plain", "unsupported Content-Type: application/json"),
        || Some(Response::builder().status(404).body((Bytes::new(), HeaderMap::new())).unwrap()),
    ];
    for reply in replies {
        on_stage(everything(), rpc(), &[greeter(move |_| reply())], async |stage| {
            let (status, told) = told(&stage.ask(get("/say/hello")).await);
            assert_eq!(
                (status, &told["id"], &told["code"]),
                (StatusCode::BAD_GATEWAY, &json!("go.micro.client"), &json!(502))
            );
        })
        .await;
    }
}

#[tokio::test]
async fn bad_input_is_the_clients_mistake() {
    let service = greeter(hello);
    on_stage(everything(), rpc(), &[Rc::clone(&service)], async |stage| {
        let response = stage.ask(post("/say/hello", "application/json", r#"{"key":"#)).await;
        assert_eq!(told(&response), fault("go.micro.api", 400, "the body is not JSON"));
        let response = stage.ask(post("/say/hello", "application/json", vec![b' '; super::MOST_BYTES + 1])).await;
        assert_eq!(told(&response).0, StatusCode::PAYLOAD_TOO_LARGE);
        let response = stage.ask(get("/")).await;
        assert_eq!(told(&response), fault("go.micro.api", 404, "The request names no method of its service."));
    })
    .await;
    assert!(service.asked.borrow().is_empty());
}

#[tokio::test]
async fn a_reply_has_a_limit() {
    let service = greeter(|_| mucp("application/json", vec![b' '; super::MOST_BYTES + 1]));
    on_stage(everything(), rpc(), &[service], async |stage| {
        let (status, told) = told(&stage.ask(get("/say/hello")).await);
        assert_eq!(
            (status, &told["detail"]),
            (StatusCode::BAD_GATEWAY, &json!("The service answered more than this gateway allows."))
        );
    })
    .await;
}

#[tokio::test]
async fn only_methods_that_carry_messages_call() {
    let service = greeter(hello);
    on_stage(everything(), rpc(), &[Rc::clone(&service)], async |stage| {
        let ask = |method: &'static str| {
            stage.ask(Request::builder().method(method).uri("/say/hello").header("host", "a").body("").unwrap())
        };
        let response = ask("TRACE").await;
        assert_eq!(
            (response.status(), &response.headers()["allow"]),
            (StatusCode::METHOD_NOT_ALLOWED, &"GET, HEAD, POST, PUT, PATCH, DELETE".parse().unwrap())
        );
        let response = ask("OPTIONS").await;
        assert_eq!((response.status(), response.headers().contains_key("allow")), (StatusCode::OK, true));
        assert!(service.asked.borrow().is_empty());
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            assert_eq!(ask(method).await.status(), StatusCode::OK, "{method}");
        }
        let head = ask("HEAD").await;
        assert_eq!(
            (head.status(), head.body().len(), &head.headers()["content-length"]),
            (StatusCode::OK, 0, &19.into())
        );
    })
    .await;
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_over_and_its_connection_too() {
    let mut service = Service::new("greeter", Dialect::Mucp, |call| match header(call, "micro-method") {
        "Say.Sleep" => None,
        _ => hello(call),
    });
    service.policy.request_timeout = TimeLimit(Some(Duration::from_millis(300)));
    let service = Rc::new(service);
    on_stage(everything(), rpc(), &[Rc::clone(&service)], async |stage| {
        assert_eq!(stage.ask(get("/say/hello")).await.status(), StatusCode::OK);
        let response = stage.ask(get("/say/sleep")).await;
        assert_eq!(told(&response), fault("go.micro.client", 408, "call timeout: context deadline exceeded"));
        assert_eq!(stage.ask(get("/say/hello")).await.status(), StatusCode::OK);
    })
    .await;
    assert_eq!(service.connections.get(), 2);
    assert_eq!(header(&service.last(), "timeout"), "300000000");
}

fn grpc(message: &[u8], trailers: &[(&'static str, &str)]) -> Option<Answer> {
    let trailers = trailers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    let body = frame::write(message).unwrap();
    Some(Response::builder().header("content-type", "application/grpc").body((body, trailers.collect())).unwrap())
}

#[tokio::test]
async fn a_service_that_speaks_grpc_is_called_so() {
    let service = Rc::new(Service::new("greeter", Dialect::Grpc, |_| grpc(b"\x0a\x01x", &[("grpc-status", "0")])));
    on_stage(everything(), rpc(), &[Rc::clone(&service)], async |stage| {
        let response = stage.ask(post("/say/hello", "application/protobuf", &b"\x0a\x03bob"[..])).await;
        assert_eq!((response.status(), &**response.body()), (StatusCode::OK, &b"\x0a\x01x"[..]));
        assert_eq!(response.headers()["content-type"], "application/protobuf");
    })
    .await;
    let asked = service.last();
    assert_eq!(asked.uri(), "http://a.example/go.micro.api.greeter.Say/Hello");
    assert_eq!(&**asked.body(), b"\0\0\0\0\x05\x0a\x03bob");
    for (name, value) in [
        ("content-type", "application/grpc+proto"),
        ("te", "trailers"),
        ("grpc-timeout", "60000000u"),
        ("x-content-type", "application/protobuf"),
    ] {
        assert_eq!(header(&asked, name), value, "{name}");
    }
}

#[tokio::test]
async fn errors_of_grpc_are_told_as_those_of_mucp() {
    let conflict = r#"{"id":"greeter","code":409,"detail":"twice","status":"Conflict"}"#;
    for (status, message, expected) in [
        ("6", conflict, fault("greeter", 409, "twice")),
        ("5", "no such book", fault("go.micro.client", 404, "no such book")),
        ("12", "unknown service Say.Nope", fault("go.micro.api", 404, "unknown service Say.Nope")),
    ] {
        // With a message in front, and as a head that is all.
        for is_head in [false, true] {
            let service = Service::new("greeter", Dialect::Grpc, move |_| {
                let mut answer = grpc(b"", &[("grpc-status", status), ("grpc-message", message)])?;
                if is_head {
                    let (_, fields) = std::mem::take(answer.body_mut());
                    answer.headers_mut().extend(fields);
                }
                Some(answer)
            });
            on_stage(everything(), rpc(), &[Rc::new(service)], async |stage| {
                assert_eq!(told(&stage.ask(get("/say/hello")).await), expected, "{is_head}");
            })
            .await;
        }
    }
}

#[tokio::test]
async fn the_whole_request_is_the_message_of_the_api_handler() {
    let service = greeter(|_| {
        let reply = json!({"statusCode": 418, "header": {"a": {"key": "X-Foo", "values": ["1", "2"]}}, "body": "tea"});
        mucp("application/json", reply.to_string())
    });
    on_stage(everything(), api(), &[Rc::clone(&service)], async |stage| {
        let mut request = get("/greeter/say/hello?a=1&a=2");
        request.headers_mut().insert("x-req", "1".parse().unwrap());
        let response = stage.ask(request).await;
        assert_eq!((response.status().as_u16(), &**response.body()), (418, &b"tea"[..]));
        assert_eq!(response.headers().get_all("x-foo").iter().count(), 2);
        assert_eq!(response.headers()["content-type"], "application/json");
    })
    .await;
    let message: go_api::Request = serde_json::from_slice(service.last().body()).unwrap();
    assert_eq!(
        (&*message.method, &*message.path, &*message.url),
        ("GET", "/greeter/say/hello", "/greeter/say/hello?a=1&a=2")
    );
    assert_eq!(message.get["a"].values, ["1", "2"]);
    for (name, value) in [("X-Req", "1"), ("Host", "a.example"), ("X-Forwarded-For", "192.0.2.1")] {
        assert_eq!(message.header[name].values, [value], "{name}");
    }
    assert_eq!(header(&service.last(), "x-req"), "1");
}

#[tokio::test]
async fn the_api_handler_takes_forms_and_text_alone() {
    let service = greeter(|_| mucp("application/json", ""));
    on_stage(everything(), api(), &[Rc::clone(&service)], async |stage| {
        let asked = |request| async {
            assert_eq!(stage.ask(request).await.status(), StatusCode::OK);
            serde_json::from_slice::<go_api::Request>(service.last().body()).unwrap()
        };
        let form = asked(post("/say/hello", "application/x-www-form-urlencoded", "name=J&b=2")).await;
        assert_eq!((&*form.post["name"].values[0], form.post.len(), &*form.body), ("J", 2, ""));
        let text = asked(post("/say/hello", "text/plain", "x")).await;
        assert_eq!((text.post.len(), &*text.body), (0, "x"));
        let response = stage.ask(post("/say/hello", "application/octet-stream", &b"\xff\xfe"[..])).await;
        assert_eq!(told(&response).0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let options = stage.ask(Request::options("/say/hello").header("host", "a").body("").unwrap()).await;
        assert_eq!((options.status(), options.headers().contains_key("allow")), (StatusCode::OK, true));
    })
    .await;
    assert_eq!(service.asked.borrow().len(), 2);
}

#[tokio::test]
async fn the_api_handler_calls_in_protobuf_by_grpc() {
    let service = Service::new("greeter", Dialect::Grpc, |call| {
        let asked = go_api::Request::decode(&call.body()[frame::PREFIX..]).unwrap();
        let response = go_api::Response { status_code: 201, body: asked.url, ..Default::default() };
        grpc(&response.encode_to_vec(), &[("grpc-status", "0")])
    });
    on_stage(everything(), api(), &[Rc::new(service)], async |stage| {
        let response = stage.ask(get("/say/hello?a=1")).await;
        assert_eq!((response.status(), &**response.body()), (StatusCode::CREATED, &b"/say/hello?a=1"[..]));
    })
    .await;
}

#[tokio::test]
async fn a_request_names_its_service() {
    let (one, two) = (greeter(hello), greeter(hello));
    let named = |name: &str, id| (Arc::from(format!("go.micro.api.{name}")), UpstreamId(id));
    let resolver = Resolver::new(Kind::Micro, "go.micro.api");
    let targets = Targets::Resolved(Resolution {
        resolver,
        services: Arc::new([named("greeter", 0), named("v1.foo", 1)].into()),
    });
    let rule = rule(Handler::Rpc(Calls::default()), targets);
    on_stage(everything(), rule, &[Rc::clone(&one), Rc::clone(&two)], async |stage| {
        assert_eq!(stage.ask(get("/greeter/say/hello")).await.status(), StatusCode::OK);
        assert_eq!(
            (header(&one.last(), "micro-service"), header(&one.last(), "micro-method")),
            ("go.micro.api.greeter", "Say.Hello")
        );
        assert_eq!(stage.ask(get("/v1/foo/baz-xyz")).await.status(), StatusCode::OK);
        assert_eq!(
            (header(&two.last(), "micro-service"), header(&two.last(), "micro-method")),
            ("go.micro.api.v1.foo", "Foo.BazXyz")
        );
        let unknown = fault("go.micro.api", 404, "service not found");
        assert_eq!(told(&stage.ask(get("/nosuch/x/y")).await), unknown);
    })
    .await;
}

/// Answers what it was asked, by the method.
fn by_method(call: &Request<Bytes>) -> Option<Answer> {
    match header(call, "micro-method") {
        "Say.Hello" => hello(call),
        "Say.Echo" => mucp("application/json", call.body().clone()),
        "Say.Fail" => micro_error(r#"{"id":"greeter","code":409,"detail":"twice","status":"Conflict"}"#),
        method => micro_error(&format!("rpc: can't find method {method}")),
    }
}

#[tokio::test]
async fn json_rpc_2_calls_the_methods_that_it_names() {
    let service = greeter(by_method);
    on_stage(everything(), rpc(), &[Rc::clone(&service)], async |stage| {
        let ask = async |body: &'static str| {
            let response = stage.ask(post("/greeter", "application/json", body)).await;
            (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or(Value::Null))
        };
        let one = ask(r#"{"jsonrpc":"2.0","method":"Say.Hello","params":{"key":"bob"},"id":1}"#).await;
        assert_eq!(one, (200, json!({"jsonrpc":"2.0","result":{"key":"hello bob"},"id":1})));
        let (status, batch) = ask(r#"[{"jsonrpc":"2.0","method":"Say.Echo","params":[{"a":1.50}],"id":"a"},
                {"jsonrpc":"2.0","method":"Say.Echo"},
                {"jsonrpc":"2.0","method":"Say.Nope","id":2},
                {"jsonrpc":"2.0","method":"Say.Fail","id":3},
                7]"#)
        .await;
        let codes: Vec<_> = batch.as_array().unwrap().iter().map(|reply| reply["error"]["code"].as_i64()).collect();
        assert_eq!((status, codes), (200, vec![None, Some(-32601), Some(-32000), Some(-32600)]));
        assert_eq!(batch[0]["result"].to_string(), r#"{"a":1.5}"#);
        assert_eq!(batch[2]["error"]["data"]["code"], 409);
        assert_eq!(ask(r#"{"jsonrpc":"2.0","method":"Say.Hello"}"#).await, (204, Value::Null));
        assert_eq!(ask(r#"{"jsonrpc":"2.0","method""#).await.1["error"]["code"], -32700);
        let response = stage.ask(post("/greeter", "application/json-rpc", "[]")).await;
        assert_eq!(told(&response).1["error"]["code"], -32600);
        let first = stage
            .ask(post("/say/hello", "application/json-rpc", r#"{"method":"Other","params":[{"key":"x"}],"id":"1"}"#))
            .await;
        assert_eq!((first.status(), &**first.body()), (StatusCode::OK, &br#"{"key":"hello bob"}"#[..]));
        assert_eq!(first.headers()["content-type"], "application/json-rpc");
    })
    .await;
    assert_eq!(&**service.last().body(), br#"{"key":"x"}"#);
}

#[tokio::test]
async fn a_route_that_fixes_the_method_calls_no_other() {
    let service = greeter(by_method);
    let fixed = Calls { method: Some("Say.Hello".into()), ..calls("greeter") };
    on_stage(everything(), rule(Handler::Rpc(fixed), first()), &[Rc::clone(&service)], async |stage| {
        for (method, code) in [("Say.Echo", json!(-32601)), ("Say.Hello", Value::Null)] {
            let body = json!({"jsonrpc": "2.0", "method": method, "id": 1}).to_string();
            let (_, reply) = told(&stage.ask(post("/any", "application/json", body)).await);
            assert_eq!(reply["error"]["code"], code, "{method}");
        }
    })
    .await;
    assert_eq!(service.asked.borrow().len(), 1);
}

#[tokio::test]
async fn services_from_before_0_14_are_called_in_an_envelope() {
    let service = Rc::new(Service::new("greeter", Dialect::MucpEnvelope, |_| {
        mucp("application/json-rpc", r#"{"id":"1","result":{"key":"x"},"error":null}"#)
    }));
    on_stage(everything(), rpc(), &[Rc::clone(&service)], async |stage| {
        let response = stage.ask(post("/say/hello", "application/json", r#"{"key":"bob"}"#)).await;
        assert_eq!((response.status(), &**response.body()), (StatusCode::OK, &br#"{"key":"x"}"#[..]));
    })
    .await;
    let sent: Value = serde_json::from_slice(service.last().body()).unwrap();
    assert_eq!((&sent["method"], &sent["params"]), (&json!("Say.Hello"), &json!([{"key": "bob"}])));
}
