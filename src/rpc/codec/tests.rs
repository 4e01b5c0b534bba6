//! The envelopes of the contract, and what is none.

use super::{Codec, CodecError};
use bytes::Bytes;
use proptest::prelude::*;

fn hex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

#[test]
fn proto_rpc_is_two_blocks() {
    let message = hex("0a03626f62");
    let sealed = hex("00000014 0a09 5361792e48656c6c6f 11 0700000000000000 00000005 0a03626f62");
    assert_eq!(Codec::ProtoRpc.seal("Say.Hello", 7, &message), Ok(sealed.clone()));
    assert_eq!(Codec::ProtoRpc.open_request(&sealed), Ok(message));
    let reply = hex("00000009 11 0700000000000000 0000000b 0a0968656c6c6f20626f62");
    assert_eq!(Codec::ProtoRpc.open_reply(&reply), Ok(Ok(hex("0a0968656c6c6f20626f62"))));
}

#[test]
fn json_rpc_is_the_first_version() {
    let sealed = Codec::JsonRpc.seal("Say.Hello", 6, &Bytes::from_static(br#"{"n":9007199254740993.10}"#)).unwrap();
    assert_eq!(sealed, r#"{"method":"Say.Hello","params":[{"n":9007199254740993.10}],"id":"6"}"#);
    assert_eq!(Codec::JsonRpc.open_request(&sealed).unwrap(), r#"{"n":9007199254740993.10}"#);
    let reply = |text: &'static str| Codec::JsonRpc.open_reply(&Bytes::from_static(text.as_bytes()));
    assert_eq!(
        reply(r#"{"id":"6","result":{"key":"hello bob"},"error":null}"#),
        Ok(Ok(Bytes::from_static(br#"{"key":"hello bob"}"#)))
    );
    assert_eq!(reply(r#"{"id":"","result":null,"error":"boom"}"#), Ok(Err("boom".to_owned())));
    assert_eq!(reply("{}"), Ok(Ok(Bytes::from_static(b"{}"))));
    assert_eq!(reply("[]{"), Err(CodecError::Json));
}

#[test]
fn a_content_type_has_one_spelling_and_is_read_in_any() {
    for codec in Codec::ALL {
        let written = codec.content_type();
        for read in [written.to_owned(), written.to_uppercase(), format!(" {written} ; charset=utf-8")] {
            assert_eq!(Codec::of(&read), Some(codec));
        }
    }
    assert_eq!(Codec::of("text/xml"), None);
    assert_eq!(Codec::of(""), None);
}

#[test]
fn lengths_are_not_believed() {
    for text in ["ffffffff00", "000000", "00000000 ffffffff", "00000001", "00000000 00000000 00"] {
        assert_eq!(Codec::ProtoRpc.open_reply(&hex(text)), Err(CodecError::Blocks), "{text}");
    }
    assert_eq!(Codec::Grpc.open_reply(&hex("01 00000000")), Err(CodecError::Prefix));
}

proptest! {
    #[test]
    fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..60), id in any::<u64>()) {
        let bytes = Bytes::from(bytes);
        for codec in Codec::ALL {
            let _ = (codec.open_request(&bytes), codec.open_reply(&bytes));
            if let Ok(sealed) = codec.seal("A.B", id, &bytes) {
                let opened = codec.open_request(&sealed);
                prop_assert!(bytes.is_empty() || codec.is_json() || opened == Ok(bytes.clone()));
            }
        }
    }
}
