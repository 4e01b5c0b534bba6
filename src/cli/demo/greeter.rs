//! The greeter of the demo: one method, `Say.Hello`, in the words of whoever calls it.

use crate::rpc::{codec::Codec, fault::Fault};
use bytes::Bytes;
use http::StatusCode;
use prost::Message;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto,
    field_descriptor_proto::{Label, Type},
};
use serde::{Deserialize, Serialize};

/// The name of the service.
pub(super) const NAME: &str = "go.micro.api.greeter";

#[derive(Clone, PartialEq, Eq, Message, Deserialize)]
#[serde(default)]
struct Hello {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Eq, Message, Serialize)]
struct Greeting {
    #[prost(string, tag = "1")]
    msg: String,
}

/// Answers a call of a method with a message, in the encoding of both.
pub(super) fn call(method: &str, codec: Codec, message: &Bytes) -> Result<Bytes, Fault> {
    if method != "Say.Hello" {
        return Err(Fault::new(NAME, StatusCode::NOT_FOUND, format!("unknown method {method:?}: it is Say.Hello")));
    }
    let Hello { name } = read(codec, message).map_err(|error| Fault::new(NAME, StatusCode::BAD_REQUEST, error))?;
    let msg = format!("Hello {}", if name.is_empty() { "there" } else { &name });
    let greeting = Greeting { msg };
    Ok(if codec.is_json() {
        serde_json::to_vec(&greeting).unwrap_or_default().into()
    } else {
        greeting.encode_to_vec().into()
    })
}

fn read(codec: Codec, message: &Bytes) -> Result<Hello, String> {
    match codec.is_json() {
        true if message.is_empty() => Ok(Hello::default()),
        true => serde_json::from_slice(message).map_err(|error| error.to_string()),
        false => Hello::decode(message.clone()).map_err(|error| error.to_string()),
    }
}

/// What the service tells of itself: the file that declares it.
pub(super) fn described() -> FileDescriptorProto {
    let method = MethodDescriptorProto {
        name: Some("Hello".to_owned()),
        input_type: Some(format!(".{NAME}.HelloRequest")),
        output_type: Some(format!(".{NAME}.HelloReply")),
        ..MethodDescriptorProto::default()
    };
    FileDescriptorProto {
        name: Some("greeter.proto".to_owned()),
        package: Some(NAME.to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type: vec![message("HelloRequest", "name"), message("HelloReply", "msg")],
        service: vec![ServiceDescriptorProto {
            name: Some("Say".to_owned()),
            method: vec![method],
            ..ServiceDescriptorProto::default()
        }],
        ..FileDescriptorProto::default()
    }
}

/// A message with one text.
fn message(name: &str, field: &str) -> DescriptorProto {
    let field = FieldDescriptorProto {
        name: Some(field.to_owned()),
        number: Some(1),
        label: Some(Label::Optional.into()),
        r#type: Some(Type::String.into()),
        ..FieldDescriptorProto::default()
    };
    DescriptorProto { name: Some(name.to_owned()), field: vec![field], ..DescriptorProto::default() }
}
