//! What clients are told of the limits: `RateLimit` and `RateLimit-Policy`
//! (draft-ietf-httpapi-ratelimit-headers-10).

use crate::model::limit::{MOST_LIMITS, RequestLimits};
use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::{cell::RefCell, time::Duration};

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What a client is told.
#[derive(Debug)]
pub(crate) struct Told<'t> {
    /// The limits themselves.
    pub(super) policy: &'t HeaderValue,
    /// How much of them is left; `None` where nobody knows.
    pub(super) state: Option<HeaderValue>,
}

impl Told<'_> {
    /// Adds it to a response. An endpoint may have limits of its own, so what it says stays.
    pub(crate) fn add_to(self, headers: &mut HeaderMap) {
        headers.append(RATELIMIT_POLICY, self.policy.clone());
        if let Some(state) = self.state {
            headers.append(RATELIMIT, state);
        }
    }
}

/// How much of a limit is left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    pub(super) left: u64,
    pub(super) full_in: Duration,
}

/// Writes field values. They share allocations: one for many of them.
#[derive(Debug, Default)]
pub(super) struct Writer(RefCell<BytesMut>);

impl Writer {
    /// How many bytes are allocated at once.
    const BLOCK: usize = 4096;
    /// The most digits of a number of 64 bits.
    const DIGITS: usize = 20;

    /// The field `RateLimit`: how many requests are left, and the seconds until all are back.
    pub(super) fn write(&self, limits: &RequestLimits, levels: &[Option<Level>; MOST_LIMITS]) -> Option<HeaderValue> {
        let mut block = self.0.borrow_mut();
        let members = || limits.limits.iter().zip(levels).filter_map(|(limit, level)| Some((limit, (*level)?)));
        let most: usize = members().map(|(limit, _)| limit.member.len() + 2 * Self::DIGITS + ", ;t=".len()).sum();
        if block.capacity() < most {
            *block = BytesMut::with_capacity(Self::BLOCK.max(most));
        }
        for (limit, level) in members() {
            if !block.is_empty() {
                block.extend_from_slice(b", ");
            }
            block.extend_from_slice(limit.member.as_bytes());
            digits(&mut block, level.left);
            block.extend_from_slice(b";t=");
            digits(&mut block, level.full_in.as_nanos().div_ceil(1_000_000_000).try_into().unwrap_or(u64::MAX));
        }
        if block.is_empty() {
            return None;
        }
        HeaderValue::from_maybe_shared(block.split().freeze()).ok()
    }
}

fn digits(block: &mut BytesMut, mut number: u64) {
    let mut text = [b'0'; Writer::DIGITS];
    let mut start = text.len();
    loop {
        start -= 1;
        text[start] = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        if number == 0 {
            block.extend_from_slice(&text[start..]);
            return;
        }
    }
}
