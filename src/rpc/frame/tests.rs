//! Messages survive any cutting into chunks, and lengths are believed only up to the limit.

use super::{Decoder, FrameError, Message, only, write};
use bytes::Bytes;
use proptest::prelude::*;

#[test]
fn a_length_over_the_limit_is_refused_before_its_bytes_come() {
    let mut decoder = Decoder::new(10);
    decoder.push(&[0, 0xFF, 0xFF, 0xFF, 0xFF]);
    let error = FrameError::TooLong { length: 0xFFFF_FFFF, limit: 10 };
    assert_eq!(decoder.next_message(), Err(error));
}

#[test]
fn bytes_that_end_within_a_message_are_cut_off() {
    let mut decoder = Decoder::new(10);
    decoder.push(&[0, 0, 0, 0, 2, b'a']);
    assert_eq!(decoder.next_message(), Ok(None));
    assert_eq!(decoder.finish(), Err(FrameError::CutOff));
    assert_eq!(only(&[0, 0, 0]), Err(FrameError::CutOff));
    assert_eq!(only(b"\0\0\0\0\0\0"), Err(FrameError::CutOff));
}

proptest! {
    #[test]
    fn messages_survive_any_chunks(
        messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..6),
        cuts in proptest::collection::vec(1_usize..20, 1..40),
    ) {
        let bytes: Vec<u8> = messages.iter().flat_map(|message| write(message).unwrap()).collect();
        let (mut decoder, mut read, mut at) = (Decoder::new(40), Vec::new(), 0);
        for cut in cuts.iter().cycle() {
            let end = bytes.len().min(at + cut);
            decoder.push(&bytes[at..end]);
            while let Some(Message { flag: 0, bytes }) = decoder.next_message().unwrap() {
                read.push(bytes);
            }
            at = end;
            if at == bytes.len() {
                break;
            }
        }
        prop_assert_eq!(read, messages.into_iter().map(Bytes::from).collect::<Vec<_>>());
        prop_assert_eq!(decoder.finish(), Ok(()));
    }

    #[test]
    fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let mut decoder = Decoder::new(20);
        decoder.push(&bytes);
        while let Ok(Some(message)) = decoder.next_message() {
            prop_assert!(message.bytes.len() <= 20);
        }
        let _ = only(&bytes);
    }
}
