//! The envelope of proto-rpc: a header and a message, each behind its length in four bytes.

use super::{CodecError, Opened};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;

/// The header of a request.
#[derive(Clone, PartialEq, Eq, Message)]
struct RequestHeader {
    #[prost(string, tag = "1")]
    service_method: String,
    #[prost(fixed64, tag = "2")]
    seq: u64,
}

/// The header of a reply.
#[derive(Clone, PartialEq, Eq, Message)]
struct ReplyHeader {
    #[prost(string, tag = "1")]
    service_method: String,
    #[prost(fixed64, tag = "2")]
    seq: u64,
    #[prost(string, tag = "3")]
    error: String,
}

pub(super) fn seal(method: &str, seq: u64, message: &Bytes) -> Result<Bytes, CodecError> {
    let header = RequestHeader { service_method: method.to_owned(), seq }.encode_to_vec();
    let mut body = BytesMut::with_capacity(8 + header.len() + message.len());
    for block in [header.as_slice(), message] {
        body.put_u32(u32::try_from(block.len()).map_err(|_| CodecError::TooLong)?);
        body.put_slice(block);
    }
    Ok(body.freeze())
}

pub(super) fn open_request(body: &Bytes) -> Result<Bytes, CodecError> {
    let (_, message) = blocks(body)?;
    Ok(message)
}

pub(super) fn open_reply(body: &Bytes) -> Result<Opened, CodecError> {
    let (header, message) = blocks(body)?;
    let header = ReplyHeader::decode(header).map_err(|_| CodecError::Blocks)?;
    Ok(if header.error.is_empty() { Ok(message) } else { Err(header.error) })
}

/// Header and message. An error has no message block in some generations.
fn blocks(body: &Bytes) -> Result<(Bytes, Bytes), CodecError> {
    let mut left = body.clone();
    let header = block(&mut left)?;
    let message = if left.is_empty() { Bytes::new() } else { block(&mut left)? };
    if left.is_empty() { Ok((header, message)) } else { Err(CodecError::Blocks) }
}

fn block(left: &mut Bytes) -> Result<Bytes, CodecError> {
    if left.len() < 4 {
        return Err(CodecError::Blocks);
    }
    let length = usize::try_from(left.get_u32()).unwrap_or(usize::MAX);
    if length > left.len() {
        return Err(CodecError::Blocks);
    }
    Ok(left.split_to(length))
}
