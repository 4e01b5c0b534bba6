//! A call of gRPC made of a request with 1 KiB of JSON: its method found, its message made, and the reply written as JSON.
//! Run with `cargo bench --bench transcode`. The goal is that the number of methods does not matter.

use bytes::Bytes;
use divan::{AllocProfiler, Bencher, black_box};
use http::{HeaderMap, Method};
use paifang::{
    rpc::transcode::Services,
    table::{Outcome, RequestView},
};
use prost::Message as _;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    ServiceDescriptorProto,
    field_descriptor_proto::{Label, Type},
};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const METHODS: [usize; 3] = [1, 1_000, 4_000];

fn main() {
    divan::main();
}

/// A service with so many methods of one message: an id, a name, and tags.
fn services(methods: usize) -> Services {
    let field = |(name, number, label, type_): (&str, i32, Label, Type)| FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(label.into()),
        r#type: Some(type_.into()),
        ..FieldDescriptorProto::default()
    };
    let fields = [
        ("id", 1, Label::Optional, Type::Int64),
        ("name", 2, Label::Optional, Type::String),
        ("tags", 3, Label::Repeated, Type::String),
    ];
    let method = |number| MethodDescriptorProto {
        name: Some(format!("Say{number}")),
        input_type: Some(".bench.v1.Message".to_owned()),
        output_type: Some(".bench.v1.Message".to_owned()),
        ..MethodDescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: Some("echo.proto".to_owned()),
        package: Some("bench.v1".to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type: vec![DescriptorProto {
            name: Some("Message".to_owned()),
            field: fields.map(field).into(),
            ..DescriptorProto::default()
        }],
        service: vec![ServiceDescriptorProto {
            name: Some("Echo".to_owned()),
            method: (0..methods).map(method).collect(),
            ..ServiceDescriptorProto::default()
        }],
        ..FileDescriptorProto::default()
    };
    Services::of_set(&FileDescriptorSet { file: vec![file] }.encode_to_vec()).expect("the set must be one")
}

#[divan::bench(args = METHODS)]
fn call(bencher: Bencher<'_, '_>, methods: usize) {
    let services = services(methods);
    let (path, headers) = (format!("/bench.v1.Echo/Say{}", methods / 2), HeaderMap::new());
    let view = RequestView { host: "", path: &path, method: &Method::POST, headers: &headers, query: None };
    let body = Bytes::from(format!(r#"{{"id": "7", "name": "{}", "tags": ["a", "b"]}}"#, "x".repeat(980)));
    bencher.bench(|| {
        let Outcome::Found(found) = services.find(black_box(&view)) else { panic!("the method must be found") };
        let message = found.payload.message([], None, black_box(&body)).expect("the body must be a message");
        found.payload.json(&message).expect("the message must have JSON")
    });
}

#[divan::bench(args = METHODS)]
fn find(bencher: Bencher<'_, '_>, methods: usize) {
    let services = services(methods);
    let (path, headers) = (format!("/bench.v1.Echo/Say{}", methods / 2), HeaderMap::new());
    let view = RequestView { host: "", path: &path, method: &Method::POST, headers: &headers, query: None };
    bencher.bench(|| matches!(services.find(black_box(&view)), Outcome::Found(_)));
}
