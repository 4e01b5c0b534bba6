//! Replies that are needed as a whole, in time.

use super::MOST_BYTES;
use crate::proxy::{
    body::Body,
    clock::{TimeIsUp, race},
    core::Core,
    error::{BodyError, Failure},
    whole::{self, Whole},
};
use std::time::Duration;

/// Reads a reply to its end, for so long; without a limit as long as a stream may say nothing. A connection that brings
/// it too late is closed.
pub(super) async fn read(core: &Core, body: Body, left: Option<Duration>) -> Result<Whole, Failure> {
    let reading = whole::read(body, MOST_BYTES);
    let read = match left.or(core.limits().stream_idle_timeout) {
        None => reading.await,
        Some(left) => {
            let alarm = core.clock.alarm();
            core.clock.set(&alarm, left);
            let read = race(&core.clock, &alarm, reading).await;
            core.clock.put_back(alarm);
            read.map_err(|TimeIsUp| Failure::UpstreamTimeout)?
        }
    };
    read.map_err(|error| if error == BodyError::TooLarge { Failure::ReplyTooLarge } else { error.into() })
}
