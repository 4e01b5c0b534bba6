//! Both forms, in any chunks.

use super::{NotBase64, TRAILERS, TextDecoder, Web, trailer_frame};
use crate::rpc::{frame, recordings::headers};
use bytes::Bytes;
use proptest::prelude::*;

#[test]
fn a_content_type_says_how_a_client_speaks() {
    let of = |text| Web::of(text).map(|web| (web.is_text, web.is_json));
    assert_eq!(of("application/grpc-web"), Some((false, false)));
    assert_eq!(of("Application/gRPC-Web-Text+proto; charset=utf-8"), Some((true, false)));
    assert_eq!(of("application/grpc-web+json"), Some((false, true)));
    for other in ["application/grpc", "application/grpc-web+thrift", "application/grpc-webx", "application/json", ""] {
        assert_eq!(of(other), None, "{other}");
    }
    let web = Web { is_text: true, is_json: false };
    assert_eq!(Web::of(web.content_type()), Some(web));
}

#[test]
fn trailers_are_a_frame() {
    let trailers = headers(&serde_json::json!([["grpc-status", "3"], ["grpc-message", "name%20missing"]]));
    let bytes = trailer_frame(&trailers);
    let message = frame::only(&bytes).unwrap();
    assert_eq!((message.flag, &*message.bytes), (TRAILERS, &b"grpc-status: 3\r\ngrpc-message: name%20missing\r\n"[..]));
}

#[test]
fn what_is_no_text_is_refused() {
    assert_eq!(TextDecoder::default().decode(b"AA!A"), Err(NotBase64));
    assert_eq!(TextDecoder::default().decode(b"A==="), Err(NotBase64));
    let mut decoder = TextDecoder::default();
    assert_eq!(decoder.decode(b"AAAAA"), Ok(Bytes::from_static(&[0, 0, 0])));
    assert_eq!(decoder.finish(), Err(NotBase64));
}

proptest! {
    #[test]
    fn text_survives_any_chunks_and_padding(
        parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..6),
        cuts in proptest::collection::vec(1_usize..9, 1..20),
    ) {
        let web = Web { is_text: true, is_json: false };
        let text: Vec<u8> = parts.iter().flat_map(|part| web.encode(&Bytes::copy_from_slice(part))).collect();
        let (mut decoder, mut read, mut rest) = (TextDecoder::default(), Vec::new(), text.as_slice());
        for cut in cuts.iter().cycle() {
            let (chunk, after) = rest.split_at(rest.len().min(*cut));
            read.extend(decoder.decode(chunk).unwrap());
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(read, parts.concat());
        prop_assert_eq!(decoder.finish(), Ok(()));
    }

    #[test]
    fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let _ = TextDecoder::default().decode(&bytes);
    }
}
