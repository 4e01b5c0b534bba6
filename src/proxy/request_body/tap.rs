//! A copy of a small request body, made while it passes.

use bytes::Bytes;
use http_body::Frame;
use std::task::Poll;
use tokio::sync::oneshot;

/// What has become of the copy of a body. Nothing is said of one that broke off.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Tapped {
    /// All of it.
    Whole(Bytes),
    /// It was too large to be copied.
    TooLarge,
}

/// Copies a body up to a limit.
#[derive(Debug)]
pub(crate) struct Tap {
    bytes: Vec<u8>,
    most: usize,
    to: Option<oneshot::Sender<Tapped>>,
}

impl Tap {
    /// A tap for so many bytes, and where the copy arrives.
    pub(crate) fn new(most: usize) -> (Self, oneshot::Receiver<Tapped>) {
        let (to, copy) = oneshot::channel();
        (Self { bytes: Vec::new(), most, to: Some(to) }, copy)
    }

    /// Takes notice of what passes; `at_end` when nothing follows.
    pub(super) fn note<E>(&mut self, polled: &Poll<Option<Result<Frame<Bytes>, E>>>, at_end: bool) {
        match polled {
            Poll::Pending | Poll::Ready(Some(Err(_))) => return,
            Poll::Ready(Some(Ok(frame))) => self.copy(frame.data_ref().map_or(&[], |data| data)),
            Poll::Ready(None) => {}
        }
        if at_end || matches!(polled, Poll::Ready(None)) {
            let whole = Tapped::Whole(std::mem::take(&mut self.bytes).into());
            self.tell(whole);
        }
    }

    fn copy(&mut self, data: &[u8]) {
        if self.to.is_none() {
            return;
        }
        if self.bytes.len() + data.len() > self.most {
            self.bytes = Vec::new();
            self.tell(Tapped::TooLarge);
        } else {
            self.bytes.extend_from_slice(data);
        }
    }

    fn tell(&mut self, tapped: Tapped) {
        if let Some(to) = self.to.take() {
            // Nobody waits any more where the core is stopping.
            let _ = to.send(tapped);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passes frames through a tap for 4 bytes.
    fn tapped(frames: &[&'static str], ends_well: bool) -> Option<Tapped> {
        let (mut tap, mut copy) = Tap::new(4);
        for (index, frame) in frames.iter().enumerate() {
            let frame = Frame::data(Bytes::from_static(frame.as_bytes()));
            tap.note::<()>(&Poll::Ready(Some(Ok(frame))), ends_well && index + 1 == frames.len());
        }
        copy.try_recv().ok()
    }

    #[test]
    fn a_body_up_to_the_limit_is_copied() {
        assert_eq!(tapped(&["ab", "cd"], true), Some(Tapped::Whole("abcd".into())));
        assert_eq!(tapped(&["ab", "cde"], true), Some(Tapped::TooLarge));
        assert_eq!(tapped(&["abcde"], false), Some(Tapped::TooLarge), "said at once");
    }

    #[test]
    fn a_body_that_breaks_off_is_not() {
        assert_eq!(tapped(&["ab"], false), None);
        let (mut tap, mut copy) = Tap::new(4);
        tap.note(&Poll::Ready(Some(Err(()))), true);
        assert!(copy.try_recv().is_err());
        tap.note::<()>(&Poll::Ready(None), true);
        assert_eq!(copy.try_recv().ok(), Some(Tapped::Whole(Bytes::new())));
    }
}
