//! What the backend tells of itself by server reflection: one method, whose reply is the message that it was called with.

use crate::Failure;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{
    HeaderMap,
    body::{Body, Frame, Incoming},
    header::{HeaderName, HeaderValue},
};
use paifang::rpc::{
    frame::{self, Decoder},
    reflection::{PATHS, Server},
};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto,
    field_descriptor_proto::{Label, Type},
};

/// The longest question.
const LONGEST: usize = 4096;

/// Whether a path is one of server reflection.
pub(crate) fn is_asked(path: &str) -> bool {
    PATHS.contains(&path)
}

/// The trailers of a call that went well.
pub(crate) fn success() -> HeaderMap {
    HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from(0))])
}

/// An answer for each question, as it comes.
pub(crate) fn answers(questions: Incoming) -> impl Body<Data = Bytes, Error = Failure> {
    let state = (questions, Decoder::new(LONGEST), Server::new(file()));
    StreamBody::new(stream::unfold(Some(state), async |state| {
        let (mut questions, mut decoder, server) = state?;
        let question = next(&mut questions, &mut decoder).await;
        let answer = question.and_then(|question| frame::write(&server.answer(&question)?));
        Some(match answer {
            Some(answer) => (Ok(Frame::data(answer)), Some((questions, decoder, server))),
            None => (Ok(Frame::trailers(success())), None),
        })
    }))
}

async fn next(questions: &mut Incoming, decoder: &mut Decoder) -> Option<Bytes> {
    loop {
        if let Some(question) = decoder.next_message().ok()? {
            return Some(question.bytes);
        }
        if let Ok(data) = questions.frame().await?.ok()?.into_data() {
            decoder.push(&data);
        }
    }
}

/// `rpc Say(Message) returns (Message)` of the service `bench.v1.Echo`, with one text in the message.
fn file() -> FileDescriptorProto {
    let text = FieldDescriptorProto {
        name: Some("name".to_owned()),
        number: Some(1),
        label: Some(Label::Optional.into()),
        r#type: Some(Type::String.into()),
        ..FieldDescriptorProto::default()
    };
    let message = DescriptorProto { name: Some("Message".to_owned()), field: vec![text], ..DescriptorProto::default() };
    let method = MethodDescriptorProto {
        name: Some("Say".to_owned()),
        input_type: Some(".bench.v1.Message".to_owned()),
        output_type: Some(".bench.v1.Message".to_owned()),
        ..MethodDescriptorProto::default()
    };
    FileDescriptorProto {
        name: Some("echo.proto".to_owned()),
        package: Some("bench.v1".to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type: vec![message],
        service: vec![ServiceDescriptorProto {
            name: Some("Echo".to_owned()),
            method: vec![method],
            ..ServiceDescriptorProto::default()
        }],
        ..FileDescriptorProto::default()
    }
}
