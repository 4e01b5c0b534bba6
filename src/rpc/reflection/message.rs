//! The messages of `grpc.reflection.v1`, as far as they are used.

use bytes::Bytes;
use prost::{Message, Oneof};
use std::fmt;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// The names of all services.
    Services,
    /// The file that declares this.
    Symbol(String),
    /// This file.
    File(String),
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Services => f.write_str("its services"),
            Self::Symbol(name) => write!(f, "{name}"),
            Self::File(name) => write!(f, "file {name}"),
        }
    }
}

/// `ServerReflectionRequest`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Request {
    #[prost(oneof = "Asked", tags = "3, 4, 7")]
    pub(super) asked: Option<Asked>,
}

#[derive(Clone, PartialEq, Eq, Oneof)]
pub(super) enum Asked {
    #[prost(string, tag = "3")]
    FileByName(String),
    #[prost(string, tag = "4")]
    FileOfSymbol(String),
    #[prost(string, tag = "7")]
    ListServices(String),
}

impl Request {
    pub(super) fn of(question: &Question) -> Self {
        let asked = match question {
            Question::Services => Asked::ListServices("*".to_owned()),
            Question::Symbol(name) => Asked::FileOfSymbol(name.clone()),
            Question::File(name) => Asked::FileByName(name.clone()),
        };
        Self { asked: Some(asked) }
    }
}

/// `ServerReflectionResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Reply {
    #[prost(oneof = "Answer", tags = "4, 6, 7")]
    pub(super) answer: Option<Answer>,
}

#[derive(Clone, PartialEq, Eq, Oneof)]
pub(super) enum Answer {
    #[prost(message, tag = "4")]
    Files(Files),
    #[prost(message, tag = "6")]
    Services(Names),
    #[prost(message, tag = "7")]
    Error(Refusal),
}

/// Serialized files, each a `FileDescriptorProto`. On the wire it is a `FileDescriptorSet` too.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Files {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(super) files: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Names {
    #[prost(message, repeated, tag = "1")]
    pub(super) services: Vec<Name>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Name {
    #[prost(string, tag = "1")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Refusal {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) text: String,
}
