//! Server reflection: what to ask a service of gRPC about itself, and the descriptors that its answers make.
//!
//! One stream of `grpc.reflection.v1` (or `v1alpha`, whose messages are the same): the list of services first, then the
//! file of each, then files that those import and nobody sent. One question is under way at a time.

use super::transcode::{BadSet, MAX_SET, Services};
use bytes::Bytes;
use prost::Message as _;
use prost_reflect::DescriptorPool;
use prost_types::FileDescriptorProto;
use std::collections::{BTreeMap, VecDeque};

mod message;
mod server;
#[cfg(test)]
mod tests;

pub use server::Server;

use message::{Answer, Files, Question, Reply, Request};

/// The paths of the method, newest first. A server that does not know the first answers `UNIMPLEMENTED` (12).
pub const PATHS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// The most files.
pub const MAX_FILES: usize = 2048;
/// What the names of services that are not asked for start with.
const OWN: &str = "grpc.reflection.";

/// A conversation with one server.
#[derive(Debug)]
pub struct Discovery {
    open: VecDeque<Question>,
    files: BTreeMap<String, File>,
    bytes: usize,
}

/// A file as it was sent, since reading it drops the options that nobody here knows: `google.api.http` is one.
#[derive(Debug)]
struct File {
    bytes: Bytes,
    imports: Vec<String>,
}

/// Why a server told nothing that can be used.
#[derive(Debug, thiserror::Error)]
pub enum NotTold {
    /// Not a message of reflection, or not an answer to the question.
    #[error("the server answered reflection with something else")]
    OtherMessage,
    /// It does not know what it listed itself.
    #[error("the server does not tell of {0}: {1}")]
    Refused(String, String),
    /// Too much of it.
    #[error("the server describes itself in more than {MAX_FILES} files or {MAX_SET} bytes")]
    TooLarge,
    /// The files make no set.
    #[error(transparent)]
    Set(#[from] BadSet),
}

impl Default for Discovery {
    fn default() -> Self {
        Self { open: VecDeque::from([Question::Services]), files: BTreeMap::new(), bytes: 0 }
    }
}

impl Discovery {
    /// The message to send next; `None` when all is known.
    #[must_use]
    pub fn question(&self) -> Option<Bytes> {
        self.open.front().map(|question| Request::of(question).encode_to_vec().into())
    }

    /// Takes the answer to it.
    ///
    /// # Errors
    /// When nothing can come of the conversation any more.
    pub fn answer(&mut self, message: &[u8]) -> Result<(), NotTold> {
        let question = self.open.pop_front().ok_or(NotTold::OtherMessage)?;
        self.bytes += message.len();
        if self.bytes > MAX_SET {
            return Err(NotTold::TooLarge);
        }
        let reply = Reply::decode(message).map_err(|_| NotTold::OtherMessage)?;
        match (reply.answer.ok_or(NotTold::OtherMessage)?, question) {
            (Answer::Services(list), Question::Services) => {
                let names = list.services.into_iter().map(|service| service.name);
                self.open.extend(names.filter(|name| !name.starts_with(OWN)).map(Question::Symbol));
                if self.open.len() > MAX_FILES { Err(NotTold::TooLarge) } else { Ok(()) }
            }
            (Answer::Files(files), Question::Symbol(_) | Question::File(_)) => self.take(&files.files),
            // Some servers do not know the files that everybody has.
            (Answer::Error(_), Question::File(name)) if well_known(&name).is_some() => self.keep_well_known(&name),
            (Answer::Error(error), question) => Err(NotTold::Refused(question.to_string(), error.text)),
            _ => Err(NotTold::OtherMessage),
        }
    }

    fn take(&mut self, files: &[Bytes]) -> Result<(), NotTold> {
        for bytes in files {
            let file = FileDescriptorProto::decode(bytes.clone()).map_err(|_| NotTold::OtherMessage)?;
            self.keep(file, bytes.clone());
        }
        self.ask_for_imports()
    }

    fn keep_well_known(&mut self, name: &str) -> Result<(), NotTold> {
        if let Some(file) = well_known(name) {
            let bytes = file.encode_to_vec().into();
            self.keep(file, bytes);
        }
        self.ask_for_imports()
    }

    fn keep(&mut self, file: FileDescriptorProto, bytes: Bytes) {
        let (name, imports) = (file.name().to_owned(), file.dependency);
        self.files.insert(name, File { bytes, imports });
    }

    /// Files that others import come after all answers to what was asked: most servers send them unasked.
    fn ask_for_imports(&mut self) -> Result<(), NotTold> {
        if self.files.len() > MAX_FILES {
            return Err(NotTold::TooLarge);
        }
        if self.open.is_empty() {
            let imports = self.files.values().flat_map(|file| &file.imports);
            let missing = imports.filter(|name| !self.files.contains_key(*name));
            let missing: std::collections::BTreeSet<_> = missing.cloned().collect();
            self.open.extend(missing.into_iter().map(Question::File));
        }
        Ok(())
    }

    /// The services, once there is no question left.
    ///
    /// # Errors
    /// When the files do not fit each other, or describe no service.
    pub fn finish(self) -> Result<Services, NotTold> {
        let set = Files { files: self.files.into_values().map(|file| file.bytes).collect() };
        Ok(Services::of_set(&set.encode_to_vec())?)
    }
}

/// A file of `google/protobuf` that comes with every compiler.
fn well_known(name: &str) -> Option<FileDescriptorProto> {
    DescriptorPool::global().get_file_by_name(name).map(|file| file.file_descriptor_proto().clone())
}
