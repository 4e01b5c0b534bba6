//! Which frames are found, and how many may come.

use super::*;
use proptest::prelude::*;

const PING: u8 = 6;

fn frame(kind: u8, length: usize) -> Vec<u8> {
    let bytes = u32::try_from(length).unwrap().to_be_bytes();
    // What a payload holds must not be taken for a head.
    [&bytes[1..], &[kind, 0, 0, 0, 0, 1], &vec![0xff; length]].concat()
}

fn found(pieces: &[&[u8]]) -> Vec<u8> {
    let (mut heads, mut kinds) = (Heads::default(), Vec::new());
    for piece in pieces {
        heads.each(piece, |kind| kinds.push(kind));
    }
    kinds
}

proptest! {
    #[test]
    fn every_frame_is_found_wherever_reads_end(
        frames in prop::collection::vec((any::<u8>(), 0..40_usize), 0..20),
        cut in 1..50_usize,
    ) {
        let (kinds, bytes): (Vec<_>, Vec<_>) = frames.iter().map(|(kind, length)| (*kind, frame(*kind, *length))).unzip();
        let all = [vec![b'P'; PREFACE], bytes.concat()].concat();
        prop_assert_eq!(&found(&[&all]), &kinds);
        prop_assert_eq!(&found(&all.chunks(cut).collect::<Vec<_>>()), &kinds);
    }
}

/// How many frames of a kind are taken in a row, at this tick.
fn taken(budget: &mut Budget, kind: u8, now: u64) -> u64 {
    (0..100_000).take_while(|_| budget.take(kind, || now)).count() as u64
}

#[test]
fn a_flood_ends_and_bodies_are_no_flood() {
    for kind in [2, 3, 4, PING, 7, 8, 0xee] {
        assert_eq!(taken(&mut Budget::new(7), kind, 7), MOST, "{kind}");
    }
    for kind in [DATA, HEADERS, CONTINUATION] {
        assert_eq!(taken(&mut Budget::new(7), kind, 7), 100_000, "{kind}");
    }
}

#[test]
fn time_requests_and_what_is_sent_earn_frames() {
    for (requests, bytes, ticks, earned) in [
        (0, 0, 0, 0),
        (0, 0, 10, 10 * OF_TICK),
        (3, 0, 0, 3 * OF_REQUEST),
        (0, 64_000, 0, 2000),
        (1, 320, 1, OF_REQUEST + 10 + OF_TICK),
        (1000, 1 << 30, 1 << 20, MOST),
    ] {
        let mut budget = Budget::new(7);
        taken(&mut budget, PING, 7);
        assert!((0..requests).all(|_| budget.take(HEADERS, || 7)));
        budget.bytes += bytes;
        assert_eq!(taken(&mut budget, PING, 7 + ticks), earned, "{requests} requests, {bytes} bytes, {ticks} ticks");
    }
}

#[test]
fn the_answers_to_a_flood_do_not_feed_it() {
    let mut budget = Budget::new(0);
    let pings = (0..100_000).take_while(|_| {
        budget.bytes += 17;
        budget.take(PING, || 0)
    });
    assert!(pings.count() < 30_000);
}

#[test]
fn updates_of_windows_go_with_a_download_for_ever() {
    let mut budget = Budget::new(0);
    for _ in 0..1_000_000 {
        // A message of 50 bytes: the stream's window and that of the connection.
        budget.bytes += 64;
        assert!(budget.take(8, || 0) && budget.take(8, || 0));
    }
}
