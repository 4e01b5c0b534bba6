//! The other side of the conversation: what a server of one file tells of itself.

use super::message::{Answer, Asked, Files, Name, Names, Refusal, Reply, Request};
use bytes::Bytes;
use prost::Message as _;
use prost_types::FileDescriptorProto;

/// `NOT_FOUND`.
const NOT_FOUND: i32 = 5;

/// What a server tells whose services are in one file that imports no other.
#[derive(Clone, Debug)]
pub struct Server {
    file: FileDescriptorProto,
}

impl Server {
    /// A server with the services of this file.
    #[must_use]
    pub const fn new(file: FileDescriptorProto) -> Self {
        Self { file }
    }

    /// The answer to a question; `None` where it is none.
    #[must_use]
    pub fn answer(&self, question: &[u8]) -> Option<Bytes> {
        let answer = match Request::decode(question).ok()?.asked? {
            Asked::ListServices(_) => Answer::Services(Names { services: self.services() }),
            Asked::FileByName(name) if name == self.file.name() => self.told(),
            Asked::FileOfSymbol(name) if self.declares(&name) => self.told(),
            Asked::FileByName(name) | Asked::FileOfSymbol(name) => {
                Answer::Error(Refusal { code: NOT_FOUND, text: format!("{name} is not known here") })
            }
        };
        Some(Reply { answer: Some(answer) }.encode_to_vec().into())
    }

    fn services(&self) -> Vec<Name> {
        let name = |name: &str| Name { name: format!("{}.{name}", self.file.package()) };
        self.file.service.iter().map(|service| name(service.name())).collect()
    }

    fn told(&self) -> Answer {
        Answer::Files(Files { files: vec![self.file.encode_to_vec().into()] })
    }

    /// The package is in this file alone, so whatever is in the package is in the file.
    fn declares(&self, symbol: &str) -> bool {
        symbol.strip_prefix(self.file.package()).is_some_and(|rest| rest.starts_with('.'))
    }
}
