//! Messages behind a flag and a length, as gRPC has them: writing one, and reading them from chunks.

use bytes::{Buf, BufMut, Bytes, BytesMut};

#[cfg(test)]
mod tests;

/// The bytes in front of a message: a flag, and the length in network order.
pub const PREFIX: usize = 5;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The flag. Bit 0 says that the message is compressed; bit 7, in gRPC-Web, that it holds trailers.
    pub flag: u8,
    /// What stands behind the prefix.
    pub bytes: Bytes,
}

/// Why bytes are no messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A message is longer than is taken.
    #[error("a message has {length} bytes, and {limit} are taken at most")]
    TooLong {
        /// What the prefix says.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// The bytes end within a message.
    #[error("the bytes end within a message")]
    CutOff,
}

/// A message with its prefix, not compressed. `None` when its length does not fit the prefix.
#[must_use]
pub fn write(message: &[u8]) -> Option<Bytes> {
    let length = u32::try_from(message.len()).ok()?;
    let mut bytes = BytesMut::with_capacity(PREFIX + message.len());
    bytes.put_u8(0);
    bytes.put_u32(length);
    bytes.put_slice(message);
    Some(bytes.freeze())
}

/// Reads messages from chunks as they come. It holds one message and one chunk at most, if all messages are taken
/// between two chunks.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    limit: usize,
}

impl Decoder {
    /// A decoder that takes messages up to `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), limit }
    }

    /// Adds what was received.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next message that is complete.
    ///
    /// # Errors
    /// When a message is over the limit. Nothing can be read after it.
    pub fn next_message(&mut self) -> Result<Option<Message>, FrameError> {
        let Some((prefix, _)) = self.buffer.split_first_chunk::<PREFIX>() else { return Ok(None) };
        let [flag, length @ ..] = *prefix;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > self.limit {
            return Err(FrameError::TooLong { length, limit: self.limit });
        }
        if self.buffer.len() < PREFIX + length {
            return Ok(None);
        }
        self.buffer.advance(PREFIX);
        Ok(Some(Message { flag, bytes: self.buffer.split_to(length).freeze() }))
    }

    /// To be asked when no more bytes come.
    ///
    /// # Errors
    /// When a message is not complete.
    pub fn finish(&self) -> Result<(), FrameError> {
        if self.buffer.is_empty() { Ok(()) } else { Err(FrameError::CutOff) }
    }
}

/// The single message of a body.
///
/// # Errors
/// When the body holds less or more than one message.
pub fn only(body: &[u8]) -> Result<Message, FrameError> {
    let mut decoder = Decoder::new(body.len());
    decoder.push(body);
    let message = decoder.next_message()?.ok_or(FrameError::CutOff)?;
    decoder.finish()?;
    Ok(message)
}
